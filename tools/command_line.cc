#include "tools/command_line.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/cpu.h"
#include "base/editor_text.h"
#include "base/parallel.h"
#include "layers/network/nearest_name.h"
#include "tools/standard_streams.h"

namespace cotangent::tools {
namespace {

constexpr int kMostThreads = 1024;

volatile sig_atomic_t interrupt_signal = 0;

void OnInterrupt(int signal_number) {
  if (interrupt_signal != 0) _exit(128 + signal_number);
  interrupt_signal = signal_number;
}

// Returns the program's own flags, without those that Abseil defines.
std::vector<std::pair<std::string, absl::CommandLineFlag*>> ProgramFlags() {
  std::vector<std::pair<std::string, absl::CommandLineFlag*>> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!absl::StrContains(flag->Filename(), "absl/")) flags.emplace_back(std::string(name), flag);
  }
  std::sort(flags.begin(), flags.end());
  return flags;
}

void PrintUsage(absl::string_view usage) {
  printf("%s\n", std::string(usage).c_str());
  for (const auto& [name, flag] : ProgramFlags()) {
    const std::string standard = flag->DefaultValue();
    printf(
        "  --%-18s %s%s\n", name.c_str(), flag->Help().c_str(),
        standard.empty() || standard == "false" ? "" : absl::StrCat(" [", standard, "]").c_str());
  }
}

// Describes the values that a flag accepts.
std::string Expectation(const absl::CommandLineFlag& flag) {
  if (flag.IsOfType<bool>()) return "true or false";
  if (flag.IsOfType<std::string>()) return "a text";
  if (flag.IsOfType<double>() || flag.IsOfType<float>()) return "a number";
  if (flag.IsOfType<uint64_t>() || flag.IsOfType<uint32_t>())
    return "a whole number that is not negative";
  return flag.IsOfType<int64_t>() ? "a whole number of at most 18 digits"
                                  : "a whole number of at most 9 digits";
}

[[noreturn]] void UsageError(const std::string& message) {
  const char* const program = program_invocation_short_name;
  Say(absl::StrCat(program, ": ", message, "\n  (", program, " --help lists the flags)"));
  exit(kExitUsage);
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv, absl::string_view usage) {
  GuardStandardStreams();
  // A file that grows beyond the limit of `ulimit -f` is an error of the write, which is reported,
  // and no signal that ends the program and leaves half a file.
  signal(SIGXFSZ, SIG_IGN);
  CommandLine line;
  const std::vector<std::pair<std::string, absl::CommandLineFlag*>> flags = ProgramFlags();
  const auto find = [&](absl::string_view name) -> absl::CommandLineFlag* {
    for (const auto& [known, flag] : flags) {
      if (known == name) return flag;
    }
    return nullptr;
  };
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (argument == "--") {
      line.arguments.insert(line.arguments.end(), argv + i + 1, argv + argc);
      break;
    }
    if (argument == "--help" || argument == "-h" || argument == "-help") {
      PrintUsage(usage);
      exit(kExitDone);
    }
    if (argument == "--version") PrintVersion();
    if (argument.size() < 2 || argument[0] != '-') {
      line.arguments.emplace_back(argument);
      continue;
    }
    if (!absl::ConsumePrefix(&argument, "--")) argument.remove_prefix(1);
    const size_t equals = argument.find('=');
    const std::string name(argument.substr(0, equals));
    absl::CommandLineFlag* flag = find(name);
    std::string value;
    if (equals != absl::string_view::npos) {
      value = std::string(argument.substr(equals + 1));
    } else if (flag != nullptr && flag->IsOfType<bool>()) {
      value = "true";
    } else if (flag == nullptr && absl::StartsWith(name, "no") && find(name.substr(2)) != nullptr &&
               find(name.substr(2))->IsOfType<bool>()) {
      flag = find(name.substr(2));
      value = "false";
    } else if (flag != nullptr) {
      if (i + 1 == argc) UsageError(absl::StrCat("--", name, " needs a value: --", name, "=..."));
      value = argv[++i];
    }
    if (flag == nullptr) {
      std::vector<std::string> names;
      for (const auto& entry : flags) names.push_back(entry.first);
      UsageError(absl::StrCat("there is no flag --", name, "; ", layers::Suggestion(name, names)));
    }
    std::string error;
    if (!flag->ParseFrom(value, &error)) {
      UsageError(absl::StrCat("--", name, "=", value, ": expected ", Expectation(*flag), " (",
                              flag->Help(), ")"));
    }
    line.given[std::string(flag->Name())].push_back(value);
  }
  if (const std::string isa = UnknownInstructionSet(); !isa.empty()) {
    UsageError(absl::StrCat("the environment variable COTANGENT_ISA is '", isa, "'; expected ",
                            InstructionSetNames(), ", or none"));
  }
  // Paths are relative to the user's directory, but `bazel run` starts programs in another.
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0)
    UsageError(absl::StrCat("cannot go to the directory ", directory));
  return line;
}

