// What a compiled plan does and how long each part takes: as a table, and as a trace for a viewer.
#ifndef COTANGENT_TRAINING_PLAN_REPORT_H_
#define COTANGENT_TRAINING_PLAN_REPORT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "layers/plan/plan.h"

namespace cotangent::training {

// A line an operation: implementation, formats, milliseconds, share, GFLOP/s, MB moved; then the
// totals. `seconds` is in the order of plan.Describe(); `update_seconds` is what the optimizer
// took, `alone` what the convolutions take together, each by itself.
std::string PlanTable(const layers::Plan& plan, const std::vector<double>& seconds,
                      double update_seconds, double alone);

// Whether it is a convolution, in any direction.
bool IsConvolution(const layers::Plan::Description& operation);

// The floating point operations of one run of the plan: those of all its convolutions and matrix
// products.
double PlanFlops(const layers::Plan& plan);

// Collects training steps as events of the Trace Event Format, which chrome://tracing and Perfetto
// show.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  // A step of a plan with timing enabled: the wait for its batch from `begin` on, the plan's
  // operations from `batch_ready` on, then the update until `end`.
  void AddStep(const layers::Plan& plan, int64_t step, Clock::time_point begin,
               Clock::time_point batch_ready, Clock::time_point end);
  // A bucket of gradients of the last step, on its way to other ranks.
  void AddBucket(int64_t step, int64_t bytes, Clock::time_point begun, Clock::time_point ended);
  int64_t steps() const { return steps_; }
  // The file appears whole or not at all.
  absl::Status Write(const std::string& path) const;

 private:
  struct Event {
    std::string name, kind, implementation, formats;
    double begin = 0, seconds = 0, flops = 0, bytes = 0;
    int64_t step = 0;
    int row = 1;  // operations; 2: buckets
  };
  std::vector<Event> events_;
  Clock::time_point origin_{};
  int64_t steps_ = 0;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PLAN_REPORT_H_
