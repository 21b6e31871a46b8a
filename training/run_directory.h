// The directory that a training run writes to. A lock admits one run at a time, and the log of
// metrics stays readable if the process is killed or the disk is full.
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

// Locks a directory for this process as long as the object lives. The operating system holds the
// lock (flock on the file `lock`), so the lock is released when the process ends, in whatever way.
// The file contains a line that names the process, for the error message that a second process
// gets.
class DirectoryLock {
 public:
  // Creates the directory if it is missing. Returns FailedPrecondition, with the name of the
  // holder, if another process holds the lock, and InvalidArgument if the directory or the lock
  // file cannot be written. If the lock file was left behind by a process that is gone, the lock is
  // taken over and `report` is called with a message.
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

// Returns the directory of a run for which the user names none: "runs/NAME" for the network NAME of
// the zoo (the networks that are part of the program), and also for the file
// "DIRECTORY/NAME.textproto" (or .pbtxt, .prototxt, .txt). NAME may contain dots.
std::string DefaultRunDirectory(absl::string_view network);

// Moves the files of an earlier run in the directory (checkpoints, metrics.jsonl,
// network.textproto, report.html, event files) into a new directory "earlier-N" inside it. Returns
// the path of the new directory, or "" if there were no such files.
absl::StatusOr<std::string> SetEarlierRunAside(const std::string& directory);
// Returns the path of the last directory that SetEarlierRunAside() has made there, or "".
std::string LastSetAside(const std::string& directory);
// Removes the temporary files that killed runs have left in the directory.
void RemoveTemporaryFiles(const std::string& directory);

// A file with one JSON object per line. Each line is in the file completely or not at all: lines
// that cannot be written, on a full disk for example, are kept in memory and written with the next
// line.
class MetricsLog {
 public:
  // Opens a log, or creates it. Lines that are already there are kept if their "step" is at most
  // `last_step`; other lines, and a last line that is cut short, are removed.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          int64_t last_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Returns the largest step of a line about an evaluation that Open() kept, or -1.
  int64_t evaluated_step() const { return evaluated_step_; }

  // Appends a line; `line` has no line break. After an error the line waits in memory, to be
  // written by the next Append() or Flush().
  absl::Status Append(absl::string_view line);
  // Writes the waiting lines and flushes the file to the disk.
  absl::Status Flush();

 private:
  MetricsLog(std::string path, int descriptor, int64_t size, int64_t evaluated_step)
      : path_(std::move(path)),
        descriptor_(descriptor),
        evaluated_step_(evaluated_step),
        size_(size) {}
  absl::Status WritePending();

  const std::string path_;
  const int descriptor_;
  const int64_t evaluated_step_;
  int64_t size_;  // bytes of the complete lines in the file
  std::string pending_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_DIRECTORY_H_
