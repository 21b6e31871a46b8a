// Makes a whole training run, from its first step or from a checkpoint to its last: reads data,
// makes steps, evaluates, and writes checkpoints and a log of metrics into a directory. Programs
// that need their own training loop use step.h instead. A network text is the text that describes a
// network and its training; statistics are the running means and variances of normalisation layers.
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

// What happens to a step whose loss or gradient is infinite or not a number.
enum class OnNonFinite {
  kStop,  // the run ends with an error that names step and layer; the last checkpoint is kept
  kSkip,  // the step changes no parameter; the run fails if all of its steps are skipped
};

struct RunOptions {
  ResolvedNetwork network;  // as Resolve() makes it of data.shape, for one rank
  RunData data;
  std::string output_dir;
  int threads = 1;
  // Number of threads that make batches ahead of the step. 0 means one thread or, if the images do
  // not lie in memory or go through transforms (train.augmentation.transform of the network text),
  // as many as `threads`. Results do not depend on this number.
  int workers = 0;
  bool exact = false;  // whether to leave out Winograd convolutions, which round more
  // If not 0, the run evaluates and ends after so many steps, including those before a resumption.
  int64_t max_steps = 0;
  int64_t checkpoint_every = 0;  // steps; 0: after each epoch. The run's end always writes one.
  int keep = 2;                  // how many checkpoints are kept; older ones are removed
  int64_t log_every = 50;        // number of steps from one line of metrics.jsonl to the next
  OnNonFinite on_nonfinite = OnNonFinite::kStop;
  std::string profile_path;  // if not empty, a file for the trace of a few steps (plan_report.h)
  std::optional<FoundCheckpoint> resume_from;
  // Values that replace the initial parameters and statistics of the same names. Not used if a run
  // is resumed.
  std::optional<InitialWeights> init_from;
  // The processes (ranks) that train together. Each calls Train() with the same options and
  // computes its share of every batch and of every evaluation. Only rank 0 writes files and calls
  // RunObserver::AtMetrics(). If the observer of any rank interrupts, the run ends on all ranks.
  distributed::Communicator* ranks = &distributed::OneProcess();
  // The type that gradients are sent to other ranks in: kF32 or kBf16 (distributed/means.h).
  ElementType sent_gradients = ElementType::kF32;
};

// The progress of a run.
struct RunNumbers {
  int64_t step = 0;   // steps made, including those before a resumption
  double epoch = 0;   // passes made over the training images, including those before a resumption
  double epochs = 0;  // passes that the whole run makes; may be fractional
  double loss = 0;    // mean over the epoch so far of finite losses; NaN if there are none
  double learning_rate = 0;
  double images_per_second = 0;
  double train_seconds = 0;  // seconds spent in training steps, including those before a resumption
  double seconds_left = 0;
  double waiting = 0;  // share (0 to 1) of training time that this rank waited for other ranks
  // The latest evaluation: which images were evaluated ("validation", "test" or "training"; ""
  // before the first evaluation), and the loss on them.
  std::string evaluated_on;
  double evaluated_loss = 0;
};

// What an observer may look at from the first step on; the pointers are valid until Train()
// returns.
struct RunBeginning {
  TrainingStep* step = nullptr;
  // The network text, with the normalisation, class weights and scale of targets that the run uses.
  const layers::Network* network = nullptr;
  data::Normalisation normalisation;
};

struct RunResult {
  bool interrupted = false;  // true: the run wrote a checkpoint and ended without an evaluation
  // Which images the last evaluation used: "test", "validation" or "training". If the run was not
  // interrupted, these are the test images if there are any, else the validation images, else the
  // training images.
  std::string evaluated_on;
  Measure measure;  // what `score` and `tta_score` measure
  double score = 0, loss = 0, tta_score = 0;
  // The step with the best evaluation on the validation images, whose checkpoint is
  // best.safetensors; -1 if none was made at the end of an epoch. `best` is the loss of that
  // evaluation or, if train.evaluation.best of the network text says so, its score.
  int64_t best_step = -1;
  double best = 0;
  // Passes made over the training images, including those before a resumption.
  double epochs = 0;
  double train_seconds = 0;  // seconds spent in training steps, including those before a resumption
};

// Train() reports its progress to an observer and asks it whether to go on. This base class does
// nothing and never interrupts.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Receives a message for the user, such as a note, or an error in writing a checkpoint.
  virtual void Say(const std::string& /*line*/) {}
  // Called when the run is prepared and its first step, if it makes any, has been compiled; the
  // observer may save the measured times of the step's convolutions.
  virtual void PlanIsReady() {}
  // Called once, before the first step.
  virtual void Begins(const RunBeginning& /*beginning*/) {}
  // `line` is a JSON object that has been appended to metrics.jsonl (or waits in memory if the file
  // cannot be written). It describes an evaluation (if `is_evaluation`) or the step just made,
  // whose images and gradients are still in memory.
  virtual void AtMetrics(const RunNumbers& /*numbers*/, const std::string& /*line*/,
                         bool /*is_evaluation*/) {}
  virtual void AtStep(const RunNumbers& /*numbers*/) {}
  // Called at the end of each epoch but the last, and after the evaluation at the end of the run,
  // unless that is interrupted. `result` is the latest evaluation, or null if this epoch ended
  // without one.
  virtual void AtEpochEnd(const RunNumbers& /*numbers*/, const RunResult* /*result*/) {}
  // Called after every step and many times during an evaluation: true ends the run, with a
  // checkpoint.
  virtual bool Interrupted() { return false; }
};

// Trains. Returns InvalidArgument or NotFound if something is wrong in the network text, the data
// or the checkpoint to resume from; Cancelled if the tuner, which measures convolution algorithms,
// was cancelled before the first step; other codes for failures during the run. Errors before the
// first step are the same on all ranks; later errors can occur on one rank only. The output
// directory must be locked (run_directory.h).
//
// A run that is resumed from any of its checkpoints ends with the same bits as one that was never
// interrupted, given the same program, processor and number of threads: batches and dropout masks
// are functions of seed and step, and the checkpoint holds the optimizer's state and the measured
// choices of algorithms. If the batch size has changed, the run goes on at the step that is nearest
// to the progress (in epochs) of the run before.
absl::StatusOr<RunResult> Train(const RunOptions& options, layers::Tuner* tuner,
                                RunObserver& observer);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_H_
