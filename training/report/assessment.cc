#include "training/report/assessment.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cotangent::training::report {
namespace {

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

// Returns a logit for a score: the score itself, or its logarithm if it is a probability. The
// probability 0 is replaced by the smallest normal float, since its logarithm would be infinite.
double Logit(float score, bool are_probabilities) {
  if (!are_probabilities) return score;
  return std::log(std::max(score, std::numeric_limits<float>::min()));
}

// Returns ln(sum of exp(z / temperature)), where z are the logits of the scores, see Logit().
double LogSumExp(absl::Span<const float> scores, bool are_probabilities, double temperature) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const float score : scores) {
    largest = std::max(largest, Logit(score, are_probabilities) / temperature);
  }
  for (const float score : scores) {
    sum += std::exp(Logit(score, are_probabilities) / temperature - largest);
  }
  return largest + std::log(sum);
}

// The mean log loss of the scores divided by a temperature T, and its slope: the derivative with
// respect to b = 1 / T. The loss of an image with scores z is lse(b z) - b z_label, where lse is
// the logarithm of the sum of exponentials. This loss is convex in b; its slope is E[z] - z_label,
// where the expectation E is over classes with the probabilities softmax(b z).
struct Loss {
  double value = 0, slope = 0;
};

Loss LogLoss(absl::Span<const float> scores, absl::Span<const int32_t> labels, int64_t classes,
             bool are_probabilities, double temperature) {
  Loss loss;
  for (size_t i = 0; i < labels.size(); ++i) {
    const absl::Span<const float> row = scores.subspan(i * classes, classes);
    const double lse = LogSumExp(row, are_probabilities, temperature);
    const double of_label = Logit(row[labels[i]], are_probabilities);
    loss.value += lse - of_label / temperature;
    double mean = 0;
    for (const float score : row) {
      const double z = Logit(score, are_probabilities);
      mean += z * std::exp(z / temperature - lse);
    }
    loss.slope += mean - of_label;
  }
  const double n = std::max<double>(1, static_cast<double>(labels.size()));
  return {loss.value / n, loss.slope / n};
}

// Returns the temperature T with the least mean log loss, found by bisecting log T: the slope with
// respect to 1 / T grows with 1 / T. If the loss is least beyond the limits 0.01 and 100 (as when
// every answer is right), returns the nearer limit.
double BestTemperature(absl::Span<const float> scores, absl::Span<const int32_t> labels,
                       int64_t classes, bool are_probabilities) {
  double low = std::log(1e-2), high = std::log(1e2);
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    const Loss loss = LogLoss(scores, labels, classes, are_probabilities, std::exp(middle));
    (loss.slope > 0 ? low : high) = middle;
  }
  return std::exp((low + high) / 2);
}

std::vector<ReliabilityBin> Bins(const std::vector<Judgement>& judgements) {
  std::vector<ReliabilityBin> bins(kReliabilityBins);
  for (int b = 0; b < kReliabilityBins; ++b) {
    bins[b].low = static_cast<double>(b) / kReliabilityBins;
    bins[b].high = static_cast<double>(b + 1) / kReliabilityBins;
  }
  for (const Judgement& j : judgements) {
    const int b = static_cast<int>(std::ceil(j.probability * kReliabilityBins)) - 1;
    ReliabilityBin& bin = bins[std::clamp(b, 0, kReliabilityBins - 1)];
    ++bin.count;
    bin.confidence += j.probability;
    bin.accuracy += j.label == j.answer ? 1 : 0;
  }
  for (ReliabilityBin& bin : bins) {
    bin.confidence = Ratio(bin.confidence, static_cast<double>(bin.count));
    bin.accuracy = Ratio(bin.accuracy, static_cast<double>(bin.count));
  }
  return bins;
}

double CalibrationError(const std::vector<ReliabilityBin>& bins, int64_t images) {
  double sum = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.confidence - bin.accuracy);
  }
  return Ratio(sum, static_cast<double>(images));
}

std::vector<Judgement> JudgeAll(absl::Span<const float> scores, absl::Span<const int32_t> labels,
                                int64_t classes, bool are_probabilities, double temperature) {
  std::vector<Judgement> judgements;
  judgements.reserve(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::vector<double> p =
        Probabilities(scores.subspan(i * classes, classes), are_probabilities, temperature);
    const auto answer = std::max_element(p.begin(), p.end());
    judgements.push_back({static_cast<int64_t>(i), labels[i],
                          static_cast<int32_t>(answer - p.begin()), *answer, p[labels[i]]});
  }
  return judgements;
}

