// The implementation of Train() in run.h. The class is spread over four files: preparations before
// the first step (trainer_preparation.cc), training steps (run.cc), evaluations
// (trainer_evaluation.cc), and checkpoints and metrics (trainer_records.cc).
#ifndef COTANGENT_TRAINING_TRAINER_H_
#define COTANGENT_TRAINING_TRAINER_H_

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/pipeline.h"
#include "nlohmann/json.hpp"
#include "training/checkpoint_writer.h"
#include "training/plan_report.h"
#include "training/rank_watch.h"
#include "training/run.h"
#include "training/run_directory.h"
#include "training/run_evaluation.h"
#include "training/run_state.h"
#include "training/step.h"

namespace cotangent::training {

class Trainer {
 public:
  Trainer(const RunOptions& options, layers::Tuner* tuner, RunObserver& observer)
      : options_(options),
        network_(options.network.text),
        tuner_(tuner),
        observer_(observer),
        ranks_(*options.ranks),
        run_(options.network.run) {}

  absl::Status Prepare();
  void Begin() { observer_.Begins({step_.get(), &network_, normalisation_}); }
  absl::StatusOr<RunResult> Run();

 private:
  absl::Status PrepareStep(std::future<absl::StatusOr<data::Dataset>>& train_loading);
  absl::Status PrepareRun(std::future<absl::StatusOr<data::Dataset>>& train_loading);
  absl::Status CheckRanks() const;
  absl::Status Resume(const FoundCheckpoint& found);
  // Returns the position (steps of the schedule done, see position()) at which a run goes on from
  // checkpoint `before`, which may have been made with another batch size.
  int64_t PositionAfter(const RunState& before) const;
  void CompareWithResumed() const;
  void SayMissingClasses(const data::Dataset& images, data::Split split);
  absl::Status TakeTrainSet(std::future<absl::StatusOr<data::Dataset>>& loading);
  absl::Status ResolveNormalisation();
  // Initialises the weights and then replaces those that RunOptions::init_from gives. If the run is
  // resumed, its weights have been read already; then only reports to the user what differs from
  // the run before.
  absl::Status PrepareWeights();
  absl::Status PrepareData();
  absl::Status BeginDirectory();
  absl::Status Advance();
  absl::Status MakeStep();
  bool AnyInterrupted();
  // A moment of this process: the time, and the seconds it had waited for other ranks until then.
  struct Moment {
    std::chrono::steady_clock::time_point time;
    double waited = 0;
  };
  Moment Now() const { return {std::chrono::steady_clock::now(), ranks_.SecondsWaited()}; }
  // Counts the time since `start` as training time.
  void CountSince(const Moment& start);
  absl::Status HandleNonFinite(float loss);
  void LogStep(float loss);
  absl::Status AtEpochEnd();
  bool WasEvaluated();
  // Evaluates the images that are evaluated during the run (RunData::watched), unless that was done
  // at this step already. At the end of the run (`is_last`) also evaluates those meant for its end
  // (RunData::final), also with test-time averaging unless TestTimeAveragingOf() (recipe.h) is
  // NONE.
  absl::Status Evaluate(bool is_last);
  absl::Status EvaluateAtEnd(nlohmann::json& line);
  std::optional<FoundCheckpoint> BestForTheEnd();
  void Take(const Evaluator::Result& result, data::Split split, nlohmann::json& line);
  // Compares the latest evaluation on the validation images with the best so far. If it is better,
  // begins to write best.safetensors; if not, counts it in RunState::stale. Does nothing if the
  // evaluation of this step was compared already.
  void NoteValidation();
  void Log(const nlohmann::json& object, bool is_evaluation);
  // For rank 0 only: begins to write a checkpoint of the current state to the file `path` and
  // returns a future for the status. With one rank the file is written before the function returns.
  std::shared_future<absl::Status> BeginToWrite(const std::string& path);
  // Begins to write the checkpoint of this step, if that has not been done. With several ranks
  // training goes on meanwhile; if the job is killed then, the newest complete checkpoint may be
  // the one before.
  void Save();
  // Waits until the checkpoint that Save() has begun is written, and gives all ranks the status of
  // writing it (save_status_).
  void FinishSaving();
  // NoteSaved() waits until the checkpoint that was begun is written, NoteBestSaved() until
  // best.safetensors is. Each reports an error to the user, and does nothing if no file was begun.
  // After a good checkpoint NoteSaved() removes the old ones. Rank 0 only.
  void NoteSaved();
  void NoteBestSaved();
  void NoteWhatIsSaved();  // calls each of the two if its file is written
  RunNumbers Numbers() const;

