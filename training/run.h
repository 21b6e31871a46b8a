// A training run from its first step, or from a checkpoint, to its last: data, steps, evaluation,
// checkpoints and a log of metrics in a directory. For a loop of one's own, see step.h.
//
//   RunOptions options;
//   options.data = DataInMemory("mine", train, test);
//   options.network = *Resolve(*layers::ParseNetwork(text), options.data.shape);
//   options.output_dir = "runs/mine";
//   layers::Tuner tuner(options.threads);
//   RunObserver silent;
//   absl::StatusOr<RunResult> result = Train(options, &tuner, silent);
#ifndef COTANGENT_TRAINING_RUN_H_
#define COTANGENT_TRAINING_RUN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "distributed/communicator.h"
#include "layers/network/network.pb.h"
#include "layers/plan/tuner.h"
#include "training/checkpoint.h"
#include "training/recipe.h"
#include "training/step.h"
#include "training/targets.h"
#include "training/weights/initial_weights.h"

namespace cotangent::training {

// What becomes of a step whose loss or gradient is infinite or not a number.
enum class OnNonFinite {
  kStop,  // the run ends with an error that names step and layer; the last checkpoint stays
  kSkip,  // the step changes nothing and is counted; a run of which all are skipped has failed
};

struct RunOptions {
  ResolvedNetwork network;
  RunData data;
  std::string output_dir;
  int threads = 1;
  // Threads that make batches ahead; 0: as many as `threads` where images are read when they are
  // needed, or go through transforms, else one. Results do not depend on it.
  int workers = 0;
  bool exact = false;            // no Winograd convolutions
  int64_t max_steps = 0;         // of the whole run, as if it were interrupted then; 0: all
  int64_t checkpoint_every = 0;  // steps; 0: after each epoch. One is written at the end anyway.
  int keep = 2;                  // checkpoints
  int64_t log_every = 50;        // steps between lines in metrics.jsonl
  OnNonFinite on_nonfinite = OnNonFinite::kStop;
  std::string profile_path;  // a trace of a few steps, if not empty
  std::optional<FoundCheckpoint> resume_from;
  // What parameters and statistics are instead of their initial values, where nothing is resumed.
  std::optional<InitialWeights> init_from;
  // The processes that train together: each calls Train() with the same options, and takes its
  // share of every batch. Rank 0 alone writes, logs and evaluates; the others' observers are only
  // asked whether they are interrupted, which ends the run of all.
  distributed::Communicator* ranks = &distributed::OneProcess();
  // What gradients are on their way between them: kF32 or kBf16 (distributed/means.h).
  ElementType sent_gradients = ElementType::kF32;
};

// How far a run is.
struct RunNumbers {
  int64_t step = 0;   // made in all
  double epoch = 0;   // passes over the training images made, those before a resumption included
  double epochs = 0;  // of the whole run, may be fractional
  double loss = 0;    // mean over the epoch so far; NaN where no step of it counts
  double learning_rate = 0;
  double images_per_second = 0;
  double train_seconds = 0;  // in training steps
  double seconds_left = 0;
  double waiting = 0;  // the part of train_seconds that this rank has waited for other ranks
  // Of the latest evaluation: what it was on ("validation"), "" before the first; and its loss.
  std::string evaluated_on;
  double evaluated_loss = 0;
};

// What a run works with from its first step to its last; gone when Train() has returned.
struct RunBeginning {
  TrainingStep* step = nullptr;
  const layers::Network* network = nullptr;  // its text, as resolved
  data::Normalization normalization;
};

struct RunResult {
  bool interrupted = false;  // a checkpoint was written, nothing evaluated
  // Of the images that the last evaluation was on: "test"; without any, "validation" or "training".
  std::string evaluated_on;
  Measure measure;  // what the scores are
  double score = 0, loss = 0, tta_score = 0;
  // The step after which validation was best, whose checkpoint is best.safetensors, and its loss
  // or, where the recipe says so, its score; without validation images -1.
  int64_t best_step = -1;
  double best = 0;
  bool ran_out_of_patience = false;
  double epochs = 0;         // made, those before the resumption included
  double train_seconds = 0;  // in training steps
};

// What a run tells and asks. This one is silent and never interrupts.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // A line for a person: a note, a checkpoint that could not be written.
  virtual void Say(const std::string& /*line*/) {}
  // The first plan is made; what was measured for it may be kept.
  virtual void PlanIsReady() {}
  // Before the first step.
  virtual void Begins(const RunBeginning& /*beginning*/) {}
  // A line of metrics.jsonl, a JSON object: of the step just made, whose images and gradients the
  // step still holds, or of an evaluation.
  virtual void AtMetrics(const RunNumbers& /*numbers*/, const std::string& /*line*/,
                         bool /*is_evaluation*/) {}
  virtual void AtStep(const RunNumbers& /*numbers*/) {}
  // `result`: the latest evaluation, null where they were not measured.
  virtual void AtEpochEnd(const RunNumbers& /*numbers*/, const RunResult* /*result*/) {}
  // Asked after every step: whether the run is to end, with a checkpoint.
  virtual bool Interrupted() { return false; }
};

// Trains. Errors: InvalidArgument and NotFound for what is wrong in the recipe, the data or the
// checkpoint to be resumed from; Cancelled where the tuner was cancelled before the first step;
// others for what failed on the way. The errors before the first step, InvalidArgument, NotFound and
// Cancelled among them, are those of all ranks; of another the other ranks may not know. The output directory must be locked (run_directory.h).
//
// A run resumed from any of its checkpoints ends with the same bits as one that was not
// interrupted, given as many threads on the same processor: batches and dropout masks are functions
// of seed and step, and the checkpoint holds the optimizer's state and the plan's choices. Resumed
// with another batch size it goes on at the nearest batch of the same epoch: images are counted,
// not steps.
absl::StatusOr<RunResult> Train(const RunOptions& options, layers::Tuner* tuner,
                                RunObserver& observer);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_H_
