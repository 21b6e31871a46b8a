// Loads a trained network from a checkpoint for inference.
#ifndef COTANGENT_TRAINING_TRAINED_NETWORK_H_
#define COTANGENT_TRAINING_TRAINED_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "layers/network/network.pb.h"
#include "layers/plan/parameters.h"
#include "layers/plan/quantisation.h"
#include "training/checkpoint.h"

namespace cotangent::training {

// Opens a checkpoint file or, if the path is a directory, its newest undamaged checkpoint. For a
// directory calls `say`, unless it is null, with a line that names newer checkpoints that are
// damaged, if there are any, and with one that names the checkpoint that was best on the validation
// images if the directory has it, since it is not the one opened. Returns NotFound or
// InvalidArgument if there is no good checkpoint, ResourceExhausted if memory does not suffice for
// the file.
absl::StatusOr<FoundCheckpoint> OpenCheckpoint(
    const std::string& file_or_directory,
    const std::function<void(const std::string& line)>& say = nullptr);

// A network with its trained parameters.
struct TrainedNetwork {
  layers::Network network;
  std::string dataset;  // the value of --dataset in the training run
  data::Normalisation normalisation;
  std::vector<std::string> classes;
  std::unique_ptr<layers::ParameterStore> store;
  // Scales of layers that compute with integers; empty if all layers compute with floating point
  // numbers.
  layers::Quantisation quantisation;
};

// Reads the network and its parameters from a checkpoint; moving averages of the parameters are
// preferred if there are any. `path` names the checkpoint in error messages. Returns
// InvalidArgument if, for example, the text in the checkpoint that describes the network cannot be
// parsed, or parameters are missing, have another shape or are not finite.
absl::StatusOr<TrainedNetwork> LoadTrained(const Checkpoint& checkpoint, const std::string& path);

// A checkpoint and the network in it.
struct OpenedNetwork {
  FoundCheckpoint found;
  TrainedNetwork network;
};
// OpenCheckpoint() and LoadTrained() in one.
absl::StatusOr<OpenedNetwork> OpenTrained(
    const std::string& file_or_directory,
    const std::function<void(const std::string& line)>& say = nullptr);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_TRAINED_NETWORK_H_
