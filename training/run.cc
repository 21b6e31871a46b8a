#include "training/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cpu.h"
#include "data/file.h"
#include "data/pipeline.h"
#include "distributed/straggler.h"
#include "google/protobuf/message.h"
#include "layers/network/network_text.h"
#include "nlohmann/json.hpp"
#include "training/plan_report.h"
#include "training/run_directory.h"
#include "training/run_evaluation.h"
#include "training/run_state.h"
#include "training/source.h"
#include "training/step.h"
#include "training/targets.h"

namespace cotangent::training {
namespace {

using Clock = std::chrono::steady_clock;
using layers::ParameterStore;
using nlohmann::json;

constexpr char kBestCheckpoint[] = "best.safetensors";
// The steps a trace shows, counted from the first of the run: the first two warm up.
constexpr int64_t kFirstTracedStep = 2, kTracedSteps = 3;

// The learning rate has gone up where it is more than so many times what it was.
constexpr double kJump = 1.01;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What goes wrong while running has another exit code than what is wrong with the input.
absl::Status Running(const absl::Status& status) {
  if (absl::IsCancelled(status)) return status;
  return absl::UnavailableError(status.message());
}

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
  void Begin() { observer_.Begins({step_.get(), &network_, normalization_}); }
  absl::StatusOr<RunResult> Run();

 private:
  absl::Status PrepareStep(std::future<absl::StatusOr<data::Dataset>>& train_loading);
  absl::Status PrepareRun(std::future<absl::StatusOr<data::Dataset>>& train_loading);
  absl::Status CheckRanks() const;
  absl::Status Resume(const FoundCheckpoint& found);
  // Where the run goes on in its schedule after `before`, whatever batches that was made with.
  int64_t PositionAfter(const RunState& before) const;
  void CompareWithResumed() const;
  absl::Status TakeTrainSet(std::future<absl::StatusOr<data::Dataset>>& loading);
  absl::Status ResolveNormalization();
  absl::Status PrepareData();
  absl::Status Advance();
  absl::Status MakeStep();
  bool AnyInterrupted();
  void CountSeconds(double seconds);
  absl::Status HandleNonFinite(float loss);
  void LogStep(float loss);
  // Looks how long each rank computed since the last call, without its waiting for others.
  void WatchRanks(json& line);
  absl::Status AtEpochEnd();
  // Evaluates; on the test images and with test-time averaging, too, at the end of the run.
  absl::Status Evaluate(bool is_last);
  absl::Status EvaluateAtEnd(json& line);
  std::optional<FoundCheckpoint> BestForTheEnd();
  void Take(const Evaluator::Result& result, data::Split split, json& line);
  // Keeps the checkpoint if the validation images say that it is the best; counts, if not.
  void NoteValidation();
  void Log(const json& object, bool is_evaluation);
  absl::Status Write(const std::string& path);
  void Save();
  RunNumbers Numbers() const;

  // Steps of the schedule that are done: those made, but for a run that went on with other batches.
  int64_t position() const { return state_.step - run_.updates_ahead; }
  double Epochs() const {
    return static_cast<double>(position()) / static_cast<double>(run_.steps_per_epoch);
  }
  int64_t Epoch() const { return position() / run_.steps_per_epoch; }
  bool IsEpochEnd() const {
    return position() % run_.steps_per_epoch == 0 || position() == run_.total_steps;
  }
  // Whether this call's last step is made.
  bool IsDone() const {
    return position() >= run_.total_steps || IsOutOfPatience() ||
           (options_.max_steps > 0 && state_.step >= options_.max_steps);
  }
  bool IsOutOfPatience() const {
    const int64_t patience = network_.train().stop().patience();
    return patience > 0 && state_.stale >= patience;
  }
  // At the end of an epoch.
  bool IsEvaluationDue() const {
    const int64_t every = network_.train().evaluation().every_epochs();
    return every > 0 && Epoch() % every == 0 && !IsDone();
  }
  bool IsBestByLoss() const {
    return network_.train().evaluation().best() == layers::Train::Evaluation::LOSS;
  }

  const RunOptions& options_;
  layers::Network network_;  // with the normalisation written down
  layers::Tuner* const tuner_;
  RunObserver& observer_;
  distributed::Communicator& ranks_;

  optim::RunLength run_;
  StepOptions step_options_;
  data::Normalization normalization_;
  data::Dataset train_set_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<data::Pipeline> pipeline_;
  std::unique_ptr<RunEvaluation> evaluation_;
  std::unique_ptr<MetricsLog> metrics_;
  Trace trace_;

