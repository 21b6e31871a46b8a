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
  std::vector<double> losses;  // the loss of each step's batch, exponentially smoothed
  double proposal = 0;
  // The path of the field of the network text (which describes the network and its training) to set
  // to `proposal`. The path depends on the optimizer, for example
  // "train.optimizer.sgd.learning_rate".
  std::string field;
};

// Trains a newly initialised network for at most kSweepSteps steps, without the schedule of its
// network text; the rate grows from kLowestRate on, to kHighestRate unless the loss diverges
// before. No file is written. Returns the errors of Train() (run.h), FailedPrecondition if the loss
// falls at no rate, and Cancelled if the observer interrupts.
inline constexpr int kSweepSteps = 150;
inline constexpr double kLowestRate = 1e-6, kHighestRate = 10;
absl::StatusOr<LearningRateSweep> FindLearningRate(const RunOptions& options, layers::Tuner* tuner,
                                                   RunObserver& observer);

// Returns the rate at which the loss falls most steeply as a function of the logarithm of the rate.
// `rates` must form a geometric sequence; losses[i] is the loss at rates[i]. The slope at a rate is
// that of a straight line fitted to the points of this rate and of the four rates on either side,
// so the first four and last four rates are not considered. Nor are rates above the one with the
// lowest loss. Returns 0 if the loss falls at none of the rates considered.
double SteepestRate(absl::Span<const double> rates, absl::Span<const double> losses);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_LEARNING_RATE_H_
