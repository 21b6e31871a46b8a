#include "data/packed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/round_up.h"
#include "base/status_macros.h"
#include "data/file.h"

namespace cotangent::data {
namespace {

using Entry = PackedFile::Entry;

constexpr char kMagic[8] = {'C', 'O', 'T', 'P', 'A', 'C', 'K', '2'};
constexpr int64_t kAlignment = 64;

struct Header {
  char magic[8];
  int64_t records, file_bytes;
  char fingerprint[32];  // padded with zeros
};

uint32_t Crc(const void* bytes, int64_t count) {
  // crc32_iscsi() does not invert the initial value and the result, as CRC-32C requires, so Crc()
  // does. crc32_iscsi() takes the number of bytes as an int, hence pieces of at most kMost bytes.
  constexpr int64_t kMost = int64_t{1} << 30;
  uint32_t crc = ~0u;
  auto* next = static_cast<unsigned char*>(const_cast<void*>(bytes));
  for (; count > 0; next += kMost, count -= kMost)
    crc = crc32_iscsi(next, static_cast<int>(std::min(count, kMost)), crc);
  return ~crc;
}

int64_t RoundedUp(int64_t bytes) { return RoundUp(bytes, kAlignment); }

// Returns the size in bytes of the header, the entries and their checksum.
int64_t FrontBytes(int64_t records) {
  return static_cast<int64_t>(sizeof(Header) + records * sizeof(Entry) + sizeof(uint32_t));
}

std::string FrontOf(const PackedContents& contents, const std::vector<Entry>& entries,
                    int64_t file_bytes) {
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.records = contents.records;
  header.file_bytes = file_bytes;
  contents.fingerprint.copy(header.fingerprint, sizeof(header.fingerprint));
  std::string front(reinterpret_cast<const char*>(&header), sizeof(header));
  front.append(reinterpret_cast<const char*>(entries.data()), sizeof(Entry) * entries.size());
  const uint32_t checksum = Crc(front.data(), static_cast<int64_t>(front.size()));
  return front.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
}

// Reads `count` bytes from offset `at` of the file. Returns false if that fails or the file ends.
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

// Makes records on several threads. When a thread has made a record, it takes space for it behind
// all records that have space, and writes it there.
class Packer {
 public:
  Packer(int descriptor, const std::string& path, int64_t records,
         const PackedFile::MakeRecord& make)
      : descriptor_(descriptor),
        path_(path),
        make_(make),
        entries_(records),
        end_(RoundedUp(FrontBytes(records))) {}

  absl::Status Run(int threads) {
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back([this] { Work(); });
    Work();
    for (std::thread& other : others) other.join();
    return std::move(status_);
  }

  const std::vector<Entry>& entries() const { return entries_; }
  int64_t file_bytes() const { return end_; }

 private:
  void Work() {
    std::vector<uint8_t> bytes;
    for (int64_t index = Next(); index >= 0; index = Next()) {
      const absl::Status status = Pack(index, bytes);
      if (status.ok()) continue;
      const std::lock_guard<std::mutex> lock(mutex_);
      // If several records fail, the error of the lowest record number is kept, whichever thread
      // failed first.
      if (failed_ < 0 || index < failed_) failed_ = index, status_ = status;
    }
  }

  // Returns the number of the next record to make; -1 if none is left or one has failed.
  int64_t Next() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failed_ >= 0 || next_ == static_cast<int64_t>(entries_.size()) ? -1 : next_++;
  }

  absl::Status Pack(int64_t index, std::vector<uint8_t>& bytes) {
    RETURN_IF_ERROR(make_(index, bytes));
    const auto count = static_cast<int64_t>(bytes.size());
    Entry entry = {0, static_cast<uint32_t>(count), Crc(bytes.data(), count)};
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      entry.offset = end_;
      end_ += RoundedUp(count);
    }
    entries_[index] = entry;
    return WriteAll(descriptor_, bytes.data(), count, entry.offset, path_);
  }

  const int descriptor_;
  const std::string& path_;
  const PackedFile::MakeRecord& make_;
  std::vector<Entry> entries_;
  std::mutex mutex_;  // guards the members below
  int64_t next_ = 0, end_;
  int64_t failed_ = -1;  // the lowest number of a record that failed; -1: none
  absl::Status status_;
};

}  // namespace

PackedFile::PackedFile(std::string path, int descriptor, std::vector<Entry> entries)
    : path_(std::move(path)), descriptor_(descriptor), entries_(std::move(entries)) {}

PackedFile::~PackedFile() { close(descriptor_); }

int64_t PackedFile::size_of_all() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.bytes;
  return sum;
}

absl::Status PackedFile::Read(int64_t index, uint8_t* bytes) const {
  const Entry& entry = entries_[index];
  if (ReadAll(descriptor_, bytes, entry.bytes, entry.offset) &&
      Crc(bytes, entry.bytes) == entry.checksum)
    return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      path_, ": image ", index, " is not what was written; remove the file, and it is made anew"));
}

absl::StatusOr<std::shared_ptr<const PackedFile>> PackedFile::Open(const std::string& path,
                                                                   const PackedContents& contents) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return absl::NotFoundError(FileError(errno, "read", path).message());
  auto close_it = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat about;
  std::string front(FrontBytes(contents.records), '\0');
  std::vector<Entry> entries(contents.records);
  const bool is_read = fstat(descriptor, &about) == 0 &&
                       ReadAll(descriptor, front.data(), static_cast<int64_t>(front.size()), 0);
  front.copy(reinterpret_cast<char*>(entries.data()), sizeof(Entry) * entries.size(),
             sizeof(Header));
  // FrontOf() builds what the file must begin with: the expected header, the entries that the file
  // holds, and their checksum. One comparison thus checks header, length and checksum.
  const auto lies_in_file = [&](const Entry& entry) {
    return entry.offset >= FrontBytes(contents.records) &&
           entry.offset <= about.st_size - int64_t{entry.bytes};
  };
  if (!is_read || front != FrontOf(contents, entries, about.st_size) ||
      !std::all_of(entries.begin(), entries.end(), lies_in_file))
    return absl::NotFoundError(absl::StrCat(path, ": it is of other images, or damaged"));
  std::move(close_it).Cancel();
  return std::shared_ptr<const PackedFile>(new PackedFile(path, descriptor, std::move(entries)));
}

absl::Status PackedFile::Write(const std::string& path, const PackedContents& contents,
                               const MakeRecord& make, int threads) {
  const std::string temporary = absl::StrCat(path, ".tmp-", getpid());
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return absl::UnavailableError(FileError(errno, "write", temporary).message());
  absl::Cleanup remove = [&] { unlink(temporary.c_str()); };
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  Packer packer(descriptor, temporary, contents.records, make);
  RETURN_IF_ERROR(packer.Run(threads));
  // The file's length is a multiple of kAlignment, but the last record may end before it. The rest
  // is filled with zeros.
  if (ftruncate(descriptor, packer.file_bytes()) != 0)
    return absl::UnavailableError(FileError(errno, "write", temporary).message());
  const std::string front = FrontOf(contents, packer.entries(), packer.file_bytes());
  RETURN_IF_ERROR(
      WriteAll(descriptor, front.data(), static_cast<int64_t>(front.size()), 0, temporary));
  if (fsync(descriptor) != 0 || rename(temporary.c_str(), path.c_str()) != 0)
    return absl::UnavailableError(FileError(errno, "write", path).message());
  std::move(remove).Cancel();
  return absl::OkStatus();
}

}  // namespace cotangent::data
