#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "training/trainer.h"

namespace cotangent::training {
namespace {

using nlohmann::json;

}  // namespace

std::shared_future<absl::Status> Trainer::BeginToWrite(const std::string& path) {
  state_.epochs = Epochs();
  state_.choices = step_->choices();
  // With one rank the file is written at once: no other rank has to wait meanwhile, and fewer steps
  // are lost if the process is killed.
  // On a full disk, the oldest checkpoint makes room, which would be removed afterwards anyway.
  const auto make_room = [directory = options_.output_dir, keep = options_.keep] {
    return RemoveOldCheckpoints(directory, keep - 1);
  };
  if (ranks_.ranks() == 1)
    return writer_.Write(path, ToMetadata(state_), TensorsOf(*step_), make_room);
  return writer_.Begin(path, ToMetadata(state_), TensorsOf(*step_), make_room);
}

void Trainer::Save() {
  if (saved_step_ == state_.step) return;
  FinishSaving();
  const auto start = std::chrono::steady_clock::now();
  step_->CompleteState();
  if (ranks_.rank() == 0) {
    saving_step_ = state_.step;
    saving_ = BeginToWrite(CheckpointPath(options_.output_dir, state_.step));
  }
  is_saving_ = true;
  saved_step_ = state_.step;
  save_seconds_ += SecondsSince(start);
  NoteWhatIsSaved();
}

void Trainer::FinishSaving() {
  if (!std::exchange(is_saving_, false)) return;
  const auto start = std::chrono::steady_clock::now();
  save_status_ = distributed::AtRankZero(ranks_, [this] {
    NoteSaved();
    return save_status_;
  });
  save_seconds_ += SecondsSince(start);
  if (!save_status_.ok()) saved_step_ = -1;
}

void Trainer::NoteSaved() {
  if (!saving_.valid()) return;
  const bool failed_before = !save_status_.ok();
  save_status_ = std::exchange(saving_, {}).get();
  if (!save_status_.ok()) {
    observer_.Say(absl::StrCat("no checkpoint of step ", saving_step_, ": ", save_status_.message(),
                               "; those before it are kept, training goes on"));
    return;
  }
  // Something, such as a full disk, kept the last checkpoint from being written. It may also have
  // kept the checkpoint's temporary file from being removed.
  if (failed_before) {
    NoteBestSaved();  // so that no file is being written now
    RemoveTemporaryFiles(options_.output_dir);
  }
  RemoveOldCheckpoints(options_.output_dir, options_.keep);
}

void Trainer::NoteBestSaved() {
  if (!best_saving_.valid()) return;
  const absl::Status status = std::exchange(best_saving_, {}).get();
  if (!status.ok())
    observer_.Say(absl::StrCat("no ", kBestCheckpoint, " of step ", best_saving_step_, ": ",
                               status.message(), "; training goes on"));
}

void Trainer::NoteWhatIsSaved() {
  const auto is_written = [](const std::shared_future<absl::Status>& file) {
    return file.valid() && file.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  if (is_written(best_saving_)) NoteBestSaved();
  if (is_written(saving_)) NoteSaved();
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
    const std::string straggler =
        rank_watch_->Look({own_seconds_, own_waited_, step_->SecondsUnderWay(), own_steps_}, line);
    if (!straggler.empty()) observer_.Say(straggler);
  }
  Log(line, /*is_evaluation=*/false);
}

RunNumbers Trainer::Numbers() const {
  RunNumbers numbers;
  numbers.step = state_.step;
  numbers.epoch = Epochs();
  // A resumed run may have made more passes already than its recipe now asks for.
  numbers.epochs = std::max(numbers.epoch, static_cast<double>(run_.total_steps) /
                                               static_cast<double>(run_.steps_per_epoch));
  numbers.loss =
      state_.epoch_losses > 0 ? state_.epoch_loss / static_cast<double>(state_.epoch_losses) : NAN;
  numbers.learning_rate = state_.learning_rate;
  numbers.train_seconds = state_.train_seconds;
  if (own_seconds_ > 0) numbers.waiting = own_waited_ / own_seconds_;
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
