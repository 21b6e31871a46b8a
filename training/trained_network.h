// Trained networks as checkpoints hold them.
#ifndef COTANGENT_TRAINING_TRAINED_NETWORK_H_
#define COTANGENT_TRAINING_TRAINED_NETWORK_H_

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

// The checkpoint of that path or, of a directory, the newest good one.
absl::StatusOr<FoundCheckpoint> OpenCheckpoint(const std::string& file_or_directory);

// A network as a checkpoint holds it, ready to answer.
struct TrainedNetwork {
  layers::Network network;
  std::string dataset;  // what --dataset said
  data::Normalization normalization;
  std::vector<std::string> classes;
  std::unique_ptr<layers::ParameterStore> store;
  // What `quantise` found; empty: all is computed with real numbers.
  layers::Quantisation quantisation;
};

// Takes network and parameters (moving averages where there are any) from a checkpoint; `path`
// names it in errors, which are InvalidArgument: a network text that cannot be read, parameters
// that are missing or of another shape.
absl::StatusOr<TrainedNetwork> LoadTrained(const Checkpoint& checkpoint, const std::string& path);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_TRAINED_NETWORK_H_
