// The directory a training run writes to: one run at a time, and a log that stays readable whatever
// happens.
#ifndef COTANGENT_TRAINING_RUN_DIRECTORY_H_
#define COTANGENT_TRAINING_RUN_DIRECTORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

// Holds a directory for this process as long as the object lives. The lock is the kernel's (flock
// on the file `lock`), so it ends with its process however that ends; the file's text names the
// holder for whoever finds the door shut.
class DirectoryLock {
 public:
  // Makes the directory where it is missing. FailedPrecondition where another process holds it,
  // naming that process. A lock file whose process is gone is taken over, which `report` is told.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Acquire(
      const std::string& directory, const std::function<void(const std::string&)>& report);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock(std::string path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  const std::string path_;
  const int descriptor_;
};

// The directory of a run that was given none: "runs/NAME" for the network NAME of the zoo and for
// the text "DIRECTORY/NAME.textproto" (or .pbtxt, .prototxt, .txt). NAME may have dots of its own.
std::string DefaultRunDirectory(absl::string_view network);

// Puts what an earlier run has left in the directory (checkpoints, metrics.jsonl,
// network.textproto) into a new directory "earlier-N" inside it, and removes temporary files of
// runs that were killed. Returns the name, empty if there was nothing.
absl::StatusOr<std::string> SetEarlierRunAside(const std::string& directory);
void RemoveTemporaryFiles(const std::string& directory);

// A file of one JSON object a line. A line is in it whole or not at all: what a full disk refuses
// is kept and tried again with the next line.
class MetricsLog {
 public:
  // Goes on after the lines whose "step" is at most `last_step`; others, and a torn last line, are
  // dropped.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          int64_t last_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // `line` without its end. An error means that lines are waiting to be written.
  absl::Status Append(absl::string_view line);
  // Tries to write the lines that are waiting, and to bring all to the disk.
  absl::Status Flush();

 private:
  MetricsLog(std::string path, int descriptor, int64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  absl::Status WritePending();

  const std::string path_;
  const int descriptor_;
  int64_t size_;  // of the whole lines in the file
  std::string pending_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_DIRECTORY_H_