void PrintVersion() {
  absl::string_view program = program_invocation_short_name;
  absl::ConsumePrefix(&program, "cotangent-");
  printf("cotangent-%s %s\n", std::string(program).c_str(), COTANGENT_VERSION);
  exit(kExitDone);
}

int RunProgram(int argc, char** argv, absl::string_view usage, absl::string_view program,
               absl::Status (*run)(const CommandLine& line)) {
  const CommandLine line = ParseCommandLine(argc, argv, usage);
  absl::Status status = TakesFlagsOnly(line, program);
  if (status.ok()) status = run(line);
  return status.ok() ? kExitDone : Fail(status);
}

absl::Status TakesFlagsOnly(const CommandLine& line, absl::string_view program) {
  if (line.arguments.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("what is ", line.arguments[0], "? ", program,
                                                 " takes flags only; ", program,
                                                 " --help lists them"));
}

absl::Status FlagError(absl::string_view flag, absl::string_view found,
                       absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", found, ": expected ", expected));
}

absl::Status CheckChoice(absl::string_view flag, absl::string_view value,
                         absl::Span<const absl::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return absl::OkStatus();
  const size_t last = choices.size() - 1;
  return FlagError(flag, value,
                   absl::StrCat(absl::StrJoin(choices.first(last), ", "), " or ", choices[last]));
}

absl::Status CanBeWritten(absl::string_view flag, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat found;
  const bool exists = stat(path.c_str(), &found) == 0;
  const bool is_directory = exists && S_ISDIR(found.st_mode);
  // Programs write to devices and pipes themselves, but replace a regular file by a new one, for
  // which the directory must be writable.
  const bool is_replaced = !exists || S_ISREG(found.st_mode);
  if (!is_directory && access(is_replaced ? directory.c_str() : path.c_str(), W_OK) == 0)
    return absl::OkStatus();
  return FlagError(flag, path,
                   is_directory ? "a file, and this is a directory"
                                : absl::StrCat("a file in a directory that is there and may be "
                                               "written to; make ",
                                               directory, " or choose another"));
}

absl::Status CheckKeeps(absl::string_view flag, const std::string& path,
                        absl::Span<const NamedFile> others) {
  namespace fs = std::filesystem;
  std::error_code error;  // such as that one of the files is not there
  if (path.empty() || (fs::exists(path, error) && !fs::is_regular_file(path, error)))
    return absl::OkStatus();
  for (const NamedFile& other : others) {
    if (other.path.empty()) continue;
    if (fs::equivalent(path, other.path, error) ||
        fs::absolute(path, error).lexically_normal() ==
            fs::absolute(other.path, error).lexically_normal()) {
      return FlagError(flag, path,
                       absl::StrCat("another file than ", other.what, ", which would be lost"));
    }
  }
  return absl::OkStatus();
}

int ExitCodeOf(const absl::Status& status) {
  const bool input =
      absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsOutOfRange(status);
  return input ? kExitUsage : kExitFailed;
}

void Say(const std::string& line) { fprintf(stderr, "%s\n", Printable(line).c_str()); }

int Fail(const absl::Status& status) {
  Say(absl::StrCat(program_invocation_short_name, ": ", status.message()));
  return ExitCodeOf(status);
}

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART;
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction before;
    if (sigaction(signal_number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(signal_number, &action, nullptr);
  }
  signal(SIGPIPE, SIG_IGN);
}

int InterruptSignal() { return interrupt_signal; }

int InterruptExitCode() {
  const bool is_own = interrupt_signal == SIGINT || interrupt_signal == SIGHUP;
  return 128 + (is_own ? static_cast<int>(interrupt_signal) : SIGTERM);
}

absl::Status UseThreads(int requested, int* used) {
  if (requested < 0 || requested > kMostThreads) {
    return FlagError("threads", absl::StrCat(requested),
                     absl::StrCat("a number from 1 to ", kMostThreads, ", or 0 for one a core"));
  }
  *used = requested == 0 ? UsefulThreads() : requested;
  SetThreads(*used);
  return absl::OkStatus();
}

}  // namespace cotangent::tools
