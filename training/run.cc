#include "training/run.h"

#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <future>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/file.h"
#include "data/pipeline.h"
#include "layers/network/network_text.h"
#include "nlohmann/json.hpp"
#include "tensor/cpu.h"
#include "tensor/onednn.h"
#include "training/evaluation.h"
#include "training/plan_report.h"
#include "training/progress.h"
#include "training/run_directory.h"
#include "training/step.h"

namespace cotangent::training {
namespace {

using Clock = std::chrono::steady_clock;
using layers::ParameterStore;
using nlohmann::json;

constexpr char kOptimizerPrefix[] = "optimizer/";
constexpr char kAveragePrefix[] = "ema/";
// Evaluation takes the training batch, whose convolutions have been measured, unless that is
// smaller than this.
constexpr int64_t kSmallestEvaluationBatch = 32;
// The steps a trace shows, counted from the first of the run: the first two warm up.
constexpr int64_t kFirstTracedStep = 2, kTracedSteps = 3;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

data::Augmentation AugmentationOf(const layers::Train::Augmentation& text) {
  data::Augmentation augmentation;
  augmentation.flip = text.flip() == layers::Train::Augmentation::RANDOM ? data::Flip::kRandom
                      : text.flip() == layers::Train::Augmentation::ALTERNATING
                          ? data::Flip::kAlternating
                          : data::Flip::kNone;
  // Beyond what any image can be: the pipeline refuses it with its own message.
  constexpr int64_t kTooMuch = 1 << 20;
  augmentation.crop_padding = static_cast<int>(std::clamp<int64_t>(text.crop(), -1, kTooMuch));
  augmentation.padding = text.crop_border() == layers::Train::Augmentation::REFLECT
                             ? data::Padding::kReflect
                             : data::Padding::kZero;
  augmentation.cutout = static_cast<int>(std::clamp<int64_t>(text.cutout(), -1, kTooMuch));
  return augmentation;
}

// Identifies the program by its own bytes.
std::string BuildChecksum() {
  absl::StatusOr<std::string> program = data::ReadFile("/proc/self/exe");
  return program.ok() ? absl::StrFormat("%08x", Crc32c(*program)) : "unknown";
}

std::string ChecksumOf(const data::Dataset& dataset) {
  const auto bytes = [](const std::vector<uint8_t>& values) {
    return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size());
  };
  return absl::StrFormat("%08x%08x", Crc32c(bytes(dataset.images)), Crc32c(bytes(dataset.labels)));
}

std::string ChoicesText(const absl::flat_hash_map<std::string, std::string>& choices) {
  json object = json::object();
  for (const auto& [operation, choice] : choices) object[operation] = choice;
  return object.dump();
}

absl::flat_hash_map<std::string, std::string> ParseChoices(const std::string& text) {
  absl::flat_hash_map<std::string, std::string> choices;
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return choices;
  for (const auto& [operation, choice] : object.items()) {
    if (choice.is_string()) choices[operation] = choice.get<std::string>();
  }
  return choices;
}

// A double that comes back with the same bits.
std::string Exactly(double value) { return absl::StrFormat("%a", value); }
double FromExact(const std::string& text) { return strtod(text.c_str(), nullptr); }

// What goes wrong while running has another exit code than what is wrong with the input.
absl::Status Running(const absl::Status& status) {
  if (absl::IsCancelled(status)) return status;
  return absl::UnavailableError(status.message());
}

class Trainer {
 public:
  Trainer(const TrainerOptions& options, layers::Tuner* tuner, std::function<bool()> interrupted)
      : options_(options),
        network_(options.network),
        tuner_(tuner),
        interrupted_(std::move(interrupted)) {}

  absl::Status Prepare();
  absl::StatusOr<TrainingResult> Run();

