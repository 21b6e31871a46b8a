// Trains a network by several processes: a rank where mpirun or srun starts it, else it starts mpirun.

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "distributed/mpi_communicator.h"
#include "tools/command_line.h"
#include "tools/train.h"

ABSL_FLAG(
    int, ranks, 0,
    "how many processes to start on this machine; 0: one a NUMA node. Not under mpirun or srun, "
    "which say it themselves");

namespace cotangent::tools {
namespace {

constexpr int kMostRanks = 1024;
constexpr useconds_t kLookEvery = 20'000;  // microseconds

int NumaNodes() {
  int nodes = 0;
  while (access(absl::StrCat("/sys/devices/system/node/node", nodes).c_str(), F_OK) == 0) ++nodes;
  return std::max(nodes, 1);
}

// The command that starts the ranks: each gets cores of its own, as many as there are for it, or
// shares all where they are too few.
std::vector<std::string> MpirunCommand(int argc, char** argv, int ranks) {
  std::vector<std::string> command = {"mpirun", "--oversubscribe", "-np", absl::StrCat(ranks)};
  if (geteuid() == 0) command.push_back("--allow-run-as-root");
  const int cores = UsefulThreads() / ranks;
  if (cores >= 1) {
    for (const std::string& word : {std::string("--bind-to"), std::string("core"),
                                    std::string("--map-by"), absl::StrCat("slot:PE=", cores)})
      command.push_back(word);
  } else {
    command.insert(command.end(), {"--bind-to", "none", "-x", "OMP_WAIT_POLICY=passive"});
  }
  char program[PATH_MAX] = {};
  if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0) program[0] = '\0';
  command.push_back(program);
  if (cores < 1) command.push_back("--threads=1");
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--ranks" || argument == "-ranks") {
      ++i;
    } else if (!absl::StartsWith(argument, "--ranks=") && !absl::StartsWith(argument, "-ranks=")) {
      command.push_back(argument);
    }
  }
  return command;
}

// Starts mpirun, passes interruptions on to all ranks and waits for its end. mpirun itself would
// give ranks one second from SIGTERM to the end, too short for a checkpoint, so it gets SIGUSR1,
// which it hands to the ranks.
int Launch(int argc, char** argv) {
  int ranks = absl::GetFlag(FLAGS_ranks);
  if (ranks < 0 || ranks > kMostRanks) {
    return Fail(FlagError("ranks", absl::StrCat(ranks),
                          absl::StrCat("1 to ", kMostRanks, ", or 0 for one a NUMA node")));
  }
  if (ranks == 0) ranks = NumaNodes();
  std::vector<std::string> command = MpirunCommand(argc, argv, ranks);
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  CatchInterrupts();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);  // Ctrl-C comes through this process alone
    execvp(words[0], words.data());
    fprintf(stderr, "train_distributed: mpirun was not found: install Debian's openmpi-bin\n");
    _exit(kExitUsage);
  }
  if (child < 0) return Fail(absl::UnavailableError("no process could be started for mpirun"));
  int status = 0;
  bool passed_on = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (InterruptSignal() != 0 && !passed_on) kill(child, SIGUSR1), passed_on = true;
    usleep(kLookEvery);
  }
  if (passed_on) return InterruptExitCode();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Main(int argc, char** argv) {
  if (!distributed::IsStartedAsRank()) {
    ParseCommandLine(argc, argv, kTrainUsage);
    return Launch(argc, argv);
  }
  const CommandLine line = ParseCommandLine(argc, argv, kTrainUsage);
  distributed::MpiCommunicator ranks;
  if (absl::Status status = ranks.Check(); !status.ok())
    return distributed::RankOfStarter() == 0 ? Fail(status) : ExitCodeOf(status);
  const int asked = absl::GetFlag(FLAGS_ranks);
  if (asked != 0 && asked != ranks.ranks()) {
    const absl::Status status =
        FlagError("ranks", absl::StrCat(asked),
                  absl::StrCat("none here, where mpirun or srun has started ", ranks.ranks()));
    return ranks.rank() == 0 ? Fail(status) : ExitCodeOf(status);
  }
  return TrainProgram(line, ranks);
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) { return cotangent::tools::Main(argc, argv); }