  RunState state_;                  // all that checkpoints hold beside tensors
  std::optional<RunState> before_;  // of the checkpoint that the run goes on from

  // Of this process.
  int64_t saved_step_ = -1;
  absl::Status save_status_, log_status_;
  double save_seconds_ = 0;  // in writing checkpoints
  int64_t own_steps_ = 0, own_skipped_ = 0;
  double own_seconds_ = 0;
  // Of this rank, in all: seconds in training steps, those of them waited for others, those in which
  // gradients were under way; steps.
  struct Watch {
    double seconds = 0, waited = 0, under_way = 0;
    int64_t steps = 0;
  };
  Watch watched_;             // at the last line of metrics
  double waited_before_ = 0;  // the first step
  bool was_straggler_ = false;
  std::vector<std::string> hosts_;  // by rank
  double epoch_seconds_ = 0;        // since the epoch, or the resumption, began
  int64_t epoch_steps_ = 0;
  RunResult result_;
  int64_t evaluated_step_ = -1;
};

// Waits for the training images; the second call does nothing.
absl::Status Trainer::TakeTrainSet(std::future<absl::StatusOr<data::Dataset>>& loading) {
  if (!loading.valid()) return absl::OkStatus();
  absl::StatusOr<data::Dataset> train_set = loading.get();
  if (!train_set.ok()) return train_set.status();
  train_set_ = *std::move(train_set);
  return absl::OkStatus();
}

absl::Status Trainer::Prepare() {
  // Reading the data and planning the step go side by side.
  std::future<absl::StatusOr<data::Dataset>> train_loading =
      std::async(std::launch::async, [this] { return options_.data.load(data::Split::kTrain); });
  if (absl::Status status = distributed::Agree(ranks_, PrepareStep(train_loading)); !status.ok())
    return status;
  if (absl::Status status = CheckRanks(); !status.ok()) return status;
  if (!IsDone()) {
    if (absl::Status status = step_->Prepare(position()); !status.ok()) return status;
    if (ranks_.ranks() > 1) observer_.Say(step_->DescribeBuckets());
  }
  if (absl::Status status = distributed::Agree(ranks_, PrepareRun(train_loading)); !status.ok())
    return status;
  return distributed::CheckSame(ranks_,
                                {{"the checksum of the training images", state_.data_checksum}});
}

// What would make ranks compute different steps.
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
  step_options_ = {PrecisionOf(network_),  options_.exact, options_.threads, {}, &ranks_,
                   options_.sent_gradients};
  if (options_.resume_from.has_value()) {
    if (absl::Status status = Resume(*options_.resume_from); !status.ok()) return status;
  }
  // Weights of classes follow from the images, and are part of the network to be planned.
  if (network_.train().class_weight() == layers::Train::BALANCED) {
    if (absl::Status status = TakeTrainSet(train_loading); !status.ok()) return status;
    WriteBalancedWeights(train_set_, network_);
  }
  absl::StatusOr<ResolvedNetwork> network = Resolve(network_, options_.data.shape, ranks_.ranks());
  if (!network.ok()) return network.status();
  network->run = run_;
  absl::StatusOr<std::unique_ptr<TrainingStep>> step =
      TrainingStep::Create(*std::move(network), step_options_, tuner_);
  if (!step.ok()) return step.status();
  step_ = *std::move(step);
  if (!before_.has_value()) return absl::OkStatus();
  return Restore(options_.resume_from->checkpoint, options_.resume_from->path, *step_);
}

