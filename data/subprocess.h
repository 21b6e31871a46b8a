#ifndef COTANGENT_DATA_SUBPROCESS_H_
#define COTANGENT_DATA_SUBPROCESS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cotangent::data {

struct Command {
  std::vector<std::string> arguments;  // the program, searched in PATH, and its arguments
  std::string directory;               // the directory that the program runs in
  std::string log;                     // the file that the program's output is written to
  // Called ten times a second while the program runs. If it returns false, the program and its
  // child processes are ended.
  std::function<bool()> keep_running;
};

// Runs a program, without standard input, and waits for its end. Returns kNotFound if there is no
// such program, kCancelled if `keep_running` returned false, and kUnavailable with the last lines
// that it printed if it fails.
absl::Status Run(const Command& command);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SUBPROCESS_H_
