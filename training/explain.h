// Runs training steps on random images, to measure how long each part of a step takes. A plan
// (layers/plan/plan.h) is a network compiled for this machine, as a sequence of operations.
#ifndef COTANGENT_TRAINING_EXPLAIN_H_
#define COTANGENT_TRAINING_EXPLAIN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/network.pb.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"
#include "training/step.h"

namespace cotangent::training {

// Creates a training step with initial parameters for `images` training images of `classes`
// classes, compiles it for step 0 and fills its batch with noise, so that it can be run at once.
absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(const layers::Network& network,
                                                          int64_t classes, int64_t images,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner);

// Like the function above, for a network that has already been checked against its data. The image
// shape and the number of classes are those of the data.
absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(ResolvedNetwork network,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner);

// Fills `images` with normally distributed numbers (mean 0, deviation 1), and `labels` with the
// class numbers 0, 1, ..., classes - 1 over and over. Every call writes the same values.
void FillWithNoise(float* images, int64_t count);
void FillWithNoise(int32_t* labels, int64_t count, int64_t classes);

// What TimePlan() measures. It calls `run(number)` several times, with the numbers 0, 1, 2, ...;
// each call runs the plan and perhaps an optimizer after it. The times in `table` are medians.
struct TimedPlan {
  std::string table;  // one line for each operation, see PlanTable() in plan_report.h
  // The sum of the seconds that each convolution of the plan takes when it is run repeatedly by
  // itself (medians).
  double convolution_seconds_alone = 0;
};
// What MeasureTimes() measures in such calls of `run`: `operations` are the median seconds of each
// operation of the plan, `rest` the median seconds of everything else that `run` does.
struct MeasuredTimes {
  std::vector<double> operations;
  double rest = 0;
};
MeasuredTimes MeasureTimes(layers::Plan& plan, const std::function<void(int64_t number)>& run);
TimedPlan TimePlan(layers::Plan& plan, const std::function<void(int64_t number)>& run);

// Measures a few training steps on noise and returns the table of PlanTable() (plan_report.h).
absl::StatusOr<std::string> Explain(ResolvedNetwork network, const StepOptions& options,
                                    layers::Tuner* tuner);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_EXPLAIN_H_