absl::Status Trainer::PrepareRun(std::future<absl::StatusOr<data::Dataset>>& train_loading) {
  if (absl::Status status = TakeTrainSet(train_loading); !status.ok()) return status;
  if (absl::Status status = ResolveNormalization(); !status.ok()) return status;
  if (train_set_.target_kind == data::TargetKind::kNumbers) WriteTargetScale(train_set_, network_);
  result_.measure = MeasureOf(TargetKindOf(network_));
  evaluation_ = std::make_unique<RunEvaluation>(network_, options_.data, train_set_, normalization_,
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
  if (before_.has_value()) {
    CompareWithResumed();
  } else if (absl::Status status = step_->Initialise(&train_set_, normalization_); !status.ok()) {
    return status;
  } else if (options_.init_from.has_value()) {
    absl::StatusOr<std::string> report = TakeInitialWeights(*options_.init_from, step_->store());
    if (!report.ok()) return report.status();
    observer_.Say(*report);
    step_->optimizer().Initialise(step_->store().values());
  }
  return PrepareData();
}

// What the recipe says, else what is known of the data, else what the training images say. It is
// written into the recipe, so that a checkpoint needs no data to be used.
absl::Status Trainer::ResolveNormalization() {
  absl::StatusOr<data::Normalization> normalization = NormalizationOf(
      network_, options_.data.normalization.has_value() ? *options_.data.normalization
                                                        : data::ComputeNormalization(train_set_));
  if (!normalization.ok()) return normalization.status();
  normalization_ = *normalization;
  WriteNormalization(normalization_, network_);
  return absl::OkStatus();
}

absl::Status Trainer::PrepareData() {
  absl::StatusOr<data::PipelineOptions> options = PipelineOptionsOf(network_, normalization_);
  if (!options.ok()) return options.status();
  const bool is_much_work = !train_set_.is_in_memory() || !options->augmentation.chain.empty();
  options->workers = options_.workers > 0 ? options_.workers
                     : is_much_work       ? std::max(1, options_.threads)
                                          : 1;
  options->ranks = ranks_.ranks();
  options->rank = ranks_.rank();
  absl::StatusOr<std::unique_ptr<data::Pipeline>> pipeline =
      data::Pipeline::Create(&train_set_, *options);
  if (!pipeline.ok()) return pipeline.status();
  pipeline_ = *std::move(pipeline);
  if (position() > 0) pipeline_->Seek(Epoch(), position() % run_.steps_per_epoch);

  if (ranks_.rank() != 0) return absl::OkStatus();
  const std::string text_path = data::JoinPath(options_.output_dir, "network.textproto");
  if (absl::Status status = data::WriteFileAtomically(text_path, state_.network); !status.ok())
    return Running(status);
  absl::StatusOr<std::unique_ptr<MetricsLog>> metrics =
      MetricsLog::Open(data::JoinPath(options_.output_dir, "metrics.jsonl"), state_.step);
  if (!metrics.ok()) return Running(metrics.status());
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

int64_t Trainer::PositionAfter(const RunState& before) const {
  double epochs = before.epochs;
  if (epochs == 0 && before.step > 0) {
    // Checkpoints of earlier versions do not say: all their steps were of their recipe's batch.
    const absl::StatusOr<layers::Network> network = layers::ParseNetwork(before.network);
    const int64_t batch = network.ok() ? network->train().batch_size() : 0;
    const int64_t steps = batch > 0 ? options_.data.shape.images / batch : 0;
    epochs = static_cast<double>(before.step) /
             static_cast<double>(steps > 0 ? steps : run_.steps_per_epoch);
  }
  return std::llround(epochs * static_cast<double>(run_.steps_per_epoch));
}

absl::Status Trainer::Resume(const FoundCheckpoint& found) {
  absl::StatusOr<RunState> before = ReadRunState(found.checkpoint, found.path);
  if (!before.ok()) return before.status();
  before_ = *before;
  state_.step = before->step;
  state_.train_seconds = before->train_seconds;
  state_.epoch_loss = before->epoch_loss;
  state_.epoch_losses = before->epoch_losses;
  state_.skipped = before->skipped;
  state_.learning_rate = before->learning_rate;
  state_.best = before->best;
  state_.best_step = before->best_step;
  state_.stale = before->stale;
  state_.validated_step = before->validated_step;
  run_.updates_ahead = before->step - PositionAfter(*before);
  step_options_.choices = before->choices;
  saved_step_ = before->step;
  return absl::OkStatus();
}

// What keeps a resumed run from computing the same bits as an undisturbed one is told, and where
// more epochs raise the learning rate.
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

absl::Status Trainer::Write(const std::string& path) {
  state_.epochs = Epochs();
  state_.choices = step_->choices();
  const Clock::time_point start = Clock::now();
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
  // What kept the last one from being written may have kept its half from being removed.
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
  if (ranks_.ranks() > 1) WatchRanks(line);
  Log(line, /*is_evaluation=*/false);
}

void Trainer::WatchRanks(json& line) {
  const Watch now = {own_seconds_, ranks_.SecondsWaited(), step_->SecondsUnderWay(), own_steps_};
  const double steps = static_cast<double>(std::max<int64_t>(1, now.steps - watched_.steps)),
               waited = (now.waited - watched_.waited) / steps,
               computed = (now.seconds - watched_.seconds) / steps - waited;
  line["communication_seconds"] = (now.under_way - watched_.under_way) / steps;
  line["waited_seconds"] = waited;
  const std::vector<double> of_ranks = distributed::GatherNumber(ranks_, computed);
  line["computing_seconds_by_rank"] = of_ranks;
  const std::string straggler = distributed::DescribeStraggler(of_ranks, hosts_);
  // The first steps are measured beside what each rank still has to make ready.
  if (watched_.steps > 0 && !straggler.empty() && !was_straggler_) observer_.Say(straggler);
  was_straggler_ = !straggler.empty();
  watched_ = now;
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
  if (own_seconds_ > 0) numbers.waiting = (ranks_.SecondsWaited() - waited_before_) / own_seconds_;
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
               {"train_loss", Numbers().loss},
               {"checkpoint_seconds", save_seconds_}};
  if (evaluated_step_ != state_.step) {
    const absl::StatusOr<Evaluator::Result> watched =
        evaluation_->Watched([this] { return observer_.Interrupted(); });
    if (!watched.ok()) return watched.status();
    Take(*watched, options_.data.watched, line);
    evaluated_step_ = state_.step;
    // Where a run is cut short within an epoch, an undisturbed one would not have looked.
    if (options_.data.watched == data::Split::kValidation && IsEpochEnd()) NoteValidation();
  }
  if (is_last) {
    if (absl::Status status = EvaluateAtEnd(line); !status.ok()) return status;
  }
  Log(line, /*is_evaluation=*/true);
  return absl::OkStatus();
}

absl::Status Trainer::EvaluateAtEnd(json& line) {
  const std::optional<FoundCheckpoint> best = BestForTheEnd();
  const absl::StatusOr<RunEvaluation::Final> final = evaluation_->AtEnd(
      [this] { return observer_.Interrupted(); }, best.has_value() ? &*best : nullptr);
  if (!final.ok()) return final.status();
  if (options_.data.final == data::Split::kTest)
    line["test_step"] = best.has_value() ? state_.best_step : state_.step;
  Take(final->plain.value_or(Evaluator::Result{result_.score, result_.loss}), options_.data.final,
       line);
  result_.tta_score = final->averaged.has_value() ? final->averaged->score : result_.score;
  line[absl::StrCat("tta_", result_.measure.key)] = result_.tta_score;
  return absl::OkStatus();
}

// Where there are validation images the test images see the parameters that did best on them.
std::optional<FoundCheckpoint> Trainer::BestForTheEnd() {
  if (options_.data.watched != data::Split::kValidation ||
      options_.data.final != data::Split::kTest || ranks_.rank() != 0 || state_.best_step < 0 ||
      state_.best_step == state_.step)
    return std::nullopt;
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
  step_->CompleteState();
  const absl::Status status = distributed::AtRankZero(
      ranks_, [this] { return Write(data::JoinPath(options_.output_dir, kBestCheckpoint)); });
  if (!status.ok())
    observer_.Say(absl::StrCat("no ", kBestCheckpoint, " of step ", state_.step, ": ",
                               status.message(), "; training goes on"));
}

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
  const std::vector<CheckpointFile> files = ListCheckpoints(options_.output_dir);
  return absl::AbortedError(absl::StrCat(
      where, "; first not finite: ", step_->FindNonFinite(position()),
      "; try a smaller learning rate, clip_norm in the optimizer, or --on_nonfinite=skip; ",
      files.empty() ? "there is no checkpoint before it"
                    : absl::StrCat("the last good checkpoint is ", files[0].path)));
}

