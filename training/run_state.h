// What a checkpoint holds of a run: the one place that knows the keys of its metadata and the names
// of its tensors.
//
// Tensors: parameters and running statistics under their own names, the optimizer's state as
// "optimizer/conv1.weight/momentum", moving averages of the parameters as "ema/conv1.weight".
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
  int64_t step = 0;   // steps made
  double epochs = 0;  // passes made over the training images, with batches of any size
  double train_seconds = 0;
  double epoch_loss = 0;  // sum over the steps of the epoch that count
  int64_t epoch_losses = 0;
  int64_t skipped = 0;
  double learning_rate = 0;  // of the last step
  // On the validation images: the best evaluation so far (its loss, or less its accuracy), the step
  // it came after, how many have not been better since, and the step of the latest. -1: none yet.
  double best = std::numeric_limits<double>::infinity();
  int64_t best_step = -1, stale = 0, validated_step = -1;

  // What the run is and where it was made.
  std::string network;  // its text
  uint64_t seed = 0;
  std::string dataset;               // its name
  std::vector<std::string> classes;  // their names
  std::string data_checksum;         // of the training images and their labels
  ElementType precision = ElementType::kF32;
  bool exact = false;
  int threads = 0;
  std::string build, onednn, processor;
  absl::flat_hash_map<std::string, std::string> choices;  // of the plan
  layers::Quantisation quantisation;                      // of a network for inference; empty: none
};

// Fills in what this machine and program are.
void DescribeMachine(RunState& state);

Metadata ToMetadata(const RunState& state);
// `path` names the checkpoint in errors: metadata without a step.
absl::StatusOr<RunState> ReadRunState(const Checkpoint& checkpoint, const std::string& path);

// What keeps a run resumed from `before` from computing the same bits as an undisturbed one: a line
// each.
std::vector<std::string> Differences(const RunState& before, const RunState& now);

// The tensors of a checkpoint of `step`; they refer to its memory.
std::vector<CheckpointTensor> TensorsOf(TrainingStep& step);

// Puts parameters, statistics and the optimizer's state back. Errors, InvalidArgument: tensors that
// are missing or of another shape, since the network or the optimizer is another.
absl::Status Restore(const Checkpoint& checkpoint, const std::string& path, TrainingStep& step);

// Fills parameters, moving averages where there are any, and statistics: what answers are given by.
absl::Status RestoreForInference(const Checkpoint& checkpoint, const std::string& path,
                                 layers::ParameterStore& store);

// Images of a data set as a checkpoint names them.
std::string ChecksumOf(const data::Dataset& dataset);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_STATE_H_
