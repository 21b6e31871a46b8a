#include "training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/pipeline.h"
#include "google/protobuf/message.h"
#include "training/step.h"
#include "training/weights/initial_weights.h"

namespace cotangent::training {
namespace {

constexpr double kSmoothing = 0.9;  // weight of the earlier steps in a running mean of the loss
constexpr double kBrokenAway = 3;   // the sweep ends when mean / lowest mean exceeds this
// A fall counts if the means before and after it differ by more than this many standard errors of
// their difference. Without a fall, the largest difference of any two adjacent stretches of 150
// losses is about 3 standard errors, and in one of 15 sweeps 4.
constexpr double kCertain = 4;
constexpr size_t kNeighbours = 5;  // steps on either side of a step that Smooth() averages

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

double RateToPropose(absl::Span<const double> rates, absl::Span<const double> losses) {
  if (losses.size() < 2) return 0;
  std::vector<double> first(losses.begin(),
                            losses.begin() + std::min<size_t>(losses.size(), 2 * kNeighbours + 1));
  std::nth_element(first.begin(), first.begin() + first.size() / 2, first.end());
  const double level = first[first.size() / 2];
  std::vector<double> sums = {0};  // sums[i]: of the first i losses, none above the first level
  for (const double loss : losses) sums.push_back(sums.back() + std::min(loss, level));
  double most = 0;  // squared difference of the means, in units of a loss's variance about them
  size_t middle = 0, end = 0;
  for (size_t e = 2; e <= losses.size(); ++e) {
    for (size_t m = 1; m < e; ++m) {
      const auto before = static_cast<double>(m), after = static_cast<double>(e - m);
      const double fall = sums[m] / before - (sums[e] - sums[m]) / after;
      const double explained = fall * fall * before * after / (before + after);
      if (fall > 0 && explained > most) most = explained, middle = m, end = e;
    }
  }
  if (most == 0) return 0;
  // The variance of losses at nearly the same rate, from the median of the squared differences of
  // successive ones, which a few spikes do not raise. For normally distributed losses, this median
  // is 2 * 0.455 times the variance.
  std::vector<double> squares;
  for (size_t i = 1; i < end; ++i)
    squares.push_back((losses[i] - losses[i - 1]) * (losses[i] - losses[i - 1]));
  std::nth_element(squares.begin(), squares.begin() + squares.size() / 2, squares.end());
  const double variance = squares[squares.size() / 2] / (2 * 0.455);
  if (most <= kCertain * kCertain * variance) return 0;
  return std::sqrt(rates[middle] * rates[end - 1]);
}

std::vector<double> Smooth(absl::Span<const double> losses) {
  std::vector<double> smooth;
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto near =
        losses.subspan(i - std::min(i, kNeighbours), kNeighbours + 1 + std::min(i, kNeighbours));
    smooth.push_back(std::accumulate(near.begin(), near.end(), 0.0) /
                     static_cast<double>(near.size()));
  }
  return smooth;
}

absl::StatusOr<LearningRateSweep> FindLearningRate(const RunOptions& options, layers::Tuner* tuner,
                                                   RunObserver& observer) {
  LearningRateSweep sweep;
  layers::Network text = options.network.text;
  sweep.field = PrepareRecipe(text);
  ASSIGN_OR_RETURN(data::Dataset images, options.data.load(data::Split::kTrain));
  if (text.train().class_weight() == layers::Train::BALANCED) WriteBalancedWeights(images, text);
  ASSIGN_OR_RETURN(const data::Normalisation normalisation,
                   NormalisationOf(text, options.data, images));
  WriteTargetScale(images, text);
  ASSIGN_OR_RETURN(ResolvedNetwork network, Resolve(text, options.data.shape));
  if (const std::string note = PrecisionNote(text); !note.empty()) observer.Say(note);
  network.run.total_steps = kSweepSteps;
  ASSIGN_OR_RETURN(
      std::unique_ptr<TrainingStep> made,
      TrainingStep::Create(std::move(network),
                           {PrecisionOf(text), options.exact, options.threads, {}}, tuner));
  TrainingStep& step = *made;
  RETURN_IF_ERROR(step.Initialise(&images, normalisation));
  if (options.init_from.has_value()) {
    ASSIGN_OR_RETURN(const std::string report,
                     TakeInitialWeights(*options.init_from, step.store()));
    observer.Say(report);
    step.optimizer().Initialise(step.store().values());
  }
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
    sweep.losses.push_back(outcome.loss);
    lowest = std::min(lowest, mean / weight);
    if (mean / weight > kBrokenAway * std::abs(lowest)) break;
  }
  sweep.proposal = RateToPropose(sweep.rates, sweep.losses);
  if (sweep.proposal == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the loss did not fall at any learning rate from ", kLowestRate, " to ", kHighestRate,
        " by more than chance; take a larger --batch_size, or look at the batch "
        "(--show_batch=batch.png), the labels and the normalisation"));
  }
  return sweep;
}

}  // namespace cotangent::training