  // Returns how many steps of the schedule are done. Differs from state_.step only if the run was
  // resumed with another batch size.
  int64_t position() const { return state_.step - run_.updates_ahead; }
  double Epochs() const {
    return static_cast<double>(position()) / static_cast<double>(run_.steps_per_epoch);
  }
  int64_t Epoch() const { return position() / run_.steps_per_epoch; }
  bool IsEpochEnd() const {
    return position() % run_.steps_per_epoch == 0 || position() == run_.total_steps;
  }
  // Returns whether the last step of this call of Train() has been made: the schedule is at its
  // end, too many evaluations in a row were not better than the best (train.stop.patience), or the
  // run has reached max_steps.
  bool IsDone() const {
    return position() >= run_.total_steps || IsOutOfPatience() ||
           (options_.max_steps > 0 && state_.step >= options_.max_steps);
  }
  bool IsOutOfPatience() const {
    const int64_t patience = network_.train().stop().patience();
    return patience > 0 && state_.stale >= patience;
  }
  // Returns whether an evaluation is due at the end of this epoch. Not if the run is done, since
  // the evaluation at its end follows. REQUIRES: an epoch has just ended.
  bool IsEvaluationDue() const {
    const int64_t every = network_.train().evaluation().every_epochs();
    return every > 0 && Epoch() % every == 0 && !IsDone();
  }
  bool IsBestByLoss() const {
    return network_.train().evaluation().best() == layers::Train::Evaluation::LOSS;
  }

  const RunOptions& options_;
  // The text that describes the network and its training; normalisation, class weights and the
  // scale of targets are written into it.
  layers::Network network_;
  layers::Tuner* const tuner_;
  RunObserver& observer_;
  distributed::Communicator& ranks_;

  optim::RunLength run_;
  StepOptions step_options_;
  data::Normalisation normalisation_;
  data::Dataset train_set_;
  std::future<std::vector<std::string>> copies_;  // RunData::describe_copies; rank 0 only
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<data::Pipeline> pipeline_;
  data::BatchFormat image_format_ = data::BatchFormat::kF32Nchw;  // of the pipeline's batches
  std::unique_ptr<RunEvaluation> evaluation_;
  std::unique_ptr<MetricsLog> metrics_;
  Trace trace_;

  RunState state_;                  // what checkpoints hold besides tensors
  std::optional<RunState> before_;  // the state in the checkpoint that the run was resumed from

  // The following members are not in checkpoints. In a process that resumes a run they begin anew,
  // except that saved_step_ is then the step of the checkpoint that was read.
  int64_t saved_step_ = -1;  // the last step whose checkpoint was begun and has not failed
  bool is_saving_ = false;   // from Save() to FinishSaving()
  CheckpointWriter writer_;
  // On rank 0, the statuses of two files that are being written: of the checkpoint of step
  // saving_step_, and of best.safetensors of step best_saving_step_. Valid from when the file is
  // begun until NoteSaved() or NoteBestSaved() takes the status.
  std::shared_future<absl::Status> saving_, best_saving_;
  int64_t saving_step_ = -1, best_saving_step_ = -1;
  absl::Status save_status_, log_status_;
  double save_seconds_ = 0;  // seconds that training has stood still for checkpoints
  int64_t own_steps_ = 0, own_skipped_ = 0;
  double own_seconds_ = 0;  // seconds spent in training steps
  double own_waited_ = 0;   // the part of own_seconds_ that this rank waited for others
  std::optional<RankWatch> rank_watch_;  // exists from Run() on
  double epoch_seconds_ = 0;             // seconds in steps since the epoch or the resumption began
  int64_t epoch_steps_ = 0;              // steps since then
  RunResult result_;
  int64_t evaluated_step_ = -1;  // step of the latest evaluation
};

// Returns an error during the run with the code Unavailable in place of its own, so that the
// program ends with another exit code than for wrong input. A Cancelled error stays as it is.
inline absl::Status Running(const absl::Status& status) {
  if (absl::IsCancelled(status)) return status;
  return absl::UnavailableError(status.message());
}

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_TRAINER_H_
