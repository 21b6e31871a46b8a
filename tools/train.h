// Training from the command line, by one process or by one of several ranks.
#ifndef COTANGENT_TOOLS_TRAIN_H_
#define COTANGENT_TOOLS_TRAIN_H_

#include "base/element_type.h"
#include "distributed/communicator.h"
#include "tools/command_line.h"

namespace cotangent::tools {

inline constexpr char kTrainUsage[] =
    "Trains a convolutional network, described by a text file, on images of yours or of CIFAR or "
    "MNIST.\n"
    "\n"
    "  train [--network=convnet] [--dataset=cifar10] [--output_dir=DIR] [--set train.epochs=20] "
    "...\n";

// Trains as the flags say; returns the exit code. Rank 0 alone writes and speaks, but where another
// rank fails on its own.
// Ranks send each other their gradients in the given format.
int TrainProgram(const CommandLine& line, distributed::Communicator& ranks,
                 ElementType sent_gradients = ElementType::kF32);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TRAIN_H_
