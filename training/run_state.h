// Stores a training run's progress in a checkpoint and reads it back. The keys of a checkpoint's
// metadata and the names of its tensors are defined here.
//
// Parameters and running statistics (means and variances of normalisation layers) are stored as
// tensors under their own names, the optimizer's state as "optimizer/conv1.weight/momentum", and
// moving averages of the parameters as "ema/conv1.weight".
#ifndef COTANGENT_TRAINING_RUN_STATE_H_
#define COTANGENT_TRAINING_RUN_STATE_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "layers/plan/parameters.h"
#include "layers/plan/quantisation.h"
#include "optim/run_length.h"
#include "training/checkpoint.h"
#include "training/step.h"

namespace cotangent::training {

struct RunState {
  int64_t step = 0;   // steps made since the run's beginning
  double epochs = 0;  // passes made over the training images; batch sizes may have varied
  double train_seconds = 0;
  double epoch_loss = 0;     // sum of the epoch's finite losses so far, one for each step
  int64_t epoch_losses = 0;  // how many losses epoch_loss is the sum of
  int64_t skipped = 0;       // steps that changed nothing, since loss or gradient was not finite
  double learning_rate = 0;  // that of the last step
  // Evaluations on the validation images: the best value so far (the loss or, if
  // train.evaluation.best of the network text says ACCURACY, minus the score, so that less is
  // better), the step after which it was found, how many evaluations since then were not better
  // (`stale`), and the step of the latest evaluation. Steps are -1 before the first evaluation.
  double best = std::numeric_limits<double>::infinity();
  int64_t best_step = -1, stale = 0, validated_step = -1;

  // The configuration of the run, and the computer and program that made it.
  std::string network;  // the network text: it describes the network and its training
  uint64_t seed = 0;
  std::string dataset;               // the name of the data set
  std::vector<std::string> classes;  // the names of the classes
  std::string data_checksum;         // of the training images and their targets, see ChecksumOf()
  ElementType precision = ElementType::kF32;
  bool exact = false;
  int threads = 0;
  std::string build, onednn, processor;
  absl::flat_hash_map<std::string, std::string> choices;  // algorithms chosen, by operation
  layers::Quantisation quantisation;                      // scales; empty: not quantised
};

// Fills in `build`, `onednn` and `processor` for this program and machine.
void DescribeMachine(RunState& state);

Metadata ToMetadata(const RunState& state);
// Reads the run's state from a checkpoint's metadata. `path` names the checkpoint in error
// messages. Returns InvalidArgument if the metadata have no step, or if a number, the classes or
// the quantisation in them cannot be read.
absl::StatusOr<RunState> ReadRunState(const Checkpoint& checkpoint, const std::string& path);

// Compares the configuration of a checkpoint with that of the run resumed from it. Returns one line
// of text for each difference that can change the bits of the results.
std::vector<std::string> Differences(const RunState& before, const RunState& now);

// Returns the tensors that a checkpoint of `step` holds. They point into the memory of `step`.
std::vector<CheckpointTensor> TensorsOf(TrainingStep& step);

// Copies parameters, statistics and the optimizer's state from a checkpoint into `step`. Returns
// InvalidArgument if tensors are missing or have another shape (for the optimizer's state: another
// size), which means that the network or the optimizer is another one, or if a parameter or
// statistic is not finite.
absl::Status Restore(const Checkpoint& checkpoint, const std::string& path, TrainingStep& step);

// Fills `store` with what inference uses: statistics and parameters, or for each parameter its
// moving average if the checkpoint has one. Returns the same errors as Restore().
absl::Status RestoreForInference(const Checkpoint& checkpoint, const std::string& path,
                                 layers::ParameterStore& store);

// Returns a checksum of a data set's images and targets, as checkpoints store it.
std::string ChecksumOf(const data::Dataset& dataset);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_STATE_H_
