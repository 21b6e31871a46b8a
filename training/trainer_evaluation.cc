#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "training/metrics.h"
#include "training/source.h"
#include "training/trainer.h"

namespace cotangent::training {
namespace {

using nlohmann::json;

}  // namespace

void Trainer::Take(const Evaluator::Result& result, data::Split split, json& line) {
  result_.evaluated_on = std::string(NameOf(split));
  result_.score = result.score;
  result_.loss = result.loss;
  line[absl::StrCat(result_.evaluated_on, "_", result_.measure.key)] = result.score;
  line[result_.evaluated_on + "_loss"] = result.loss;
}

absl::Status Trainer::Evaluate(bool is_last) {
  if (evaluated_step_ == state_.step && !is_last) return absl::OkStatus();
  json line = {{"step", state_.step},
               {"epoch", Epochs()},
               {"train_seconds", state_.train_seconds},
               {kMeanLossKey, Numbers().loss},
               {"checkpoint_seconds", save_seconds_}};
  if (evaluated_step_ != state_.step) {
    ASSIGN_OR_RETURN(const Evaluator::Result watched,
                     evaluation_->Watched([this] { return observer_.Interrupted(); }));
    Take(watched, options_.data.watched, line);
    evaluated_step_ = state_.step;
    // A run that ends within an epoch, at RunOptions::max_steps, is evaluated at a step where a
    // longer run is not. That evaluation must not count when the run is resumed.
    if (options_.data.watched == data::Split::kValidation && IsEpochEnd()) NoteValidation();
  }
  if (is_last) {
    RETURN_IF_ERROR(EvaluateAtEnd(line));
  }
  Log(line, /*is_evaluation=*/true);
  return absl::OkStatus();
}

absl::Status Trainer::EvaluateAtEnd(json& line) {
  const std::optional<FoundCheckpoint> best = BestForTheEnd();
  ASSIGN_OR_RETURN(const RunEvaluation::Final final,
                   evaluation_->AtEnd([this] { return observer_.Interrupted(); },
                                      best.has_value() ? &*best : nullptr));
  if (options_.data.final == data::Split::kTest)
    line["test_step"] = best.has_value() ? state_.best_step : state_.step;
  Take(final.plain.value_or(Evaluator::Result{result_.score, result_.loss}), options_.data.final,
       line);
  result_.tta_score = final.averaged.has_value() ? final.averaged->score : result_.score;
  line[absl::StrCat("tta_", result_.measure.key)] = result_.tta_score;
  return absl::OkStatus();
}

// If there are validation and test images, the test images are evaluated with the parameters that
// did best on the validation images. Returns, on rank 0, the checkpoint of those parameters.
// Returns nothing on other ranks, if there are no such images, if the best parameters are the
// current ones, or if their checkpoint cannot be read.
std::optional<FoundCheckpoint> Trainer::BestForTheEnd() {
  if (options_.data.watched != data::Split::kValidation ||
      options_.data.final != data::Split::kTest || ranks_.rank() != 0 || state_.best_step < 0 ||
      state_.best_step == state_.step)
    return std::nullopt;
  NoteBestSaved();
  const std::string path = data::JoinPath(options_.output_dir, kBestCheckpoint);
  absl::StatusOr<Checkpoint> best = ReadCheckpoint(path);
  const absl::StatusOr<RunState> state =
      best.ok() ? ReadRunState(*best, path) : absl::StatusOr<RunState>(best.status());
  if (state.ok() && state->step == state_.best_step) return FoundCheckpoint{path, *std::move(best)};
  observer_.Say(absl::StrCat("note: ", path, " is not that of step ", state_.best_step,
                             "; the test images see the last parameters"));
  return std::nullopt;
}

void Trainer::NoteValidation() {
  if (state_.validated_step == state_.step) return;
  state_.validated_step = state_.step;
  const double now = IsBestByLoss() ? result_.loss : -result_.score;
  if (!(now < state_.best)) {
    ++state_.stale;
    return;
  }
  state_.best = now;
  state_.best_step = state_.step;
  state_.stale = 0;
  const auto start = std::chrono::steady_clock::now();
  step_->CompleteState();
  // Other ranks (processes that train together) wait for rank 0 without a time limit, since rank 0
  // may still be writing the last best.safetensors.
  distributed::AtRankZero(ranks_, [this] {
    NoteBestSaved();
    best_saving_step_ = state_.step;
    best_saving_ = BeginToWrite(data::JoinPath(options_.output_dir, kBestCheckpoint));
    return absl::OkStatus();
  }).IgnoreError();
  save_seconds_ += SecondsSince(start);
  NoteWhatIsSaved();
}

}  // namespace cotangent::training