absl::Status Trainer::MakeStep() {
  const Clock::time_point start = Clock::now();
  const int64_t position = this->position();
  if (absl::Status status = step_->Prepare(position); !status.ok()) return Running(status);
  const bool is_traced = !options_.profile_path.empty() && own_steps_ >= kFirstTracedStep &&
                         trace_.steps() < kTracedSteps;
  if (is_traced) step_->plan().EnableTiming();
  const data::Pipeline::Batch batch = pipeline_->Next();
  if (!batch.status.ok()) return batch.status;
  const int64_t parts = step_->parts(), size = batch.size / parts;
  const int64_t floats = size * train_set_.image_bytes();
  const int64_t bytes_of_target = BytesOfTarget(*step_);
  const Clock::time_point batch_ready = Clock::now();
  for (int64_t part = 0; part < parts; ++part) {
    std::memcpy(step_->images(), static_cast<const float*>(batch.images) + part * floats,
                floats * sizeof(float));
    std::memcpy(step_->targets(),
                static_cast<const char*>(batch.targets) + part * size * bytes_of_target,
                size * bytes_of_target);
    step_->RunPart(position, part);
  }
  const TrainingStep::Outcome outcome = step_->Update(position);
  if (is_traced) {
    trace_.AddStep(step_->plan(), state_.step, start, batch_ready, Clock::now());
    for (const TrainingStep::BucketTimes& bucket : step_->LastBuckets())
      trace_.AddBucket(state_.step, bucket.bytes, bucket.record.begun, bucket.record.ended);
  }
  if (!outcome.finite) {
    if (absl::Status status = HandleNonFinite(outcome.loss); !status.ok()) return status;
  } else {
    state_.epoch_loss += outcome.loss;
    ++state_.epoch_losses;
  }
  state_.learning_rate = step_->optimizer().LearningRate(position);
  ++state_.step, ++own_steps_, ++epoch_steps_;
  CountSeconds(SecondsSince(start));
  if (options_.log_every > 0 && (state_.step % options_.log_every == 0 || state_.step == 1))
    LogStep(outcome.loss);
  return absl::OkStatus();
}