 private:
  absl::Status PrepareData();
  absl::Status Resume(const FoundCheckpoint& found);
  void CompareWithResumed(const Checkpoint& checkpoint) const;
  absl::Status PrepareEvaluation();
  absl::Status Advance();
  absl::Status MakeStep();
  absl::Status HandleNonFinite(float loss);
  void LogStep(float loss);
  absl::Status AtEpochEnd();
  // Evaluates; with test-time averaging, too, at the end of the run.
  absl::Status Evaluate(bool is_last);
  void Log(const json& object);
  void Save();
  Metadata DescribeState();
  Progress::Numbers Numbers() const;
  bool IsEpochEnd() const {
    return step_number_ % run_.steps_per_epoch == 0 || step_number_ == run_.total_steps;
  }
  int64_t Epoch() const { return step_number_ / run_.steps_per_epoch; }

  const TrainerOptions& options_;
  const layers::Network& network_;
  layers::Tuner* const tuner_;
  const std::function<bool()> interrupted_;

  optim::RunLength run_;
  int64_t last_step_ = 0;  // where this call stops
  StepOptions step_options_;
  data::Normalization normalization_;
  std::future<absl::StatusOr<data::Dataset>> test_loading_;
  data::Dataset train_set_, test_set_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<data::Pipeline> pipeline_;
  std::unique_ptr<ParameterStore>
      averaged_;  // what evaluation uses, where that is not the parameters themselves
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<Progress> progress_;
  Trace trace_;
  const std::string build_ = BuildChecksum();
  std::string data_checksum_;  // of the training images and their labels

  // The state of the run, all of it in checkpoints.
  int64_t step_number_ = 0;  // steps made
  double train_seconds_ = 0;
  double epoch_loss_ = 0;  // sum over the epoch's steps so far
  int64_t epoch_losses_ = 0;
  int64_t skipped_ = 0;

