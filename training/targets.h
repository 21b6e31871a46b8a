// What a network is to find out about an image: a class, labels or numbers. Its loss decides.
#ifndef COTANGENT_TRAINING_TARGETS_H_
#define COTANGENT_TRAINING_TARGETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "data/dataset.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

data::TargetKind TargetKindOf(const layers::Network& network);

// A number that says how good answers are; larger is better.
struct Measure {
  std::string name;  // "accuracy", "mean average precision", "R2"
  std::string key;   // its name in metrics.jsonl: "accuracy", "mean_average_precision", "r2"
};
const Measure& MeasureOf(data::TargetKind kind);

// Numbers as a network sees them: (number - mean) / deviation. Empty for other targets, and as long
// as a recipe does not say.
struct TargetScale {
  std::vector<double> mean, deviation;

  // What the network says, [images, numbers], in the numbers' own units.
  void Restore(absl::Span<float> answers) const;
};
// That of a recipe; an error, with its place, unless it has `count` numbers or none.
absl::StatusOr<TargetScale> TargetScaleOf(const layers::Network& network, int64_t count);
// Writes that of the training images, rounded to six digits, into a recipe of numbers that has
// none.
void WriteTargetScale(const data::Dataset& images, layers::Network& network);

// For each label the mean, over the images that have it, of the precision among the images whose
// score is at least theirs (scikit-learn's average_precision_score); NaN where no image has it.
// `scores` and `targets` are [images, labels].
std::vector<double> AveragePrecisions(absl::Span<const float> scores,
                                      absl::Span<const float> targets, int64_t labels);
// Their mean over the labels that images have; 0 where there are none.
double MeanAveragePrecision(absl::Span<const float> scores, absl::Span<const float> targets,
                            int64_t labels);

// For each number 1 - sum (answer - target)^2 / sum (target - mean target)^2 (scikit-learn's
// r2_score): 1 for perfect answers, 0 for those that know the mean. Where targets do not vary: 1 if
// all answers are right, else 0.
std::vector<double> DeterminationCoefficients(absl::Span<const float> answers,
                                              absl::Span<const float> targets, int64_t numbers);

// The measure of all answers, [images, count], that MeasureOf() names. Of labels and numbers.
double Score(data::TargetKind kind, absl::Span<const float> answers,
             absl::Span<const float> targets, int64_t count);

// The probability of a label whose score, a logit, is x.
double Sigmoid(double x);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_TARGETS_H_
