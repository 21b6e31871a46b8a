#ifndef COTANGENT_DATA_SUBPROCESS_H_
#define COTANGENT_DATA_SUBPROCESS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cotangent::data {

struct Command {
  std::vector<std::string> arguments;  // The program, looked for in PATH, and its arguments.
  std::string directory;               // Where it runs.
  std::string log;                     // The file that takes what it prints.
  // Called ten times a second while it runs; returning false ends it and what it has started.
  std::function<bool()> keep_running;
};

// Runs a program to its end, without standard input. kNotFound where there is no such program,
// kCancelled where `keep_running` said so, kUnavailable (with the last lines it printed) where it
// ends with an error.
absl::Status Run(const Command& command);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SUBPROCESS_H_
