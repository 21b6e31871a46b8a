// Trains a network, described by a text file, in one process.

#include "distributed/communicator.h"
#include "tools/command_line.h"
#include "tools/train.h"

int main(int argc, char** argv) {
  using namespace cotangent;
  return tools::TrainProgram(tools::ParseCommandLine(argc, argv, tools::kTrainUsage),
                             distributed::OneProcess());
}
