// Which learning rate to begin with: a short run in which it grows at every step until the loss
// breaks away (Smith, "Cyclical learning rates for training neural networks", 2017).
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
  std::vector<double> rates;   // of the steps made, each so many times the one before
  std::vector<double> losses;  // of the training batches, smoothed
  double proposal = 0;
  std::string field;  // what to set to it: "train.optimizer.sgd.learning_rate"
};

// Trains a fresh network of the recipe, its schedule left out, for at most kSweepSteps steps from
// kLowestRate to kHighestRate. It writes nothing. Errors: those of Train(); kFailedPrecondition
// where the loss does not fall at all, Cancelled where the observer is interrupted.
inline constexpr int kSweepSteps = 150;
inline constexpr double kLowestRate = 1e-6, kHighestRate = 10;
absl::StatusOr<LearningRateSweep> FindLearningRate(const RunOptions& options, layers::Tuner* tuner,
                                                   RunObserver& observer);

// The rate at which the loss falls steepest over the logarithm of the rate, up to its lowest point:
// slopes are those of straight lines through nine neighbouring points. 0 where it falls nowhere.
double SteepestRate(absl::Span<const double> rates, absl::Span<const double> losses);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_LEARNING_RATE_H_
