// Proposes a learning rate to begin with. A short training run multiplies the rate by a constant at
// every step, until the loss diverges or the highest rate is reached (Smith, "Cyclical learning
// rates for training neural networks", 2017).
#ifndef COTANGENT_TRAINING_LEARNING_RATE_H_
#define COTANGENT_TRAINING_LEARNING_RATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/plan/tuner.h"
#include "training/run.h"

namespace cotangent::training {

struct LearningRateSweep {
  std::vector<double> rates;   // the rate of each step; each is the one before times a constant
  std::vector<double> losses;  // the loss of each step's batch
  double proposal = 0;
  // The path of the field of the network text (which describes the network and its training) to set
  // to `proposal`. The path depends on the optimizer, for example
  // "train.optimizer.sgd.learning_rate".
  std::string field;
};

// Trains a newly initialised network, or one that begins with the weights options.init_from, for at
// most kSweepSteps steps, without the schedule of its network text; the rate grows from kLowestRate
// on, to kHighestRate unless the loss diverges before. No file is written. Returns the errors of
// Train() (run.h), FailedPrecondition if the loss falls at no rate, and Cancelled if the observer
// interrupts.
inline constexpr int kSweepSteps = 150;
inline constexpr double kLowestRate = 1e-6, kHighestRate = 10;
absl::StatusOr<LearningRateSweep> FindLearningRate(const RunOptions& options, layers::Tuner* tuner,
                                                   RunObserver& observer);

// Returns a rate to propose, or 0 if the losses do not fall by more than chance would make them
// fall. `rates` must form a geometric sequence; losses[i] is the loss of a batch at rates[i], and
// may be noisy.
//
// Losses above the median of the first ones count as this median: after a peak, a network that has
// died (its answer no longer depends on the image) does not look as if its loss fell.
//
// Fits a step to the losses: of all pairs of adjacent stretches of them, the first of which begins
// with the first loss, those two are taken whose means explain most of the losses' variance (a
// change point; Hinkley, "Inference about the change-point in a sequence of random variables",
// 1970). The stretches meet in the middle of the loss's fall, and the second one ends where the
// loss rises again. Returns the geometric mean of these two rates: the middle of the range of rates
// at which the network learns and does not diverge. Each mean is over as many losses as the stretch
// has, so noise matters less than in the steepest slope of the loss, the rule of Smith and others,
// which depends on a few neighbours of a point.
double RateToPropose(absl::Span<const double> rates, absl::Span<const double> losses);

// Returns for each loss the mean of it and of its neighbours, for the eye.
std::vector<double> Smooth(absl::Span<const double> losses);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_LEARNING_RATE_H_
