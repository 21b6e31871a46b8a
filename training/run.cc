#include "training/run.h"

#include <chrono>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "training/source.h"
#include "training/trainer.h"

namespace cotangent::training {
namespace {

using Clock = std::chrono::steady_clock;

// A trace shows kTracedSteps steps of this process, from number kFirstTracedStep (counted from 0)
// on. The steps before are left out, since they only warm up caches.
constexpr int64_t kFirstTracedStep = 2, kTracedSteps = 3;

// Writes the trace to `path`, unless that is empty. Tells the user if the run had no step to trace.
absl::Status WriteTrace(const Trace& trace, const std::string& path, RunObserver& observer) {
  if (path.empty()) return absl::OkStatus();
  if (trace.steps() > 0) return trace.Write(path);
  observer.Say(absl::StrCat("note: ", path, " is not written: a trace begins with step ",
                            kFirstTracedStep + 1, " of a run, which this one did not reach"));
  return absl::OkStatus();
}

}  // namespace

absl::Status Trainer::HandleNonFinite(float loss) {
  ++state_.skipped, ++own_skipped_;
  const std::string where = absl::StrCat(
      "step ", state_.step, " (epoch ", Epoch() + 1, "): ",
      std::isfinite(loss)
          ? "a gradient is not finite"
          : absl::StrCat("the loss is ", std::isnan(loss) ? "not a number" : "infinite"));
  if (options_.on_nonfinite == OnNonFinite::kSkip) {
    if (state_.skipped == 1)
      observer_.Say(absl::StrCat(where, "; step skipped, as are all further ones of this kind"));
    return absl::OkStatus();
  }
  FinishSaving();
  const std::vector<CheckpointFile> files = ListCheckpoints(options_.output_dir);
  return absl::AbortedError(absl::StrCat(
      where, "; first not finite: ", step_->FindNonFinite(position()),
      "; try a smaller learning rate, clip_norm in the optimizer, or --on_nonfinite=skip; ",
      files.empty() ? "there is no checkpoint before it"
                    : absl::StrCat("the last good checkpoint is ", files[0].path)));
}

absl::Status Trainer::MakeStep() {
  const Moment start = Now();
  const int64_t position = this->position();
  if (absl::Status status = step_->Prepare(position); !status.ok()) return Running(status);
  const bool is_traced = !options_.profile_path.empty() && own_steps_ >= kFirstTracedStep &&
                         trace_.steps() < kTracedSteps;
  if (is_traced) step_->plan().EnableTiming();
  const data::Pipeline::Batch batch = pipeline_->Next();
  if (!batch.status.ok()) return batch.status;
  const Clock::time_point batch_ready = Clock::now();
  step_->RunParts(position, batch, image_format_);
  const TrainingStep::Outcome outcome = step_->Update(position);
  if (is_traced) {
    trace_.AddStep(step_->plan(), state_.step, start.time, batch_ready, Clock::now());
    for (const TrainingStep::BucketTimes& bucket : step_->LastBuckets())
      trace_.AddBucket(state_.step, bucket.bytes, bucket.record.begun, bucket.record.ended);
  }
  if (!outcome.finite) {
    RETURN_IF_ERROR(HandleNonFinite(outcome.loss));
  } else {
    state_.epoch_loss += outcome.loss;
    ++state_.epoch_losses;
  }
  state_.learning_rate = step_->optimizer().LearningRate(position);
  ++state_.step, ++own_steps_, ++epoch_steps_;
  CountSince(start);
  if (options_.log_every > 0 && (state_.step % options_.log_every == 0 || state_.step == 1))
    LogStep(outcome.loss);
  return absl::OkStatus();
}

absl::Status Trainer::AtEpochEnd() {
  const bool evaluates = IsEvaluationDue();
  // Evaluations on validation images can end the run. So the checkpoint is written after such an
  // evaluation, not before it: the checkpoint must contain the evaluation's result.
  const bool is_validated = options_.data.watched == data::Split::kValidation;
  if (options_.checkpoint_every == 0 && !(evaluates && is_validated)) Save();
  if (evaluates) {
    absl::Status status = Evaluate(false);
    if (options_.checkpoint_every == 0) Save();
    if (!status.ok()) return status;
  }
  if (IsDone()) return absl::OkStatus();
  observer_.AtEpochEnd(Numbers(), evaluates ? &result_ : nullptr);
  return absl::OkStatus();
}

// Returns whether the observer of any rank (a process that takes part in the training) interrupts
// the run. The time spent waiting for the slowest rank counts as training time.
bool Trainer::AnyInterrupted() {
  const Moment start = Now();
  const bool interrupted = distributed::Any(ranks_, observer_.Interrupted());
  CountSince(start);
  return interrupted;
}

void Trainer::CountSince(const Moment& start) {
  const double seconds = SecondsSince(start.time);
  state_.train_seconds += seconds, own_seconds_ += seconds, epoch_seconds_ += seconds;
  own_waited_ += ranks_.SecondsWaited() - start.waited;
}

void Trainer::SayMissingClasses(const data::Dataset& images, data::Split split) {
  if (const std::string note = DescribeMissingClasses(images, split); !note.empty())
    observer_.Say(note);
}

// Makes one step and does what is due after it. Returns Cancelled if compiling the step was
// cancelled or the run is interrupted.
absl::Status Trainer::Advance() {
  if (position() % run_.steps_per_epoch == 0)
    state_.epoch_loss = 0, state_.epoch_losses = 0, epoch_seconds_ = 0, epoch_steps_ = 0;
  RETURN_IF_ERROR(MakeStep());
  NoteWhatIsSaved();
  if (own_steps_ == 1) {
    // Evaluation is prepared early, so that faulty test images or too little memory show at once.
    RETURN_IF_ERROR(evaluation_->Prepare());
    if (options_.data.watched != data::Split::kTrain)
      SayMissingClasses(evaluation_->WatchedSet(), options_.data.watched);
  }
  observer_.AtStep(Numbers());
  if (options_.checkpoint_every > 0 && state_.step % options_.checkpoint_every == 0) Save();
  if (IsEpochEnd()) {
    RETURN_IF_ERROR(AtEpochEnd());
  }
  if (own_steps_ == kFirstTracedStep + kTracedSteps) {
    if (absl::Status status = WriteTrace(trace_, options_.profile_path, observer_); !status.ok())
      return Running(status);
  }
  return AnyInterrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

// Returns whether the run that is resumed evaluated the network of the checkpoint. The log says so;
// for validation images the checkpoint does, too, because their evaluation comes before it.
bool Trainer::WasEvaluated() {
  if (options_.data.watched == data::Split::kValidation)
    return state_.validated_step == state_.step;
  return distributed::Any(ranks_, metrics_ != nullptr && metrics_->evaluated_step() == state_.step);
}

absl::StatusOr<RunResult> Trainer::Run() {
  if (options_.data.watched == data::Split::kTrain) {
    observer_.Say(
        "note: there are no validation or test images; accuracies are of the training images, "
        "which "
        "say little of others: set some apart with --validation=0.1");
  }
  if (options_.data.watched == data::Split::kTest &&
      network_.train().evaluation().every_epochs() > 0) {
    observer_.Say(
        "evaluating on the test images as the run goes on; to choose by their figures would be to "
        "learn from them: --validation=0.1 sets training images apart for that");
  }
  if (options_.data.watched != data::Split::kValidation && network_.train().stop().patience() > 0) {
    observer_.Say(
        "note: train.stop.patience counts evaluations on validation images, of which there are "
        "none: the run goes on to its last epoch; set some apart with --validation=0.1");
  }
  if (copies_.valid()) {
    for (const std::string& note : copies_.get()) observer_.Say(note);
  }
  SayMissingClasses(train_set_, data::Split::kTrain);
  rank_watch_.emplace(ranks_);
  absl::Status status;
  // If the run that is resumed was interrupted during an evaluation, that evaluation is made now,
  // since its result may end the run, and the log has no line about it.
  if (before_.has_value() && IsEpochEnd() && IsEvaluationDue() && !WasEvaluated())
    status = Evaluate(false);
  if (before_.has_value() && IsDone() && !IsOutOfPatience()) {
    observer_.Say(absl::StrCat("note: the run has ended already, after ", Epochs(),
                               " epochs: no step is made; for more, give more --epochs",
                               options_.max_steps > 0 ? " and --max_steps" : ""));
  }
  while (!IsDone() && status.ok()) status = Advance();
  if (!status.ok() && !absl::IsCancelled(status)) return status;
  FinishSaving();  // if this step's checkpoint failed, Save() tries again
  Save();
  FinishSaving();
  bool is_cut_short = !IsDone();
  if (!is_cut_short) {
    if (IsOutOfPatience())
      observer_.Say(absl::StrCat("no better ", IsBestByLoss() ? "loss" : result_.measure.name,
                                 " on the validation images in ", state_.stale,
                                 " evaluations: the run ends here"));
    const absl::Status status = Evaluate(true);
    if (!status.ok() && !absl::IsCancelled(status)) return status;
    is_cut_short = absl::IsCancelled(status);
    if (!is_cut_short) observer_.AtEpochEnd(Numbers(), &result_);
  }
  NoteBestSaved();
  if (own_steps_ < kFirstTracedStep + kTracedSteps) {
    if (absl::Status status = WriteTrace(trace_, options_.profile_path, observer_); !status.ok())
      return Running(status);
  }
  if (metrics_ != nullptr) {
    if (absl::Status status = metrics_->Flush(); !status.ok()) return Running(status);
  }
  if (!save_status_.ok())
    return Running(absl::Status(
        save_status_.code(),
        absl::StrCat("the last checkpoint could not be written: ", save_status_.message())));
  if (own_steps_ > 0 && own_skipped_ == own_steps_) {
    return absl::AbortedError(
        absl::StrCat("none of the ", own_steps_,
                     " steps changed anything: each loss or gradient was infinite or "
                     "not a number; try a smaller learning rate, or clip_norm in the optimizer"));
  }
  if (own_skipped_ > 0)
    observer_.Say(absl::StrCat("note: ", own_skipped_, " of ", own_steps_, " steps were skipped"));
  result_.interrupted = is_cut_short;
  result_.best_step = state_.best_step;
  result_.best = IsBestByLoss() ? state_.best : -state_.best;
  result_.epochs = Epochs();
  result_.train_seconds = state_.train_seconds;
  return result_;
}

absl::StatusOr<RunResult> Train(const RunOptions& options, layers::Tuner* tuner,
                                RunObserver& observer) {
  Trainer trainer(options, tuner, observer);
  RETURN_IF_ERROR(trainer.Prepare());
  observer.PlanIsReady();
  trainer.Begin();
  return trainer.Run();
}

}  // namespace cotangent::training
