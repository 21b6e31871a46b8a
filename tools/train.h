// Training from the command line, by one process, or as one rank: one of several processes that
// train together.
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

// Trains as the flags say, and returns the exit code. Only rank 0 writes the files of the run and
// prints, except that a rank which fails alone reports its own error, and that any rank downloads a
// data set that is missing on its machine. Ranks send each other gradients in the format
// `sent_gradients`.
int TrainProgram(const CommandLine& line, distributed::Communicator& ranks,
                 ElementType sent_gradients = ElementType::kF32);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TRAIN_H_
