// Reports what a plan does and how long each part takes, as a table or as a trace file. A plan
// (layers/plan/plan.h) is a network compiled for this machine, as a sequence of operations.
#ifndef COTANGENT_TRAINING_PLAN_REPORT_H_
#define COTANGENT_TRAINING_PLAN_REPORT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "layers/plan/plan.h"

namespace cotangent::training {

// Returns a table with one line for each operation: name, kind, implementation, milliseconds, share
// of the total time, GFLOP/s, megabytes of memory traffic and memory formats; then lines for the
// optimizer (unless `update_seconds` is 0), for the total, and for all convolutions when each is
// run by itself. `seconds` are the operations' times in the order of plan.Describe(),
// `update_seconds` is the optimizer's time, and `alone` that of the convolutions run by themselves,
// all in seconds.
std::string PlanTable(const layers::Plan& plan, const std::vector<double>& seconds,
                      double update_seconds, double alone);

// Returns whether an operation is a convolution: forward, or one of its gradients.
bool IsConvolution(const layers::Plan::Description& operation);

// Returns the number of floating point operations in one run of the plan. Only convolutions are
// counted, and linear layers, which are computed as convolutions.
double PlanFlops(const layers::Plan& plan);

// Collects training steps as events of the Trace Event Format, which chrome://tracing and
// https://ui.perfetto.dev display.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  // Adds step number `step`, which `plan` has just made with its timing enabled. From `begin` to
  // `batch_ready` the step waited for its batch; the plan's operations follow, then the optimizer's
  // update until `end`.
  void AddStep(const layers::Plan& plan, int64_t step, Clock::time_point begin,
               Clock::time_point batch_ready, Clock::time_point end);
  // Adds a bucket of gradients (those sent to other ranks together): `bytes` bytes that were
  // averaged over all ranks (processes that train together) during step number `step`, from `begun`
  // to `ended`. REQUIRES: AddStep() was called before.
  void AddBucket(int64_t step, int64_t bytes, Clock::time_point begun, Clock::time_point ended);
  int64_t steps() const { return steps_; }
  // Writes the trace as JSON. The file appears whole or not at all.
  absl::Status Write(const std::string& path) const;

 private:
  struct Event {
    std::string name, kind, implementation, formats;
    double begin = 0, seconds = 0, flops = 0, bytes = 0;
    int64_t step = 0;
    int row = 1;  // row of the display: 1 for operations, 2 for buckets of gradients
  };
  std::vector<Event> events_;
  Clock::time_point origin_{};  // the begin of the first step; Event::begin counts from here
  int64_t steps_ = 0;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PLAN_REPORT_H_
