// What a network predicts about an image: one class, labels of which any number apply, or numbers.
// The network's loss decides which. This file scales the targets and measures how good answers are.
// A network text is the text that describes a network and its training.
#ifndef COTANGENT_TRAINING_TARGETS_H_
#define COTANGENT_TRAINING_TARGETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/target_kind.h"
#include "data/dataset.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

TargetKind TargetKindOf(const layers::Network& network);

// The name of a number that says how good answers are; larger values are better.
struct Measure {
  std::string name;  // for people: "accuracy", "mean average precision", "R2"
  std::string key;   // the key in metrics.jsonl: "accuracy", "mean_average_precision", "r2"
};
const Measure& MeasureOf(TargetKind kind);

// The scale of targets that are numbers: training uses (number - mean) / deviation. Both lists are
// empty for other targets, and if the network text does not set them.
struct TargetScale {
  std::vector<double> mean, deviation;

  // Converts a network's results [images, numbers] back to the numbers' own units.
  template <class T>
  void Restore(absl::Span<T> answers) const {
    if (mean.empty()) return;
    for (size_t i = 0; i < answers.size(); ++i) {
      const size_t k = i % mean.size();
      answers[i] = static_cast<T>(answers[i] * deviation[k] + mean[k]);
    }
  }
};
// Returns the scale that the network text gives in train.target_normalisation; an empty one if it
// gives none or the targets are not numbers. Otherwise returns an error with the field's file, line
// and column unless the field has `count` finite means and `count` finite deviations above 0.
absl::StatusOr<TargetScale> TargetScaleOf(const layers::Network& network, int64_t count);
// Computes mean and deviation of the training images' targets, rounded to six digits, and writes
// them into train.target_normalisation of the network text; for a deviation of 0 it writes 1. Does
// nothing if the targets are no numbers, or if that field is set already.
void WriteTargetScale(const data::Dataset& images, layers::Network& network);

// Returns for each label its average precision, as scikit-learn's average_precision_score: for each
// image that has the label, the share of images with the label among all images whose score is at
// least as high; then the mean of these shares. NaN if no image has the label. `scores` and
// `targets` are [images, labels].
std::vector<double> AveragePrecisions(absl::Span<const float> scores,
                                      absl::Span<const float> targets, int64_t labels);
// Returns the mean of AveragePrecisions() over the labels that occur; 0 if none does.
double MeanAveragePrecision(absl::Span<const float> scores, absl::Span<const float> targets,
                            int64_t labels);

// Returns for each number R2 = 1 - sum (answer - target)^2 / sum (target - mean target)^2, as
// scikit-learn's r2_score: 1 for perfect answers, 0 for always answering the mean. If the targets
// do not vary, R2 is 1 if all answers are right, else 0. `answers` and `targets` are [images,
// numbers].
std::vector<double> DeterminationCoefficients(absl::Span<const float> answers,
                                              absl::Span<const float> targets, int64_t numbers);

// Returns the measure that MeasureOf() names: for labels MeanAveragePrecision(), for numbers the
// mean of DeterminationCoefficients(). `answers` and `targets` are [images, count], where count is
// the number of labels or numbers. REQUIRES: `kind` is not kClass.
double Score(TargetKind kind, absl::Span<const float> answers, absl::Span<const float> targets,
             int64_t count);

// Replaces each x_k by exp(x_k) / sum over j of exp(x_j): logits by the classes' probabilities.
void Softmax(absl::Span<double> x);

// Returns 1 / (1 + exp(-x)), the probability of a label whose logit is x.
double Sigmoid(double x);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_TARGETS_H_
