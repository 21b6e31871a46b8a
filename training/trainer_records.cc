#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "training/trainer.h"

namespace cotangent::training {
namespace {

using nlohmann::json;

}  // namespace

absl::Status Trainer::Write(const std::string& path) {
  state_.epochs = Epochs();
  state_.choices = step_->choices();
  const auto start = std::chrono::steady_clock::now();
  absl::Status status = WriteCheckpoint(path, ToMetadata(state_), TensorsOf(*step_));
  save_seconds_ += SecondsSince(start);
  return status;
}

void Trainer::Save() {
  if (saved_step_ == state_.step) return;
  const bool failed_before = !save_status_.ok();
  step_->CompleteState();
  save_status_ = distributed::AtRankZero(
      ranks_, [this] { return Write(CheckpointPath(options_.output_dir, state_.step)); });
  if (!save_status_.ok()) {
    observer_.Say(absl::StrCat("no checkpoint of step ", state_.step, ": ", save_status_.message(),
                               "; those before it are kept, training goes on"));
    return;
  }
  saved_step_ = state_.step;
  if (ranks_.rank() != 0) return;
  // Something, such as a full disk, kept the last checkpoint from being written. It may also have
  // kept the checkpoint's temporary file from being removed.
  if (failed_before) RemoveTemporaryFiles(options_.output_dir);
  RemoveOldCheckpoints(options_.output_dir, options_.keep);
}

void Trainer::Log(const json& object, bool is_evaluation) {
  if (ranks_.rank() != 0) return;
  const std::string line = object.dump();
  const absl::Status status = metrics_->Append(line);
  if (!status.ok() && log_status_.ok())
    observer_.Say(absl::StrCat(status.message(), "; lines wait in memory"));
  log_status_ = status;
  observer_.AtMetrics(Numbers(), line, is_evaluation);
}

void Trainer::LogStep(float loss) {
  json line = {{"step", state_.step},
               {"epoch", Epochs()},
               {"train_seconds", state_.train_seconds},
               {"train_loss", loss},
               {"learning_rate", state_.learning_rate},
               {"images_per_second", Numbers().images_per_second}};
  if (state_.skipped > 0) line["skipped_steps"] = state_.skipped;
  if (ranks_.ranks() > 1) {
    const std::string straggler = rank_watch_->Look(
        {own_seconds_, ranks_.SecondsWaited(), step_->SecondsUnderWay(), own_steps_}, line);
    if (!straggler.empty()) observer_.Say(straggler);
  }
  Log(line, /*is_evaluation=*/false);
}

RunNumbers Trainer::Numbers() const {
  RunNumbers numbers;
  numbers.step = state_.step;
  numbers.epoch = Epochs();
  numbers.epochs =
      static_cast<double>(run_.total_steps) / static_cast<double>(run_.steps_per_epoch);
  numbers.loss =
      state_.epoch_losses > 0 ? state_.epoch_loss / static_cast<double>(state_.epoch_losses) : NAN;
  numbers.learning_rate = state_.learning_rate;
  numbers.train_seconds = state_.train_seconds;
  if (own_seconds_ > 0)
    numbers.waiting = (ranks_.SecondsWaited() - rank_watch_->waited_before()) / own_seconds_;
  if (epoch_seconds_ > 0)
    numbers.images_per_second =
        static_cast<double>(epoch_steps_ * network_.train().batch_size() * step_->parts()) /
        epoch_seconds_;
  if (own_steps_ > 0)
    numbers.seconds_left = own_seconds_ / static_cast<double>(own_steps_) *
                           static_cast<double>(run_.total_steps - position());
  numbers.evaluated_on = result_.evaluated_on;
  numbers.evaluated_loss = result_.loss;
  return numbers;
}

}  // namespace cotangent::training
