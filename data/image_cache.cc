#include "data/image_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "data/file.h"

namespace cotangent::data {
namespace {

constexpr char kMagic[8] = {'C', 'O', 'T', 'I', 'M', 'G', '0', '1'};
constexpr int64_t kAlignment = 64;
// How many images are decoded before they are written.
constexpr int64_t kImagesAtATime = 256;

struct Header {
  char magic[8];
  int64_t images, image_bytes;
  char fingerprint[32];  // padded with zeros
};

uint32_t Crc(const void* bytes, int64_t count) {
  // CRC-32C inverts its initial value and its result; this library leaves that to the caller.
  return ~crc32_iscsi(static_cast<unsigned char*>(const_cast<void*>(bytes)),
                      static_cast<int>(count), ~0u);
}

Header HeaderOf(const CacheContents& contents) {
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.images = contents.images;
  header.image_bytes = contents.image_bytes;
  contents.fingerprint.copy(header.fingerprint, sizeof(header.fingerprint));
  return header;
}

// Returns the byte offset of the first image in the file.
int64_t ImagesAt(const CacheContents& contents) {
  const int64_t before = static_cast<int64_t>(sizeof(Header)) + 4 * (contents.images + 1);
  return (before + kAlignment - 1) / kAlignment * kAlignment;
}

// Returns the file's bytes before the images: header, checksums, their checksum, and zeros.
std::string FrontOf(const CacheContents& contents, const std::vector<uint32_t>& checksums) {
  const Header header = HeaderOf(contents);
  std::string front(reinterpret_cast<const char*>(&header), sizeof(header));
  front.append(reinterpret_cast<const char*>(checksums.data()), 4 * checksums.size());
  const uint32_t checksum = Crc(front.data(), static_cast<int64_t>(front.size()));
  front.append(reinterpret_cast<const char*>(&checksum), 4);
  front.resize(ImagesAt(contents));
  return front;
}

// Reads `count` bytes from offset `at`. Returns false if there are fewer.
bool ReadAll(int descriptor, void* bytes, int64_t count, int64_t at) {
  char* next = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = pread(descriptor, next, count, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got, at += got, count -= got;
  }
  return true;
}

class Cache final : public ImageReader {
 public:
  Cache(std::string path, const CacheContents& contents, int descriptor,
        std::vector<uint32_t> checksums)
      : path_(std::move(path)),
        contents_(contents),
        descriptor_(descriptor),
        checksums_(std::move(checksums)) {}
  ~Cache() override { close(descriptor_); }

  absl::Status Read(int64_t index, uint8_t* image) const override {
    const int64_t bytes = contents_.image_bytes;
    if (ReadAll(descriptor_, image, bytes, ImagesAt(contents_) + index * bytes) &&
        Crc(image, bytes) == checksums_[index])
      return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(path_, ": image ", index,
                                            " is not what was written; remove the file, and it is "
                                            "made anew"));
  }

 private:
  const std::string path_;
  const CacheContents contents_;
  const int descriptor_;
  const std::vector<uint32_t> checksums_;
};

absl::Status WriteAll(int descriptor, const void* bytes, int64_t count, int64_t at,
                      const std::string& path) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = pwrite(descriptor, next, count, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return absl::UnavailableError(
          FileError(written < 0 ? errno : ENOSPC, "write", path).message());
    next += written, at += written, count -= written;
  }
  return absl::OkStatus();
}

// Reads the images [first, first + count) into `bytes`.
absl::Status ReadSome(const ImageReader& reader, int64_t first, int64_t count, int64_t image_bytes,
                      int threads, uint8_t* bytes) {
  std::vector<absl::Status> statuses(count);
  std::atomic<int64_t> next{0};
  const auto read = [&] {
    for (int64_t i = next++; i < count; i = next++)
      statuses[i] = reader.Read(first + i, bytes + i * image_bytes);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(read);
  read();
  for (std::thread& other : others) other.join();
  for (absl::Status& status : statuses) {
    if (!status.ok()) return std::move(status);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ImageReader>> OpenImageCache(const std::string& path,
                                                                  const CacheContents& contents) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return absl::NotFoundError(FileError(errno, "read", path).message());
  auto close_it = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat about;
  const int64_t size = ImagesAt(contents) + contents.images * contents.image_bytes;
  const Header expected = HeaderOf(contents);
  std::string front(ImagesAt(contents), '\0');
  if (fstat(descriptor, &about) != 0 || about.st_size != size ||
      !ReadAll(descriptor, front.data(), static_cast<int64_t>(front.size()), 0) ||
      std::memcmp(front.data(), &expected, sizeof(expected)) != 0)
    return absl::NotFoundError(absl::StrCat(path, ": it is of other images"));
  std::vector<uint32_t> checksums(contents.images);
  std::memcpy(checksums.data(), front.data() + sizeof(Header), 4 * checksums.size());
  if (front != FrontOf(contents, checksums))
    return absl::NotFoundError(absl::StrCat(path, ": it is damaged"));
  std::move(close_it).Cancel();
  return std::make_shared<Cache>(path, contents, descriptor, std::move(checksums));
}

absl::Status WriteImageCache(const std::string& path, const CacheContents& contents,
                             const ImageReader& reader, int threads) {
  const std::string temporary = absl::StrCat(path, ".tmp-", getpid());
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return absl::UnavailableError(FileError(errno, "write", temporary).message());
  absl::Cleanup remove = [&] { unlink(temporary.c_str()); };
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  std::vector<uint32_t> checksums;
  std::vector<uint8_t> bytes(std::min(kImagesAtATime, contents.images) * contents.image_bytes);
  for (int64_t first = 0; first < contents.images; first += kImagesAtATime) {
    const int64_t count = std::min(kImagesAtATime, contents.images - first);
    absl::Status status =
        ReadSome(reader, first, count, contents.image_bytes, threads, bytes.data());
    if (!status.ok()) return status;
    for (int64_t i = 0; i < count; ++i)
      checksums.push_back(Crc(bytes.data() + i * contents.image_bytes, contents.image_bytes));
    status = WriteAll(descriptor, bytes.data(), count * contents.image_bytes,
                      ImagesAt(contents) + first * contents.image_bytes, temporary);
    if (!status.ok()) return status;
  }
  const std::string front = FrontOf(contents, checksums);
  absl::Status status =
      WriteAll(descriptor, front.data(), static_cast<int64_t>(front.size()), 0, temporary);
  if (!status.ok()) return status;
  if (fsync(descriptor) != 0 || rename(temporary.c_str(), path.c_str()) != 0)
    return absl::UnavailableError(FileError(errno, "write", path).message());
  std::move(remove).Cancel();
  return absl::OkStatus();
}

}  // namespace cotangent::data
