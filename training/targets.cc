#include "training/targets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "layers/network/network_text.h"
#include "layers/ops/losses/loss_kind.h"

namespace cotangent::training {
namespace {

// Rounds to six significant digits, so that the value used is the one written into the network text
// (the text that describes a network and its training).
double Rounded(double value) {
  double rounded = value;
  return absl::SimpleAtod(absl::StrFormat("%.6g", value), &rounded) ? rounded : value;
}

// Returns the mean of value(i) over images i.
template <typename Value>
double MeanOver(int64_t images, const Value& value) {
  double sum = 0;
  for (int64_t i = 0; i < images; ++i) sum += value(i);
  return sum / static_cast<double>(std::max<int64_t>(images, 1));
}

}  // namespace

TargetKind TargetKindOf(const layers::Network& network) {
  return layers::TargetKindOf(network.loss());
}

const Measure& MeasureOf(TargetKind kind) {
  static const auto& accuracy = *new Measure{"accuracy", "accuracy"};
  static const auto& precision = *new Measure{"mean average precision", "mean_average_precision"};
  static const auto& r2 = *new Measure{"R2", "r2"};
  return kind == TargetKind::kClass ? accuracy : kind == TargetKind::kLabels ? precision : r2;
}

absl::StatusOr<TargetScale> TargetScaleOf(const layers::Network& network, int64_t count) {
  const auto& text = network.train().target_normalisation();
  TargetScale scale;
  if (TargetKindOf(network) != TargetKind::kNumbers ||
      (text.mean().empty() && text.deviation().empty()))
    return scale;
  scale.mean.assign(text.mean().begin(), text.mean().end());
  scale.deviation.assign(text.deviation().begin(), text.deviation().end());
  const auto bad = [&](const std::string& message) {
    return layers::AtPlace(
        network, absl::InvalidArgumentError(absl::StrCat("train.target_normalisation", message)));
  };
  if (text.mean_size() != count || text.deviation_size() != count) {
    return bad(absl::StrCat(" has ", text.mean_size(), " means and ", text.deviation_size(),
                            " deviations; expected one of each for each of ", count, " numbers"));
  }
  for (const double mean : scale.mean) {
    if (!std::isfinite(mean)) return bad(absl::StrCat(".mean: ", mean, " is not a finite number"));
  }
  for (const double deviation : scale.deviation) {
    if (!(deviation > 0) || !std::isfinite(deviation))
      return bad(absl::StrCat(".deviation: ", deviation, " is not a number above 0"));
  }
  return scale;
}

void WriteTargetScale(const data::Dataset& images, layers::Network& network) {
  if (images.target_kind != TargetKind::kNumbers) return;
  auto& text = *network.mutable_train()->mutable_target_normalisation();
  if (!text.mean().empty() || !text.deviation().empty()) return;
  const auto count = static_cast<int64_t>(images.classes.size());
  for (int64_t k = 0; k < count; ++k) {
    const auto value = [&](int64_t i) { return double{images.targets[i * count + k]}; };
    const double mean = MeanOver(images.size(), value);
    const double deviation = Rounded(std::sqrt(
        MeanOver(images.size(), [&](int64_t i) { return (value(i) - mean) * (value(i) - mean); })));
    text.add_mean(Rounded(mean));
    text.add_deviation(deviation > 0 ? deviation : 1);
  }
}

std::vector<double> AveragePrecisions(absl::Span<const float> scores,
                                      absl::Span<const float> targets, int64_t labels) {
  const auto images = static_cast<int64_t>(scores.size()) / labels;
  std::vector<double> precisions;
  std::vector<int64_t> order(images);
  for (int64_t k = 0; k < labels; ++k) {
    const auto score = [&](int64_t i) { return scores[i * labels + k]; };
    std::iota(order.begin(), order.end(), int64_t{0});
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return score(a) > score(b); });
    // Images with the same score are counted together, since their order is arbitrary.
    double sum = 0, found = 0;
    for (int64_t i = 0; i < images;) {
      double found_here = 0;
      const float here = score(order[i]);
      for (; i < images && score(order[i]) == here; ++i)
        found_here += targets[order[i] * labels + k];
      found += found_here;
      sum += found_here * found / static_cast<double>(i);
    }
    precisions.push_back(found > 0 ? sum / found : std::numeric_limits<double>::quiet_NaN());
  }
  return precisions;
}

double MeanAveragePrecision(absl::Span<const float> scores, absl::Span<const float> targets,
                            int64_t labels) {
  double sum = 0, count = 0;
  for (const double precision : AveragePrecisions(scores, targets, labels)) {
    if (!std::isnan(precision)) sum += precision, count += 1;
  }
  return count > 0 ? sum / count : 0;
}

std::vector<double> DeterminationCoefficients(absl::Span<const float> answers,
                                              absl::Span<const float> targets, int64_t numbers) {
  const auto images = static_cast<int64_t>(answers.size()) / numbers;
  std::vector<double> coefficients;
  for (int64_t k = 0; k < numbers; ++k) {
    const auto target = [&](int64_t i) { return double{targets[i * numbers + k]}; };
    const double mean = MeanOver(images, target);
    const double error = MeanOver(images, [&](int64_t i) {
      const double difference = answers[i * numbers + k] - target(i);
      return difference * difference;
    });
    const double variance =
        MeanOver(images, [&](int64_t i) { return (target(i) - mean) * (target(i) - mean); });
    coefficients.push_back(variance > 0 ? 1 - error / variance : error > 0 ? 0 : 1);
  }
  return coefficients;
}

double Score(TargetKind kind, absl::Span<const float> answers, absl::Span<const float> targets,
             int64_t count) {
  if (kind == TargetKind::kLabels) return MeanAveragePrecision(answers, targets, count);
  const std::vector<double> r2 = DeterminationCoefficients(answers, targets, count);
  return std::accumulate(r2.begin(), r2.end(), 0.0) / static_cast<double>(count);
}

void Softmax(absl::Span<double> x) {
  const double largest = *std::max_element(x.begin(), x.end());
  for (double& value : x) value = std::exp(value - largest);
  const double sum = std::accumulate(x.begin(), x.end(), 0.0);
  for (double& value : x) value /= sum;
}

double Sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

}  // namespace cotangent::training