  // Of this process.
  int64_t saved_step_ = -1;
  absl::Status save_status_, log_status_;
  double save_seconds_ = 0;  // in writing checkpoints
  int64_t own_steps_ = 0, own_skipped_ = 0;
  double own_seconds_ = 0;
  double epoch_seconds_ = 0;  // since the epoch, or the resumption, began
  int64_t epoch_steps_ = 0;
  TrainingResult result_;
  int64_t evaluated_step_ = -1;
};

absl::Status Trainer::Prepare() {
  if (absl::Status status = CheckImages(network_); !status.ok()) return status;
  absl::StatusOr<data::Normalization> normalization = NormalizationOf(network_, options_.dataset);
  if (!normalization.ok()) return normalization.status();
  normalization_ = *normalization;
  absl::StatusOr<optim::RunLength> run = RunLengthOf(network_, TrainingImages(options_.dataset));
  if (!run.ok()) return run.status();
  run_ = *run;
  last_step_ =
      options_.max_steps > 0 ? std::min(options_.max_steps, run_.total_steps) : run_.total_steps;

  // Reading the data and planning the step go side by side.
  const auto load = [this](data::Split split) {
    return std::async(std::launch::async, [this, split] {
      return data::Load(options_.dataset, options_.data_dir, split);
    });
  };
  std::future<absl::StatusOr<data::Dataset>> train_loading = load(data::Split::kTrain);
  step_options_ = {PrecisionOf(network_), options_.exact, options_.threads, {}};
  if (options_.resume_from.has_value())
    step_options_.choices = ParseChoices(options_.resume_from->checkpoint.Get("choices"));
  absl::StatusOr<std::unique_ptr<TrainingStep>> step =
      TrainingStep::Create(network_, Classes(options_.dataset), run_, step_options_, tuner_);
  if (!step.ok()) return step.status();
  step_ = *std::move(step);
  if (options_.resume_from.has_value()) {
    if (absl::Status status = Resume(*options_.resume_from); !status.ok()) return status;
  }
  if (step_number_ < last_step_) {
    if (absl::Status status = step_->Prepare(step_number_); !status.ok()) return status;
  }
  absl::StatusOr<data::Dataset> train_set = train_loading.get();
  if (!train_set.ok()) return train_set.status();
  train_set_ = *std::move(train_set);
  data_checksum_ = ChecksumOf(train_set_);
  if (options_.resume_from.has_value()) CompareWithResumed(options_.resume_from->checkpoint);
  test_loading_ = load(data::Split::kTest);
  if (!options_.resume_from.has_value()) {
    if (absl::Status status = step_->Initialise(&train_set_, normalization_); !status.ok())
      return status;
  }
  return PrepareData();
}

absl::Status Trainer::PrepareData() {
  data::PipelineOptions options;
  options.batch_size = static_cast<int>(network_.train().batch_size());
  options.seed = network_.train().seed();
  options.augmentation = AugmentationOf(network_.train().augmentation());
  options.normalization = normalization_;
  absl::StatusOr<std::unique_ptr<data::Pipeline>> pipeline =
      data::Pipeline::Create(&train_set_, options);
  if (!pipeline.ok()) return pipeline.status();
  pipeline_ = *std::move(pipeline);
  if (step_number_ > 0) pipeline_->Seek(Epoch(), step_number_ % run_.steps_per_epoch);

  const std::string text_path = data::JoinPath(options_.output_dir, "network.textproto");
  if (absl::Status status = data::WriteFileAtomically(text_path, layers::NetworkText(network_));
      !status.ok())
    return Running(status);
  absl::StatusOr<std::unique_ptr<MetricsLog>> metrics =
      MetricsLog::Open(data::JoinPath(options_.output_dir, "metrics.jsonl"), step_number_);
  if (!metrics.ok()) return Running(metrics.status());
  metrics_ = *std::move(metrics);
  progress_ =
      std::make_unique<Progress>(static_cast<double>(run_.total_steps) / run_.steps_per_epoch,
                                 run_.steps_per_epoch, run_.total_steps);
  return absl::OkStatus();
}

absl::Status Trainer::Resume(const FoundCheckpoint& found) {
  const Checkpoint& checkpoint = found.checkpoint;
  if (!absl::SimpleAtoi(checkpoint.Get("step"), &step_number_) || step_number_ < 0) {
    return absl::InvalidArgumentError(absl::StrCat(found.path, ": its metadata name no step"));
  }
  ParameterStore& store = step_->store();
  if (absl::Status status =
          CopyTensors(checkpoint, found.path, store.parameters(), "", store.values());
      !status.ok())
    return status;
  if (absl::Status status =
          CopyTensors(checkpoint, found.path, store.states(), "", store.state_values());
      !status.ok())
    return status;
  optim::Optimizer& optimizer = step_->optimizer();
  optimizer.Initialise(store.values());
  for (const optim::StateSlice& slice : optimizer.StateSlices()) {
    const Checkpoint::Tensor* tensor = checkpoint.Find(absl::StrCat(kOptimizerPrefix, slice.name));
    if (tensor == nullptr || tensor->size != slice.size) {
      return absl::InvalidArgumentError(
          absl::StrCat(found.path, ": holds no optimizer state ", slice.name, " of ", slice.size,
                       " numbers; it was made with another optimizer: use the same one, or another "
                       "--output_dir"));
    }
    checkpoint.CopyTo(*tensor, optimizer.State().data() + slice.offset);
  }
  train_seconds_ = FromExact(checkpoint.Get("train_seconds"));
  epoch_loss_ = FromExact(checkpoint.Get("epoch_loss"));
  (void)!absl::SimpleAtoi(checkpoint.Get("epoch_losses"), &epoch_losses_);
  (void)!absl::SimpleAtoi(checkpoint.Get("skipped"), &skipped_);
  saved_step_ = step_number_;
  return absl::OkStatus();
}

// What keeps a resumed run from computing the same bits as an undisturbed one is told.
void Trainer::CompareWithResumed(const Checkpoint& checkpoint) const {
  const auto differ = [&](const std::string& key, const std::string& now, const char* what) {
    const std::string before = checkpoint.Get(key);
    if (!before.empty() && before != now)
      fprintf(stderr,
              "note: the checkpoint was made with %s %s, this run has %s: results will differ a "
              "little from an undisturbed run's\n",
              what, before.c_str(), now.c_str());
  };
  differ("threads", absl::StrCat(options_.threads), "threads");
  differ("precision", step_options_.precision == tensor::ElementType::kBf16 ? "bf16" : "f32",
         "precision");
  differ("onednn", tensor::onednn::Version(), "oneDNN");
  differ("processor", tensor::ProcessorName(), "the processor");
  differ("build", build_, "build");
  differ("data", data_checksum_, "the training images");
  differ("exact", options_.exact ? "1" : "0", "--exact");
  if (checkpoint.Get("network") != layers::NetworkText(network_)) {
    fprintf(stderr,
            "note: the network text differs from the checkpoint's; going on with the new one\n");
  }
}

Metadata Trainer::DescribeState() {
  return {{"step", absl::StrCat(step_number_)},
          {"epoch", absl::StrCat(Epoch())},
          {"seed", absl::StrCat(network_.train().seed())},
          {"network", layers::NetworkText(network_)},
          {"dataset", std::string(data::ToString(options_.dataset))},
          {"data", data_checksum_},
          {"precision", step_options_.precision == tensor::ElementType::kBf16 ? "bf16" : "f32"},
          {"exact", options_.exact ? "1" : "0"},
          {"threads", absl::StrCat(options_.threads)},
          {"choices", ChoicesText(step_->choices())},
          {"train_seconds", Exactly(train_seconds_)},
          {"epoch_loss", Exactly(epoch_loss_)},
          {"epoch_losses", absl::StrCat(epoch_losses_)},
          {"skipped", absl::StrCat(skipped_)},
          {"build", build_},
          {"onednn", tensor::onednn::Version()},
          {"processor", tensor::ProcessorName()}};
}

void Trainer::Save() {
  if (saved_step_ == step_number_) return;
  ParameterStore& store = step_->store();
  optim::Optimizer& optimizer = step_->optimizer();
  std::vector<CheckpointTensor> tensors;
  const auto dims = [](const tensor::Shape& shape) {
    return std::vector<int64_t>(shape.begin(), shape.end());
  };
  for (const ParameterStore::Slot& slot : store.parameters())
    tensors.push_back({slot.name, dims(slot.shape), store.values() + slot.offset});
  for (const ParameterStore::Slot& slot : store.states())
    tensors.push_back({slot.name, dims(slot.shape), store.state_values() + slot.offset});
  for (const optim::StateSlice& slice : optimizer.StateSlices()) {
    tensors.push_back({absl::StrCat(kOptimizerPrefix, slice.name),
                       step_->slices()[slice.parameter].shape,
                       optimizer.State().data() + slice.offset});
  }
  if (const float* average = optimizer.EvaluationParameters(store.values());
      average != store.values()) {
    for (const ParameterStore::Slot& slot : store.parameters())
      tensors.push_back(
          {absl::StrCat(kAveragePrefix, slot.name), dims(slot.shape), average + slot.offset});
  }
  const std::string path = CheckpointPath(options_.output_dir, step_number_);
  const Clock::time_point start = Clock::now();
  const bool failed_before = !save_status_.ok();
  save_status_ = WriteCheckpoint(path, DescribeState(), tensors);
  save_seconds_ += SecondsSince(start);
  if (!save_status_.ok()) {
    progress_->Say(absl::StrCat("no checkpoint of step ", step_number_, ": ",
                                save_status_.message(),
                                "; those before it are kept, training goes on"));
    return;
  }
  saved_step_ = step_number_;
  // What kept the last one from being written may have kept its half from being removed.
  if (failed_before) RemoveTemporaryFiles(options_.output_dir);
  RemoveOldCheckpoints(options_.output_dir, options_.keep);
}

void Trainer::Log(const json& object) {
  const absl::Status status = metrics_->Append(object.dump());
  if (!status.ok() && log_status_.ok())
    progress_->Say(absl::StrCat(status.message(), "; lines wait in memory"));
  log_status_ = status;
}

void Trainer::LogStep(float loss) {
  json line = {
      {"step", step_number_},
      {"epoch", static_cast<double>(step_number_) / static_cast<double>(run_.steps_per_epoch)},
      {"train_seconds", train_seconds_},
      {"train_loss", loss},
      {"learning_rate", step_->optimizer().LearningRate(step_number_ - 1)},
      {"images_per_second", Numbers().images_per_second}};
  if (skipped_ > 0) line["skipped_steps"] = skipped_;
  Log(line);
}

Progress::Numbers Trainer::Numbers() const {
  Progress::Numbers numbers;
  numbers.steps = step_number_;
  numbers.loss = epoch_losses_ > 0 ? epoch_loss_ / static_cast<double>(epoch_losses_) : NAN;
  numbers.learning_rate = step_->optimizer().LearningRate(std::max<int64_t>(step_number_ - 1, 0));
  if (epoch_seconds_ > 0)
    numbers.images_per_second =
        static_cast<double>(epoch_steps_ * network_.train().batch_size()) / epoch_seconds_;
  if (own_steps_ > 0)
    numbers.seconds_left = own_seconds_ / static_cast<double>(own_steps_) *
                           static_cast<double>(run_.total_steps - step_number_);
  return numbers;
}

absl::Status Trainer::PrepareEvaluation() {
  if (evaluator_ != nullptr) return absl::OkStatus();
  if (test_loading_.valid()) {
    absl::StatusOr<data::Dataset> test_set = test_loading_.get();
    if (!test_set.ok()) return test_set.status();
    test_set_ = *std::move(test_set);
  }
  ParameterStore* store = &step_->store();
  if (network_.train().optimizer().has_ema()) {
    absl::StatusOr<std::unique_ptr<ParameterStore>> averaged =
        ParameterStore::Create(step_->network().graph);
    if (!averaged.ok()) return averaged.status();
    averaged_ = *std::move(averaged);
    store = averaged_.get();
  }
  int64_t batch = network_.train().batch_size();
  if (batch < kSmallestEvaluationBatch) batch = 4 * kSmallestEvaluationBatch;
  absl::StatusOr<std::unique_ptr<Evaluator>> evaluator =
      Evaluator::Create(network_, Classes(options_.dataset), std::min(batch, test_set_.size()),
                        step_options_, *store, *tuner_);
  if (!evaluator.ok()) return evaluator.status();
  evaluator_ = *std::move(evaluator);
  return absl::OkStatus();
}

absl::Status Trainer::Evaluate(bool is_last) {
  if (evaluated_step_ == step_number_ && !is_last) return absl::OkStatus();
  if (absl::Status status = PrepareEvaluation(); !status.ok()) return status;
  if (averaged_ != nullptr) {
    ParameterStore& store = step_->store();
    std::copy_n(step_->optimizer().EvaluationParameters(store.values()), store.parameter_floats(),
                averaged_->values());
    std::copy_n(store.state_values(), store.state_floats(), averaged_->state_values());
  }
  evaluator_->ParametersChanged();
  const auto cancelled = [this] { return interrupted_(); };
  json line = {
      {"step", step_number_},
      {"epoch", static_cast<double>(step_number_) / static_cast<double>(run_.steps_per_epoch)},
      {"train_seconds", train_seconds_},
      {"train_loss", Numbers().loss},
      {"checkpoint_seconds", save_seconds_}};
  if (evaluated_step_ != step_number_) {
    absl::StatusOr<Evaluator::Result> plain = evaluator_->Evaluate(
        test_set_, normalization_, ViewsOf(layers::Train::Evaluation::NONE), cancelled);
    if (!plain.ok()) return plain.status();
    result_.test_accuracy = plain->accuracy;
    result_.test_loss = plain->loss;
    evaluated_step_ = step_number_;
  }
  line["test_accuracy"] = result_.test_accuracy;
  line["test_loss"] = result_.test_loss;
  if (is_last) {
    const auto averaging = TestTimeAveragingOf(network_);
    result_.tta_accuracy = result_.test_accuracy;
    if (averaging != layers::Train::Evaluation::NONE) {
      absl::StatusOr<Evaluator::Result> averaged =
          evaluator_->Evaluate(test_set_, normalization_, ViewsOf(averaging), cancelled);
      if (!averaged.ok()) return averaged.status();
      result_.tta_accuracy = averaged->accuracy;
    }
    line["tta_accuracy"] = result_.tta_accuracy;
  }
  Log(line);
  return absl::OkStatus();
}

absl::Status Trainer::HandleNonFinite(float loss) {
  ++skipped_, ++own_skipped_;
  const std::string where = absl::StrCat(
      "step ", step_number_, " (epoch ", Epoch() + 1, "): ",
      std::isfinite(loss)
          ? "a gradient is not finite"
          : absl::StrCat("the loss is ", std::isnan(loss) ? "not a number" : "infinite"));
  if (options_.on_nonfinite == OnNonFinite::kSkip) {
    if (skipped_ == 1)
      progress_->Say(absl::StrCat(where, "; step skipped, as are all further ones of this kind"));
    return absl::OkStatus();
  }
  const std::vector<CheckpointFile> files = ListCheckpoints(options_.output_dir);
  return absl::AbortedError(absl::StrCat(
      where, "; first not finite: ", step_->FindNonFinite(step_number_),
      "; try a smaller learning rate, clip_norm in the optimizer, or --on_nonfinite=skip; ",
      files.empty() ? "there is no checkpoint before it"
                    : absl::StrCat("the last good checkpoint is ", files[0].path)));
}

absl::Status Trainer::MakeStep() {
  const Clock::time_point start = Clock::now();
  if (step_number_ >= step_->PreparedUntil()) {
    if (absl::Status status = step_->Prepare(step_number_); !status.ok()) return Running(status);
  }
  const bool is_traced = !options_.profile_path.empty() && own_steps_ >= kFirstTracedStep &&
                         trace_.steps() < kTracedSteps;
  if (is_traced) step_->plan().EnableTiming();
  const data::Pipeline::Batch batch = pipeline_->Next();
  std::memcpy(step_->images(), batch.images,
              static_cast<size_t>(batch.size) * train_set_.image_bytes() * sizeof(float));
  std::copy_n(batch.labels, batch.size, step_->labels());
  const Clock::time_point batch_ready = Clock::now();
  const TrainingStep::Outcome outcome = step_->Run(step_number_);
  if (is_traced) trace_.AddStep(step_->plan(), step_number_, start, batch_ready, Clock::now());
  if (!outcome.finite) {
    if (absl::Status status = HandleNonFinite(outcome.loss); !status.ok()) return status;
  } else {
    epoch_loss_ += outcome.loss;
    ++epoch_losses_;
  }
  ++step_number_, ++own_steps_, ++epoch_steps_;
  const double seconds = SecondsSince(start);
  train_seconds_ += seconds, own_seconds_ += seconds, epoch_seconds_ += seconds;
  if (options_.log_every > 0 && (step_number_ % options_.log_every == 0 || step_number_ == 1))
    LogStep(outcome.loss);
  return absl::OkStatus();
}

absl::Status Trainer::AtEpochEnd() {
  if (options_.checkpoint_every == 0) Save();
  const int64_t every = network_.train().evaluation().every_epochs();
  const bool evaluates = step_number_ < last_step_ && every > 0 && Epoch() % every == 0;
  if (evaluates) {
    if (absl::Status status = Evaluate(false); !status.ok()) return status;
    progress_->EndEpoch(Numbers(), result_.test_accuracy, result_.test_loss, train_seconds_);
  } else if (step_number_ < last_step_) {
    progress_->EndEpoch(Numbers(), -1, -1, train_seconds_);
  }
  return absl::OkStatus();
}

// One step and what is due after it. Cancelled where planning was.
absl::Status Trainer::Advance() {
  if (step_number_ % run_.steps_per_epoch == 0)
    epoch_loss_ = 0, epoch_losses_ = 0, epoch_seconds_ = 0, epoch_steps_ = 0;
  if (absl::Status status = MakeStep(); !status.ok()) return status;
  if (own_steps_ == 1) {
    // Early, so that what is wrong with the test images or memory shows at once.
    if (absl::Status status = PrepareEvaluation(); !status.ok()) return status;
  }
  progress_->Update(Numbers());
  if (options_.checkpoint_every > 0 && step_number_ % options_.checkpoint_every == 0) Save();
  if (IsEpochEnd()) {
    if (absl::Status status = AtEpochEnd(); !status.ok()) return status;
  }
  if (trace_.steps() == kTracedSteps) {
    if (absl::Status status = trace_.Write(options_.profile_path); !status.ok())
      return Running(status);
  }
  return interrupted_() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

absl::StatusOr<TrainingResult> Trainer::Run() {
  absl::Status status;
  while (step_number_ < last_step_ && status.ok()) status = Advance();
  if (!status.ok() && !absl::IsCancelled(status)) return status;
  Save();
  bool is_cut_short = step_number_ < last_step_;
  if (!is_cut_short) {
    const absl::Status status = Evaluate(true);
    if (!status.ok() && !absl::IsCancelled(status)) return status;
    is_cut_short = absl::IsCancelled(status);
    if (!is_cut_short)
      progress_->EndEpoch(Numbers(), result_.test_accuracy, result_.test_loss, train_seconds_);
  }
  if (absl::Status status = metrics_->Flush(); !status.ok()) return Running(status);
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
    progress_->Say(absl::StrCat("note: ", own_skipped_, " of ", own_steps_, " steps were skipped"));
  result_.interrupted = is_cut_short;
  result_.epochs = static_cast<double>(step_number_) / static_cast<double>(run_.steps_per_epoch);
  result_.train_seconds = train_seconds_;
  return result_;
}

}  // namespace

int64_t TrainingImages(data::DatasetName dataset) {
  if (dataset == data::DatasetName::kSample) return data::LoadSample(data::Split::kTrain)->size();
  int64_t bytes = 0;
  for (const data::DataFile& file : data::FilesOf(dataset, data::Split::kTrain))
    bytes += file.bytes;
  return bytes / data::RecordBytes(dataset == data::DatasetName::kCifar100
                                       ? data::RecordFormat::kCifar100
                                       : data::RecordFormat::kCifar10);
}

int64_t Classes(data::DatasetName dataset) {
  return dataset == data::DatasetName::kCifar100 ? 100 : 10;
}

absl::StatusOr<optim::RunLength> RunLengthOf(const layers::Network& network, int64_t images) {
  constexpr double kMostSteps = 1e12;
  const int64_t batch = network.train().batch_size();
  if (batch < 1 || batch > images) {
    return absl::InvalidArgumentError(
        absl::StrCat("train.batch_size is ", batch, ", the training set has ", images,
                     " images: use --batch_size=", std::min<int64_t>(images, 128), " or so"));
  }
  const int64_t steps = images / batch;
  const double total = network.train().epochs() * static_cast<double>(steps);
  if (!(total > 0) || total > kMostSteps) {
    return absl::InvalidArgumentError(absl::StrCat("train.epochs is ", network.train().epochs(),
                                                   "; expected a number above 0, and at most ",
                                                   kMostSteps, " steps"));
  }
  return optim::RunLength{steps, std::max<int64_t>(1, std::llround(total))};
}

tensor::ElementType PrecisionOf(const layers::Network& network) {
  if (network.train().precision() != layers::Train::BF16) return tensor::ElementType::kF32;
  if (tensor::onednn::Bf16Available()) return tensor::ElementType::kBf16;
  fprintf(stderr, "note: this processor has no bf16 arithmetic; running in f32\n");
  return tensor::ElementType::kF32;
}

absl::StatusOr<TrainingResult> Train(const TrainerOptions& options, layers::Tuner* tuner,
                                     const std::function<void()>& plan_is_ready,
                                     const std::function<bool()>& interrupted) {
  Trainer trainer(options, tuner, interrupted);
  if (absl::Status status = trainer.Prepare(); !status.ok()) return status;
  plan_is_ready();
  return trainer.Run();
}

}  // namespace cotangent::training
