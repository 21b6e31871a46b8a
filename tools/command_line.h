// Functions that the programs of this directory share: they read flags, check paths, determine the
// exit code and handle interruptions.
#ifndef COTANGENT_TOOLS_COMMAND_LINE_H_
#define COTANGENT_TOOLS_COMMAND_LINE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::tools {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;  // the program failed while it ran
inline constexpr int kExitUsage = 2;   // the command line or an input file is wrong

// The command line, as ParseCommandLine() has read it.
struct CommandLine {
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>> given;  // for each flag, its values in order

  bool WasGiven(const std::string& flag) const { return given.count(flag) > 0; }
  // Returns all values of a flag that may be repeated.
  std::vector<std::string> Values(const std::string& flag) const {
    const auto found = given.find(flag);
    return found == given.end() ? std::vector<std::string>() : found->second;
  }
};
// Reads the command line into the program's absl flags, and returns the arguments that are no
// flags, in order. Understands --flag=value, --flag value, --bool_flag (true), --nobool_flag
// (false), each also with a single dash, and `--`, after which nothing is a flag. If a flag is
// repeated, its last value counts; CommandLine::Values() returns all. With --help, -h or --version,
// prints the usage or the version and exits with 0; the usage is the text `usage` and a list of the
// flags. If a flag is unknown, its value is wrong or missing, or the environment variable
// COTANGENT_ISA is wrong, prints the reason and exits with kExitUsage. If `bazel run` started the
// program, changes to the directory in which the user called it. Also guards the standard streams
// (standard_streams.h) and ignores SIGXFSZ, so main() should call this first.
CommandLine ParseCommandLine(int argc, char** argv, absl::string_view usage);

// Prints the name under which the program is installed and the version, such as "cotangent-predict
// 1.0", and exits with 0.
[[noreturn]] void PrintVersion();

// Returns an error if the command line of `program` has arguments that are no flags.
absl::Status TakesFlagsOnly(const CommandLine& line, absl::string_view program);

// Does the work of main() for a program that takes flags only: parses the command line, calls
// `run`, and returns the exit code. `program` is the program's name.
int RunProgram(int argc, char** argv, absl::string_view usage, absl::string_view program,
               absl::Status (*run)(const CommandLine& line));

// Returns the usage error "--FLAG=FOUND: expected EXPECTED".
absl::Status FlagError(absl::string_view flag, absl::string_view found, absl::string_view expected);

// Returns a usage error unless `value`, the value of --FLAG, is one of two or more `choices`.
absl::Status CheckChoice(absl::string_view flag, absl::string_view value,
                         absl::Span<const absl::string_view> choices);

// Checks, before the work begins, that the work's result can be written to the file named by
// --FLAG=PATH. Returns an error if PATH is a directory, a device or pipe that may not be written
// to, or a file in a directory that does not exist or may not be written to. An empty path is no
// error.
absl::Status CanBeWritten(absl::string_view flag, const std::string& path);

// A file that a program reads or writes, and what it is called in messages: "the checkpoint".
struct NamedFile {
  absl::string_view what;
  std::string path;
};
// Returns an error if --FLAG=PATH names one of `others`, which the program's result would replace.
// Empty paths, and devices and pipes, which are not replaced, are no error.
absl::Status CheckKeeps(absl::string_view flag, const std::string& path,
                        absl::Span<const NamedFile> others);

// Returns the exit code for an error: kExitUsage if the command line or an input file is wrong
// (InvalidArgument, NotFound, OutOfRange), and kExitFailed otherwise.
int ExitCodeOf(const absl::Status& status);

// Prints a line on standard error. Control characters, which names of files may hold, are replaced
// (Printable() in base/editor_text.h).
void Say(const std::string& line);

// Says "program: message", and returns ExitCodeOf(status).
int Fail(const absl::Status& status);

// After this call, the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 is only recorded, so that the
// program can end in good order; a second one ends the process at once. (mpirun passes SIGUSR1 on
// to all ranks, the processes that train together, and Slurm can send it.) A signal that was
// ignored when the program started, as under nohup or in a script's background job, stays ignored.
// SIGPIPE is ignored, too, so that the program goes on if whoever reads its output ends (`train
// 2>&1 | tee log`, where Ctrl-C also ends tee). What is written after that is lost, which
// standard_streams.h notices for standard output.
void CatchInterrupts();
// Returns the number of the signal that came, or 0 if none did.
int InterruptSignal();
// Returns the exit code after an interruption: 130 for Ctrl-C, 129 for SIGHUP, and 143 otherwise,
// for example if only another rank received a signal.
int InterruptExitCode();

// Makes the program compute with `requested` threads or, if `requested` is 0, with UsefulThreads()
// (base/parallel.h: about one for each physical core), and stores the number in *used. Returns a
// usage error if `requested` is below 0 or above 1024.
absl::Status UseThreads(int requested, int* used);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_COMMAND_LINE_H_
