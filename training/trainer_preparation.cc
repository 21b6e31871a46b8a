#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cpu.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "google/protobuf/message.h"
#include "layers/network/network_text.h"
#include "layers/ops/losses/loss_kind.h"
#include "training/metrics.h"
#include "training/source.h"
#include "training/targets.h"
#include "training/trainer.h"
#include "training/weights/initial_weights.h"

namespace cotangent::training {
namespace {

// A resumed run with more epochs tells the user if that raises the learning rate by more than this
// factor.
constexpr double kJump = 1.01;

// Returns the parts of a network text that decide by which value, and on which share of the
// training images, evaluations are compared. Only values with the same parts are comparable.
std::string MeasureText(const layers::Network& text) {
  layers::Network measure;
  *measure.mutable_loss() = text.loss();
  // The run writes these weights into the text itself.
  if (text.train().class_weight() == layers::Train::BALANCED &&
      layers::HasClassWeights(text.loss()))
    layers::SetClassWeights({}, *measure.mutable_loss());
  layers::Train::Evaluation& evaluation = *measure.mutable_train()->mutable_evaluation();
  evaluation.set_best(text.train().evaluation().best());
  evaluation.set_validation(text.train().evaluation().validation());
  return layers::NetworkText(measure);
}

}  // namespace

// Waits until the training images are read, and moves them into train_set_. A second call does
// nothing.
absl::Status Trainer::TakeTrainSet(std::future<absl::StatusOr<data::Dataset>>& loading) {
  if (!loading.valid()) return absl::OkStatus();
  ASSIGN_OR_RETURN(train_set_, loading.get());
  return absl::OkStatus();
}

absl::Status Trainer::Prepare() {
  if (const std::string note = PrecisionNote(network_); !note.empty()) observer_.Say(note);
  // The images are read while the step is compiled.
  std::future<absl::StatusOr<data::Dataset>> train_loading =
      std::async(std::launch::async, [this] { return options_.data.load(data::Split::kTrain); });
  if (options_.data.describe_copies != nullptr && ranks_.rank() == 0)
    copies_ = std::async(std::launch::async, options_.data.describe_copies);
  RETURN_IF_ERROR(distributed::Agree(ranks_, PrepareStep(train_loading)));
  RETURN_IF_ERROR(CheckRanks());
  if (!IsDone()) {
    RETURN_IF_ERROR(step_->Prepare(position()));
    if (ranks_.ranks() > 1) observer_.Say(step_->DescribeBuckets());
  }
  RETURN_IF_ERROR(distributed::Agree(ranks_, PrepareRun(train_loading)));
  return distributed::CheckSame(ranks_,
                                {{"the checksum of the training images", state_.data_checksum}});
}

// Returns an error unless all ranks (processes that train together) have the same settings; with
// different ones they would compute different steps.
absl::Status Trainer::CheckRanks() const {
  RunState machine;
  DescribeMachine(machine);
  return distributed::CheckSame(
      ranks_, {{"the program's checksum", machine.build},
               {"the instruction set", Name(WidestInstructionSet())},
               {"oneDNN", machine.onednn},
               {"the network text", layers::NetworkText(network_)},
               {"the seed", absl::StrCat(network_.train().seed())},
               {"--exact", options_.exact ? "1" : "0"},
               {"the step to go on from", absl::StrCat(state_.step)},
               {"--gradients", std::string(Name(options_.sent_gradients))},
               {"--log_every", absl::StrCat(options_.log_every)},
               {"--max_steps", absl::StrCat(options_.max_steps)},
               {"--checkpoint_every", absl::StrCat(options_.checkpoint_every)},
               {"--on_nonfinite", options_.on_nonfinite == OnNonFinite::kSkip ? "skip" : "stop"}});
}

absl::Status Trainer::PrepareStep(std::future<absl::StatusOr<data::Dataset>>& train_loading) {
  step_options_ = {PrecisionOf(network_),   options_.exact,         options_.threads, {}, &ranks_,
                   options_.sent_gradients, /*images_as_read=*/true};
  if (options_.resume_from.has_value()) {
    RETURN_IF_ERROR(Resume(*options_.resume_from));
  }
  ResolvedNetwork network = options_.network;
  // BALANCED class weights are computed from the images, and the network is compiled with them.
  const bool has_weights = network_.train().class_weight() == layers::Train::BALANCED;
  if (has_weights) {
    RETURN_IF_ERROR(TakeTrainSet(train_loading));
    WriteBalancedWeights(train_set_, network_);
  }
  if (has_weights || ranks_.ranks() > 1) {
    ASSIGN_OR_RETURN(network, Resolve(network_, options_.data.shape, ranks_.ranks()));
  }
  network.run = run_;
  ASSIGN_OR_RETURN(step_, TrainingStep::Create(std::move(network), step_options_, tuner_));
  if (!before_.has_value()) return absl::OkStatus();
  return Restore(options_.resume_from->checkpoint, options_.resume_from->path, *step_);
}

absl::Status Trainer::PrepareRun(std::future<absl::StatusOr<data::Dataset>>& train_loading) {
  RETURN_IF_ERROR(TakeTrainSet(train_loading));
  RETURN_IF_ERROR(ResolveNormalisation());
  WriteTargetScale(train_set_, network_);
  result_.measure = MeasureOf(TargetKindOf(network_));
  evaluation_ = std::make_unique<RunEvaluation>(network_, options_.data, train_set_, normalisation_,
                                                step_options_, *step_, *tuner_);
  state_.network = layers::NetworkText(network_);
  state_.seed = network_.train().seed();
  state_.dataset = options_.data.name;
  state_.classes = options_.data.classes;
  state_.data_checksum = ChecksumOf(train_set_);
  state_.precision = step_options_.precision;
  state_.exact = options_.exact;
  state_.threads = options_.threads;
  DescribeMachine(state_);
  RETURN_IF_ERROR(PrepareWeights());
  return PrepareData();
}

absl::Status Trainer::PrepareWeights() {
  if (before_.has_value()) {
    CompareWithResumed();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(step_->Initialise(&train_set_, normalisation_));
  if (!options_.init_from.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string report, TakeInitialWeights(*options_.init_from, step_->store()));
  observer_.Say(report);
  step_->optimizer().Initialise(step_->store().values());
  return absl::OkStatus();
}

// Takes the normalisation that the network text (which describes the network and its training)
// gives, else the one known for the data set, else that of the training images. Writes the
// normalisation into the network text, so that a checkpoint can be used without the data.
absl::Status Trainer::ResolveNormalisation() {
  ASSIGN_OR_RETURN(normalisation_, NormalisationOf(network_, options_.data, train_set_));
  WriteNormalisation(normalisation_, network_);
  return absl::OkStatus();
}

absl::Status Trainer::PrepareData() {
  ASSIGN_OR_RETURN(data::PipelineOptions options, PipelineOptionsOf(network_, normalisation_));
  const bool is_much_work = !train_set_.is_in_memory() || !options.augmentation.chain.empty();
  options.workers = options_.workers > 0 ? options_.workers
                    : is_much_work       ? std::max(1, options_.threads)
                                         : 1;
  options.ranks = ranks_.ranks();
  options.rank = ranks_.rank();
  // The batch is made in the format that the step reads. Mixed images are the exception: in bf16
  // they would be rounded twice, before and after mixing.
  if (!IsDone() && !options.mixing.is_used()) options.format = step_->image_format();
  image_format_ = options.format;
  ASSIGN_OR_RETURN(pipeline_, data::Pipeline::Create(&train_set_, options));
  if (position() > 0) pipeline_->Seek(Epoch(), position() % run_.steps_per_epoch);

  return ranks_.rank() == 0 ? BeginDirectory() : absl::OkStatus();
}

// Begins the run's files. Those of an earlier run are set aside only now, when nothing that this run
// needs is missing.
absl::Status Trainer::BeginDirectory() {
  if (!before_.has_value()) {
    absl::StatusOr<std::string> aside = SetEarlierRunAside(options_.output_dir);
    if (!aside.ok()) return Running(aside.status());
    if (!aside->empty())
      observer_.Say(absl::StrCat("the files of an earlier run are now in ", *aside));
  }
  const std::string text_path = data::JoinPath(options_.output_dir, "network.textproto");
  if (absl::Status status = data::WriteFileAtomically(text_path, state_.network); !status.ok())
    return Running(status);
  absl::StatusOr<std::unique_ptr<MetricsLog>> metrics =
      MetricsLog::Open(data::JoinPath(options_.output_dir, kMetricsFile), state_.step);
  if (!metrics.ok()) return Running(metrics.status());
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

int64_t Trainer::PositionAfter(const RunState& before) const {
  double epochs = before.epochs;
  if (epochs == 0 && before.step > 0) {
    // Checkpoints of earlier versions do not store the epochs; all their steps used one batch size.
    const absl::StatusOr<layers::Network> network = layers::ParseNetwork(before.network);
    const int64_t batch = network.ok() ? network->train().batch_size() : 0;
    const int64_t steps = batch > 0 ? options_.data.shape.images / batch : 0;
    epochs = static_cast<double>(before.step) /
             static_cast<double>(steps > 0 ? steps : run_.steps_per_epoch);
  }
  return std::llround(epochs * static_cast<double>(run_.steps_per_epoch));
}

absl::Status Trainer::Resume(const FoundCheckpoint& found) {
  ASSIGN_OR_RETURN(RunState before, ReadRunState(found.checkpoint, found.path));
  before_ = before;
  state_.step = before.step;
  state_.train_seconds = before.train_seconds;
  state_.epoch_loss = before.epoch_loss;
  state_.epoch_losses = before.epoch_losses;
  state_.skipped = before.skipped;
  state_.learning_rate = before.learning_rate;
  const absl::StatusOr<layers::Network> text = layers::ParseNetwork(before.network);
  if (text.ok() && MeasureText(*text) == MeasureText(network_)) {
    state_.best = before.best;
    state_.best_step = before.best_step;
    state_.stale = before.stale;
    state_.validated_step = before.validated_step;
  } else if (before.best_step >= 0) {
    observer_.Say(
        "note: evaluations so far were by another loss, measure or share of the images: the best "
        "of them is forgotten, and the next one takes its place in best.safetensors");
  }
  run_.updates_ahead = before.step - PositionAfter(before);
  step_options_.choices = before.choices;
  saved_step_ = before.step;
  return absl::OkStatus();
}

// Tells the user what keeps the resumed run from computing the same bits as an uninterrupted one,
// and whether a larger number of epochs raises the learning rate by more than the factor kJump.
void Trainer::CompareWithResumed() const {
  for (const std::string& line : Differences(*before_, state_))
    observer_.Say(absl::StrCat("note: ", line));
  const absl::StatusOr<layers::Network> network = layers::ParseNetwork(before_->network);
  if (!network.ok() || IsDone() || before_->learning_rate <= 0) return;
  const double epochs = network_.train().epochs(), epochs_before = network->train().epochs();
  const double rate = step_->optimizer().LearningRate(position());
  if (epochs <= epochs_before || rate <= kJump * before_->learning_rate) return;
  const optim::OptimizerConfig& optimizer = network_.train().optimizer();
  const google::protobuf::FieldDescriptor* rule =
      optimizer.GetReflection()->GetOneofFieldDescriptor(
          optimizer, optim::OptimizerConfig::descriptor()->FindOneofByName("kind"));
  observer_.Say(absl::StrFormat(
      "note: with %g epochs, %g before, the schedule is longer: the learning rate goes up from "
      "%.3g "
      "to %.3g%s",
      epochs, epochs_before, before_->learning_rate, rate,
      rule == nullptr ? ""
                      : absl::StrFormat("; to keep it: --set train.optimizer.schedule={} "
                                        "--set train.optimizer.%s.learning_rate=%.6g",
                                        rule->name(), before_->learning_rate)));
}

}  // namespace cotangent::training
