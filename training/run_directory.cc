#include "training/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "training/checkpoint.h"
#include "training/metrics.h"

namespace cotangent::training {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargestMetrics = int64_t{1} << 32;

// Returns whether the path still names the file behind the descriptor. If not, the process that
// held the lock last removed the file after this process had opened it.
bool IsStill(const std::string& path, int descriptor) {
  struct stat by_path, by_descriptor;
  return stat(path.c_str(), &by_path) == 0 && fstat(descriptor, &by_descriptor) == 0 &&
         by_path.st_ino == by_descriptor.st_ino && by_path.st_dev == by_descriptor.st_dev;
}

std::string ReadAll(int descriptor) {
  char text[512];
  const ssize_t size = pread(descriptor, text, sizeof(text), 0);
  return size <= 0 ? "" : std::string(text, size);
}

bool BelongsToARun(const std::string& name) {
  return name == kMetricsFile || name == "network.textproto" || name == kBestCheckpoint ||
         name == "report.html" || absl::StartsWith(name, "events.out.tfevents.") ||
         (absl::StartsWith(name, "checkpoint-") && absl::EndsWith(name, ".safetensors"));
}

std::string AsidePath(const std::string& directory, int number) {
  return data::JoinPath(directory, absl::StrCat("earlier-", number));
}
bool IsSetAside(const std::string& directory, int number) {
  std::error_code error;
  return fs::exists(AsidePath(directory, number), error);
}

std::vector<fs::path> FilesIn(const std::string& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  }
  return files;
}

// Returns the "step" of a line, or -1 if the line is not a JSON object with an integer "step".
int64_t StepOf(absl::string_view line) {
  const std::optional<MetricsLine> numbers = ParseMetricsLine(line);
  const double step = numbers ? Find(*numbers, "step").value_or(-1) : -1;
  return step >= 0 && step < 1e18 && step == std::floor(step) ? static_cast<int64_t>(step) : -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Acquire(
    const std::string& directory, const std::function<void(const std::string&)>& report) {
  if (absl::Status status = data::MakeDirectories(directory); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(status.message(), "; choose another --output_dir"));
  }
  const std::string path = data::JoinPath(directory, "lock");
  for (;;) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(data::FileError(errno, "write", path).message(),
                       "; choose an --output_dir that you may write to"));
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error_number = errno;
      const std::string holder = ReadAll(descriptor);
      close(descriptor);
      if (error_number == EINTR) continue;
      if (error_number != EWOULDBLOCK) return data::FileError(error_number, "lock", path);
      const std::vector<std::string> words = absl::StrSplit(holder, '\n');
      return absl::FailedPreconditionError(
          absl::StrCat("another run is writing to ", directory, ": ",
                       holder.empty() ? "a process just starting" : words[0],
                       "; wait for it, stop it, or choose another --output_dir"));
    }
    if (!IsStill(path, descriptor)) {
      close(descriptor);
      continue;
    }
    if (const std::string stale = ReadAll(descriptor); !stale.empty()) {
      const std::vector<std::string> words = absl::StrSplit(stale, '\n');
      report(absl::StrCat("took over ", directory, " from ", words[0], ", which is gone"));
    }
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    const std::string text = absl::StrCat(
        "process ", getpid(), " on ", host, ", since ",
        absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::Now(), absl::LocalTimeZone()), "\n");
    // If the disk is full and the text cannot be written, the lock is held nevertheless.
    if (ftruncate(descriptor, 0) == 0) (void)!pwrite(descriptor, text.data(), text.size(), 0);
    return std::unique_ptr<DirectoryLock>(new DirectoryLock(path, descriptor));
  }
}

DirectoryLock::~DirectoryLock() {
  if (IsStill(path_, descriptor_)) unlink(path_.c_str());
  close(descriptor_);
}

std::string DefaultRunDirectory(absl::string_view network) {
  const absl::string_view file = network.substr(network.rfind('/') + 1);
  absl::string_view name = file;
  for (absl::string_view ending : {".textproto", ".prototxt", ".pbtxt", ".txt"}) {
    if (absl::ConsumeSuffix(&name, ending)) break;
  }
  // For ".textproto", "..textproto" or "...textproto" the name would be "", "." or "..", none of
  // which is a directory inside runs/.
  if (name.empty() || name == "." || name == "..") name = file;
  return data::JoinPath("runs", std::string(name));
}

std::string LastSetAside(const std::string& directory) {
  int number = 0;
  while (IsSetAside(directory, number + 1)) ++number;
  return number > 0 ? AsidePath(directory, number) : "";
}

absl::StatusOr<std::string> SetEarlierRunAside(const std::string& directory) {
  std::vector<fs::path> files;
  for (const fs::path& file : FilesIn(directory)) {
    if (BelongsToARun(file.filename().string())) files.push_back(file);
  }
  if (files.empty()) return "";
  int number = 1;
  while (IsSetAside(directory, number)) ++number;
  const std::string aside = AsidePath(directory, number);
  RETURN_IF_ERROR(data::MakeDirectories(aside));
  for (const fs::path& file : files) {
    const std::string to = data::JoinPath(aside, file.filename().string());
    if (rename(file.c_str(), to.c_str()) != 0) return data::FileError(errno, "move", file.string());
  }
  return aside;
}

void RemoveTemporaryFiles(const std::string& directory) {
  for (const fs::path& file : FilesIn(directory)) {
    if (absl::StrContains(file.filename().string(), ".tmp-")) unlink(file.c_str());
  }
}

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& path,
                                                             int64_t last_step) {
  std::string kept;
  int64_t evaluated_step = -1;
  absl::StatusOr<std::string> before = data::ReadFile(path, kLargestMetrics);
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  if (before.ok()) {
    for (absl::string_view line : absl::StrSplit(*before, '\n')) {
      const int64_t step = StepOf(line);
      if (step < 0 || step > last_step) continue;
      absl::StrAppend(&kept, line, "\n");
      if (absl::StrContains(line, absl::StrCat("\"", kMeanLossKey, "\":")))
        evaluated_step = std::max(evaluated_step, step);
    }
  }
  if (!before.ok() || kept != *before) {
    RETURN_IF_ERROR(data::WriteFileAtomically(path, kept));
  }
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor < 0) return data::FileError(errno, "write", path);
  return std::unique_ptr<MetricsLog>(
      new MetricsLog(path, descriptor, static_cast<int64_t>(kept.size()), evaluated_step));
}

MetricsLog::~MetricsLog() { close(descriptor_); }

absl::Status MetricsLog::Append(absl::string_view line) {
  absl::StrAppend(&pending_, line, "\n");
  return WritePending();
}

absl::Status MetricsLog::WritePending() {
  if (pending_.empty()) return absl::OkStatus();
  ssize_t written;
  do {
    written = write(descriptor_, pending_.data(), pending_.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(pending_.size())) {
    size_ += written;
    pending_.clear();
    return absl::OkStatus();
  }
  absl::Status status = data::FileError(written < 0 ? errno : ENOSPC, "write", path_);
  if (written > 0) (void)!ftruncate(descriptor_, size_);
  return status;
}

absl::Status MetricsLog::Flush() {
  RETURN_IF_ERROR(WritePending());
  // The operating system reports no error for writes to a file whose directory was removed, so the
  // number of links to the file has to be checked.
  struct stat about;
  if (fstat(descriptor_, &about) == 0 && about.st_nlink == 0)
    return data::FileError(ENOENT, "write", path_);
  if (fsync(descriptor_) != 0 && errno != EINVAL) return data::FileError(errno, "write", path_);
  return absl::OkStatus();
}

}  // namespace cotangent::training
