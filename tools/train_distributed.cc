// Trains a network in several processes. If mpirun or srun started this program, it is one of the
// ranks (the processes that train together); otherwise it starts mpirun.

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "distributed/mpi_communicator.h"
#include "tools/command_line.h"
#include "tools/precision.h"
#include "tools/train.h"

ABSL_FLAG(
    int, ranks, 0,
    "how many processes to start on this machine; 0: one a NUMA node. Not under mpirun or srun, "
    "which say it themselves");

ABSL_FLAG(bool, describe_machine, false,
          "print processors, NUMA nodes and the command that starts the ranks, and do not train");
ABSL_FLAG(std::string, gradients, "f32",
          "what gradients are on their way between ranks: f32, or bf16 where the network is slow");

namespace cotangent::tools {
namespace {

constexpr int kMostRanks = 1024;
constexpr useconds_t kLookEvery = 20'000;  // microseconds

// Returns the processors of each NUMA node, in the system's notation: "0-7,16-23".
std::vector<std::string> NumaNodes() {
  std::vector<std::string> nodes;
  while (true) {
    std::ifstream file(absl::StrCat("/sys/devices/system/node/node", nodes.size(), "/cpulist"));
    std::string processors;
    if (!std::getline(file, processors)) break;
    nodes.push_back(processors);
  }
  return nodes;
}

// Returns the command that starts the ranks. Each rank gets an equal number of cores of its own, or
// all ranks share all cores, with one thread each, if there are fewer cores than ranks. If ranks
// have cores of their own, and divide evenly among two or more NUMA nodes, each rank stays on one
// node, and so does its memory, which the system places where it is first written.
std::vector<std::string> MpirunCommand(int argc, char** argv, int ranks) {
  std::vector<std::string> command = {"mpirun", "--oversubscribe", "-np", absl::StrCat(ranks)};
  if (geteuid() == 0) command.push_back("--allow-run-as-root");
  const int cores = UsefulThreads() / ranks;
  const int nodes = static_cast<int>(NumaNodes().size());
  const std::string place = nodes > 1 && ranks % nodes == 0
                                ? absl::StrCat("ppr:", ranks / nodes, ":numa")
                                : std::string("slot");
  if (cores >= 1) {
    for (const std::string& word : {std::string("--bind-to"), std::string("core"),
                                    std::string("--map-by"), absl::StrCat(place, ":PE=", cores)})
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
    } else if (!absl::StartsWith(argument, "--ranks=") && !absl::StartsWith(argument, "-ranks=") &&
               argument != "--describe_machine") {
      command.push_back(argument);
    }
  }
  return command;
}

void DescribeMachine(int ranks, const std::vector<std::string>& command) {
  const std::vector<std::string> nodes = NumaNodes();
  printf(
      "%zu NUMA node%s: processors %s\n%d cores for this process, %s\n%d rank%s of %d "
      "thread%s:\n%s\n",
      std::max<size_t>(nodes.size(), 1), nodes.size() > 1 ? "s" : "",
      nodes.empty() ? "unknown" : absl::StrJoin(nodes, "; ").c_str(), UsefulThreads(),
      std::string(Name(WidestInstructionSet())).c_str(), ranks, ranks > 1 ? "s" : "",
      std::max(1, UsefulThreads() / ranks), UsefulThreads() / ranks > 1 ? "s" : "",
      absl::StrJoin(command, " ").c_str());
}

// Starts mpirun, passes the first interruption on to all ranks, and waits for the end of mpirun.
// After SIGTERM mpirun would end the ranks within one second, which is too short to write a
// checkpoint. So mpirun is sent SIGUSR1 instead, which it passes on to the ranks. With
// --describe_machine, only prints what would be started.
int Launch(int argc, char** argv) {
  int ranks = absl::GetFlag(FLAGS_ranks);
  if (ranks < 0 || ranks > kMostRanks) {
    return Fail(FlagError("ranks", absl::StrCat(ranks),
                          absl::StrCat("1 to ", kMostRanks, ", or 0 for one a NUMA node")));
  }
  if (ranks == 0) ranks = std::max<int>(1, static_cast<int>(NumaNodes().size()));
  std::vector<std::string> command = MpirunCommand(argc, argv, ranks);
  if (absl::GetFlag(FLAGS_describe_machine)) {
    DescribeMachine(ranks, command);
    return kExitDone;
  }
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  CatchInterrupts();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);  // so that Ctrl-C only reaches this process
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
  const absl::StatusOr<ElementType> gradients =
      ParsePrecision("gradients", absl::GetFlag(FLAGS_gradients));
  if (absl::Status status = distributed::Agree(ranks, gradients.status()); !status.ok())
    return ranks.rank() == 0 ? Fail(status) : ExitCodeOf(status);
  return TrainProgram(line, ranks, *gradients);
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) { return cotangent::tools::Main(argc, argv); }
