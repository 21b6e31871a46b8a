// Training steps on made-up images: to time a plan.
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

// A training step of a network for data of so many classes and images, initialised, its plan
// compiled and its inputs filled with noise: ready to be run. The learning rate is that of a run
// that never warms up: parameters stay finite for a few hundred steps.
absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(const layers::Network& network,
                                                          int64_t classes, int64_t images,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner);

// The same for a network that is resolved.
absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(ResolvedNetwork network,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner);

// Numbers of deviation 1 and labels below `classes`, the same at every call.
void FillWithNoise(float* images, int64_t count);
void FillWithNoise(int32_t* labels, int64_t count, int64_t classes);

// What a plan does: the median times of a few runs. `run` runs the plan, and perhaps an optimizer
// after it.
struct TimedPlan {
  std::string table;  // see plan_report.h
  double convolution_seconds_alone =
      0;  // the sum of its convolutions, each run over and over by itself
};
// Median seconds of each operation, and of what `run` does besides.
struct MeasuredTimes {
  std::vector<double> operations;
  double rest = 0;
};
MeasuredTimes MeasureTimes(layers::Plan& plan, const std::function<void(int64_t number)>& run);
TimedPlan TimePlan(layers::Plan& plan, const std::function<void(int64_t number)>& run);

// What the planned step does, as a table (see plan_report.h): the median times of a few steps.
absl::StatusOr<std::string> Explain(ResolvedNetwork network, const StepOptions& options,
                                    layers::Tuner* tuner);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_EXPLAIN_H_
