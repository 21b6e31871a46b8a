#include "data/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "data/file.h"

extern char** environ;

namespace cotangent::data {
namespace {

constexpr useconds_t kPollMicroseconds = 100'000;
constexpr int kPollsBeforeKill = 20;  // SIGTERM is sent so many times, then SIGKILL

absl::StatusOr<pid_t> Spawn(const Command& command) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  auto destroyer = absl::MakeCleanup([&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  });
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, command.log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  // The program gets its own process group. An interrupt from the terminal then reaches only the
  // caller, which ends the whole group and cleans up.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t process;
  const int error =
      posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  if (error == ENOENT) {
    return absl::NotFoundError(absl::StrCat("there is no program ", command.arguments[0],
                                            "; install it: sudo apt-get install ",
                                            command.arguments[0]));
  }
  if (error != 0) return FileError(error, "run", command.arguments[0]);
  return process;
}

// Returns the last three lines, without empty ones, that a program printed to the file `log`.
std::string LastLines(const std::string& log) {
  constexpr size_t kLines = 3;
  const std::string text = ReadFile(log).value_or("");
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
  return absl::StrJoin(lines, "; ");
}

}  // namespace

absl::Status Run(const Command& command) {
  ASSIGN_OR_RETURN(const pid_t process, Spawn(command));
  int exit_status = 0;
  int polls_since_end = 0;
  bool ended = false;
  while (true) {
    const pid_t waited = waitpid(process, &exit_status, WNOHANG);
    if (waited == process) break;
    if (waited < 0 && errno != EINTR) return FileError(errno, "wait for", command.arguments[0]);
    if (!ended && !command.keep_running()) ended = true;
    if (ended) {
      kill(-process, polls_since_end < kPollsBeforeKill ? SIGTERM : SIGKILL);
      ++polls_since_end;
    }
    usleep(kPollMicroseconds);
  }
  if (ended) {
    kill(-process, SIGKILL);  // processes that the program may have left behind
    return absl::CancelledError("interrupted");
  }
  if (WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0) return absl::OkStatus();
  const std::string lines = LastLines(command.log);
  const std::string how = WIFEXITED(exit_status)
                              ? absl::StrCat("exit code ", WEXITSTATUS(exit_status))
                              : absl::StrCat("signal ", WTERMSIG(exit_status));
  return absl::UnavailableError(
      absl::StrCat(command.arguments[0], " failed (", how, ")", lines.empty() ? "" : ": ", lines));
}

}  // namespace cotangent::data