absl::Status Trainer::AtEpochEnd() {
  const bool evaluates = IsEvaluationDue();
  // Where evaluations count towards the run's end, the checkpoint is to know of them.
  const bool is_validated = options_.data.watched == data::Split::kValidation;
  if (options_.checkpoint_every == 0 && !(evaluates && is_validated)) Save();
  if (evaluates) {
    const absl::Status status = Evaluate(false);
    if (options_.checkpoint_every == 0) Save();
    if (!status.ok()) return status;
  }
  if (IsDone()) return absl::OkStatus();
  observer_.AtEpochEnd(Numbers(), evaluates ? &result_ : nullptr);
  return absl::OkStatus();
}

// Waiting for the slowest rank counts as training.
bool Trainer::AnyInterrupted() {
  const Clock::time_point start = Clock::now();
  const bool interrupted = distributed::Any(ranks_, observer_.Interrupted());
  CountSeconds(SecondsSince(start));
  return interrupted;
}

void Trainer::CountSeconds(double seconds) {
  state_.train_seconds += seconds, own_seconds_ += seconds, epoch_seconds_ += seconds;
}

// One step and what is due after it. Cancelled where planning was.
absl::Status Trainer::Advance() {
  if (position() % run_.steps_per_epoch == 0)
    state_.epoch_loss = 0, state_.epoch_losses = 0, epoch_seconds_ = 0, epoch_steps_ = 0;
  if (absl::Status status = MakeStep(); !status.ok()) return status;
  if (own_steps_ == 1) {
    // Early, so that what is wrong with the test images or memory shows at once.
    if (absl::Status status = evaluation_->Prepare(); !status.ok()) return status;
  }
  observer_.AtStep(Numbers());
  if (options_.checkpoint_every > 0 && state_.step % options_.checkpoint_every == 0) Save();
  if (IsEpochEnd()) {
    if (absl::Status status = AtEpochEnd(); !status.ok()) return status;
  }
  if (trace_.steps() == kTracedSteps) {
    if (absl::Status status = trace_.Write(options_.profile_path); !status.ok())
      return Running(status);
  }
  return AnyInterrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
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
  hosts_ = ranks_.Gather(ranks_.host());
  watched_.waited = waited_before_ = ranks_.SecondsWaited();
  absl::Status status;
  // A run that was interrupted in an evaluation makes up for it, since the end may hang on it.
  if (before_.has_value() && options_.data.watched == data::Split::kValidation && IsEpochEnd() &&
      IsEvaluationDue() && state_.validated_step != state_.step)
    status = Evaluate(false);
  while (!IsDone() && status.ok()) status = Advance();
  if (!status.ok() && !absl::IsCancelled(status)) return status;
  Save();
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
  result_.ran_out_of_patience = IsOutOfPatience();
  result_.epochs = Epochs();
  result_.train_seconds = state_.train_seconds;
  return result_;
}

}  // namespace

absl::StatusOr<RunResult> Train(const RunOptions& options, layers::Tuner* tuner,
                                RunObserver& observer) {
  Trainer trainer(options, tuner, observer);
  if (absl::Status status = trainer.Prepare(); !status.ok()) return status;
  observer.PlanIsReady();
  trainer.Begin();
  return trainer.Run();
}

}  // namespace cotangent::training
