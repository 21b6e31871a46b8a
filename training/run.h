// A training run from its first step, or from a checkpoint, to its last.
#ifndef COTANGENT_TRAINING_RUN_H_
#define COTANGENT_TRAINING_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "layers/network/network.pb.h"
#include "layers/plan/tuner.h"
#include "optim/run_length.h"
#include "tensor/element_type.h"
#include "training/checkpoint.h"

namespace cotangent::training {

// What becomes of a step whose loss or gradient is infinite or not a number.
enum class OnNonFinite {
  kStop,  // the run ends with an error that names step and layer; the last checkpoint stays
  kSkip,  // the step changes nothing and is counted
};

struct TrainerOptions {
  layers::Network network;  // complete: recipe included
  data::DatasetName dataset = data::DatasetName::kCifar10;
  std::string data_dir;
  std::string output_dir;
  int threads = 1;
  bool exact = false;
  int64_t max_steps =
      0;  // of the whole run, as if it were interrupted then; 0: all the recipe asks for
  int64_t checkpoint_every =
      0;                   // steps; 0: after each epoch. One is written at the end in any case.
  int keep = 2;            // checkpoints
  int64_t log_every = 50;  // steps between lines in metrics.jsonl
  OnNonFinite on_nonfinite = OnNonFinite::kStop;
  std::string profile_path;  // a trace of a few steps, if not empty
  std::optional<FoundCheckpoint> resume_from;
};

struct TrainingResult {
  bool interrupted = false;  // a checkpoint was written, nothing evaluated
  double test_accuracy = 0, test_loss = 0, tta_accuracy = 0;
  double epochs = 0;         // made, those before the resumption included
  double train_seconds = 0;  // in training steps
};

// Trains. `interrupted` is asked after every step. Errors: InvalidArgument and NotFound for what is
// wrong in the network text, its recipe, the data or the checkpoint to be resumed from; Cancelled
// where the tuner was cancelled before the first step; others for what failed on the way. The
// output directory must be locked.
//
// A run resumed from any of its checkpoints ends with the same bits as one that was not
// interrupted, given as many threads on the same processor: batches and dropout masks are functions
// of seed and step, and the checkpoint holds the optimizer's state and the plan's choices.
absl::StatusOr<TrainingResult> Train(const TrainerOptions& options, layers::Tuner* tuner,
                                     const std::function<void()>& plan_is_ready,
                                     const std::function<bool()>& interrupted);

// The number of images and of classes of a data set, known without reading it.
int64_t TrainingImages(data::DatasetName dataset);
int64_t Classes(data::DatasetName dataset);

// How many steps the recipe asks for with so many training images. Errors: batches larger than
// that, no epochs.
absl::StatusOr<optim::RunLength> RunLengthOf(const layers::Network& network, int64_t images);

// The element type a network's recipe asks for; f32, which standard error is told, where the
// processor has no bf16.
tensor::ElementType PrecisionOf(const layers::Network& network);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_H_
