// What all programs share: flags, places, exit codes, interruption.
#ifndef COTANGENT_TOOLS_COMMAND_LINE_H_
#define COTANGENT_TOOLS_COMMAND_LINE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cotangent::tools {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;         // while running
inline constexpr int kExitUsage = 2;          // the command line or an input file is wrong
inline constexpr int kExitInterrupted = 130;  // 128 + the signal's number

// Reads the command line into the program's absl flags and returns what are no flags, in order.
// Understands --flag=value,
// --flag value, --bool_flag, --nobool_flag, and `--`, after which nothing is a flag. Of repeated
// flags the last one counts; Values() has all. Prints the usage, or the version, and exits with 0 when
// --help or --version is given; with kExitUsage and the reason, when a flag is unknown or its value is wrong. Goes to the
// directory the user stands in where `bazel run` started the program.
struct CommandLine {
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>> given;  // by flag, its values in order

  bool WasGiven(const std::string& flag) const { return given.count(flag) > 0; }
  // All values of a flag that may be repeated.
  std::vector<std::string> Values(const std::string& flag) const {
    const auto found = given.find(flag);
    return found == given.end() ? std::vector<std::string>() : found->second;
  }
};
// Guards the standard streams (standard_streams.h), so it belongs to the beginning of main().
CommandLine ParseCommandLine(int argc, char** argv, absl::string_view usage);

// Prints "cotangent-predict 1.0" (what the program is installed as) and exits with 0.
[[noreturn]] void PrintVersion();

// An error where the command line of `program` has anything but flags.
absl::Status TakesFlagsOnly(const CommandLine& line, absl::string_view program);

// "--FLAG=FOUND: expected EXPECTED".
absl::Status FlagError(absl::string_view flag, absl::string_view found, absl::string_view expected);

// An error, before the work begins, where the file that --FLAG=PATH names could not be written
// after it: its directory is not there, or may not be written to. An empty path is well.
absl::Status CanBeWritten(absl::string_view flag, const std::string& path);

// kExitUsage for what is wrong with the command line or an input file (InvalidArgument, NotFound,
// OutOfRange), else kExitFailed.
int ExitCodeOf(const absl::Status& status);

// "program: message" on standard error; returns ExitCodeOf(status).
int Fail(const absl::Status& status);

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 (which mpirun passes on to all ranks, and
// Slurm sends where it is asked to) is noted, and the second ends the process at
// once. A signal that was ignored when the program started, as under nohup or in a script's
// background job, stays ignored.
void CatchInterrupts();
// The number of the signal that came, or 0.
int InterruptSignal();
// The exit code after an interruption: 130 for Ctrl-C, 129 for SIGHUP, else 143, also where the
// signal came to another rank.
int InterruptExitCode();

// As many threads as `requested`, or one for each physical core where that is 0; a usage error
// below 0 or above 1024.
absl::Status UseThreads(int requested, int* used);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_COMMAND_LINE_H_
