#include "training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/pipeline.h"
#include "google/protobuf/message.h"
#include "training/step.h"

namespace cotangent::training {
namespace {

constexpr double kSmoothing = 0.9;  // weight of the earlier steps in the smoothed loss
constexpr double kBrokenAway = 3;   // the sweep ends when loss / lowest loss exceeds this
constexpr size_t kNeighbours = 4;   // points on each side of a point in the line fit for its slope

// Sets the learning rate of the optimizer (of SGD if the network text names none) to kLowestRate,
// with a schedule that multiplies it by a constant at every step. Returns the path of the learning
// rate's field in the network text (the text that describes a network and its training).
std::string PrepareRecipe(layers::Network& network) {
  optim::OptimizerConfig& optimizer = *network.mutable_train()->mutable_optimizer();
  if (optimizer.kind_case() == optim::OptimizerConfig::KIND_NOT_SET) optimizer.mutable_sgd();
  const google::protobuf::FieldDescriptor* const rule =
      optimizer.GetReflection()->GetOneofFieldDescriptor(
          optimizer, optim::OptimizerConfig::descriptor()->FindOneofByName("kind"));
  const google::protobuf::FieldDescriptor* const rate =
      rule->message_type()->FindFieldByName("learning_rate");
  google::protobuf::Message* const values =
      optimizer.GetReflection()->MutableMessage(&optimizer, rule);
  values->GetReflection()->SetDouble(values, rate, kLowestRate);
  optimizer.clear_schedule();
  auto& schedule = *optimizer.mutable_schedule()->mutable_step();
  schedule.mutable_every()->set_steps(1);
  schedule.set_factor(std::pow(kHighestRate / kLowestRate, 1.0 / (kSweepSteps - 1)));
  return absl::StrCat("train.optimizer.", rule->name(), ".learning_rate");
}

}  // namespace

double SteepestRate(absl::Span<const double> rates, absl::Span<const double> losses) {
  const auto lowest =
      static_cast<size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
  double steepest = 0, proposal = 0;
  for (size_t i = kNeighbours; i + kNeighbours < losses.size() && i <= lowest; ++i) {
    double slope = 0;
    for (size_t k = 1; k <= kNeighbours; ++k)
      slope += static_cast<double>(k) * (losses[i + k] - losses[i - k]);
    if (slope < steepest) steepest = slope, proposal = rates[i];
  }
  return proposal;
}

absl::StatusOr<LearningRateSweep> FindLearningRate(const RunOptions& options, layers::Tuner* tuner,
                                                   RunObserver& observer) {
  LearningRateSweep sweep;
  layers::Network text = options.network.text;
  sweep.field = PrepareRecipe(text);
  ASSIGN_OR_RETURN(data::Dataset images, options.data.load(data::Split::kTrain));
  if (text.train().class_weight() == layers::Train::BALANCED) WriteBalancedWeights(images, text);
  ASSIGN_OR_RETURN(const data::Normalisation normalisation,
                   NormalisationOf(text, options.data.normalisation.has_value()
                                             ? *options.data.normalisation
                                             : data::ComputeNormalisation(images)));
  if (images.target_kind == TargetKind::kNumbers) WriteTargetScale(images, text);
  ASSIGN_OR_RETURN(ResolvedNetwork network, Resolve(text, options.data.shape));
  if (const std::string note = PrecisionNote(text); !note.empty()) observer.Say(note);
  network.run.total_steps = kSweepSteps;
  ASSIGN_OR_RETURN(
      std::unique_ptr<TrainingStep> made,
      TrainingStep::Create(std::move(network),
                           {PrecisionOf(text), options.exact, options.threads, {}}, tuner));
  TrainingStep& step = *made;
  RETURN_IF_ERROR(step.Initialise(&images, normalisation));
  ASSIGN_OR_RETURN(data::PipelineOptions batches, PipelineOptionsOf(text, normalisation));
  if (!images.is_in_memory()) batches.workers = std::max(1, options.threads);
  ASSIGN_OR_RETURN(std::unique_ptr<data::Pipeline> pipeline,
                   data::Pipeline::Create(&images, batches));

  double mean = 0, weight = 0, lowest = INFINITY;
  for (int n = 0; n < kSweepSteps; ++n) {
    RETURN_IF_ERROR(step.Prepare(n));
    if (observer.Interrupted()) return absl::CancelledError("interrupted");
    const data::Pipeline::Batch batch = pipeline->Next();
    if (!batch.status.ok()) return batch.status;
    step.RunParts(n, batch, batches.format);
    const double rate = step.optimizer().LearningRate(n);
    const TrainingStep::Outcome outcome = step.Update(n);
    if (!outcome.finite) break;
    mean = kSmoothing * mean + (1 - kSmoothing) * outcome.loss;
    weight = kSmoothing * weight + (1 - kSmoothing);
    sweep.rates.push_back(rate);
    sweep.losses.push_back(mean / weight);
    lowest = std::min(lowest, sweep.losses.back());
    if (sweep.losses.back() > kBrokenAway * std::abs(lowest)) break;
  }
  sweep.proposal = SteepestRate(sweep.rates, sweep.losses);
  if (sweep.proposal == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the loss did not fall at any learning rate from ", kLowestRate, " to ", kHighestRate,
        "; look at the batch (--show_batch=batch.png), the labels and the normalisation"));
  }
  return sweep;
}

}  // namespace cotangent::training