void CountClasses(Assessment& a) {
  a.confusion.assign(a.classes * a.classes, 0);
  a.of_class.resize(a.classes);
  for (const Judgement& j : a.judgements) {
    ++a.confusion[j.label * a.classes + j.answer];
    ++a.of_class[j.label].support;
    ++a.of_class[j.answer].answered;
    if (j.label == j.answer) ++a.of_class[j.label].right;
  }
  double recalls = 0;
  int64_t with_images = 0;
  for (ClassMeasures& c : a.of_class) {
    const auto right = static_cast<double>(c.right);
    c.precision = Ratio(right, static_cast<double>(c.answered));
    c.recall = Ratio(right, static_cast<double>(c.support));
    c.f1 = Ratio(2 * right, static_cast<double>(c.answered + c.support));
    recalls += c.recall;
    with_images += c.support > 0 ? 1 : 0;
  }
  a.mean_recall = Ratio(recalls, static_cast<double>(with_images));
}

std::vector<double> TopShares(absl::Span<const float> scores, absl::Span<const int32_t> labels,
                              int64_t classes) {
  std::vector<double> top(std::min<int64_t>(5, classes), 0.0);
  for (size_t i = 0; i < labels.size(); ++i) {
    const absl::Span<const float> row = scores.subspan(i * classes, classes);
    // `before` counts the classes that rank above the image's own class.
    int64_t before = 0;
    for (int64_t k = 0; k < classes; ++k) {
      if (row[k] > row[labels[i]] || (row[k] == row[labels[i]] && k < labels[i])) ++before;
    }
    for (size_t k = before; k < top.size(); ++k) top[k] += 1;
  }
  for (double& share : top) share = Ratio(share, static_cast<double>(labels.size()));
  return top;
}

template <typename Before>
std::vector<Judgement> First(std::vector<Judgement> judgements, int64_t count, Before before) {
  std::stable_sort(judgements.begin(), judgements.end(), before);
  if (static_cast<int64_t>(judgements.size()) > count) judgements.resize(count);
  return judgements;
}

}  // namespace

Proportion WilsonInterval(int64_t successes, int64_t trials) {
  if (trials <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // 97.5% quantile of the normal distribution
  const double n = static_cast<double>(trials), p = static_cast<double>(successes) / n;
  const double middle = p + kZ * kZ / (2 * n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {p, std::max(0.0, (middle - half) / scale), std::min(1.0, (middle + half) / scale)};
}

std::vector<double> Probabilities(absl::Span<const float> scores, bool are_probabilities,
                                  double temperature) {
  std::vector<double> p(scores.begin(), scores.end());
  if (are_probabilities && temperature == 1) return p;
  const double lse = LogSumExp(scores, are_probabilities, temperature);
  for (size_t k = 0; k < p.size(); ++k) {
    p[k] = std::exp(Logit(scores[k], are_probabilities) / temperature - lse);
  }
  return p;
}

Assessment Assess(absl::Span<const float> scores, absl::Span<const int32_t> labels, int64_t classes,
                  bool are_probabilities) {
  Assessment a;
  a.images = static_cast<int64_t>(labels.size());
  a.classes = classes;
  a.judgements = JudgeAll(scores, labels, classes, are_probabilities, 1);
  CountClasses(a);
  int64_t right = 0;
  for (const ClassMeasures& c : a.of_class) right += c.right;
  a.accuracy = WilsonInterval(right, a.images);
  a.top = TopShares(scores, labels, classes);
  a.log_loss = LogLoss(scores, labels, classes, are_probabilities, 1).value;
  a.reliability = Bins(a.judgements);
  a.calibration_error = CalibrationError(a.reliability, a.images);
  a.temperature = BestTemperature(scores, labels, classes, are_probabilities);
  a.log_loss_at_temperature =
      LogLoss(scores, labels, classes, are_probabilities, a.temperature).value;
  a.calibration_error_at_temperature = CalibrationError(
      Bins(JudgeAll(scores, labels, classes, are_probabilities, a.temperature)), a.images);
  return a;
}

std::vector<Judgement> Assessment::SurestMistakes(int64_t count) const {
  std::vector<Judgement> wrong;
  for (const Judgement& j : judgements) {
    if (j.label != j.answer) wrong.push_back(j);
  }
  return First(std::move(wrong), count, [](const Judgement& a, const Judgement& b) {
    return a.probability > b.probability;
  });
}

std::vector<Judgement> Assessment::LeastSure(int64_t count) const {
  return First(judgements, count, [](const Judgement& a, const Judgement& b) {
    return a.probability < b.probability;
  });
}

}  // namespace cotangent::training::report
