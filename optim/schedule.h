#ifndef COTANGENT_OPTIM_SCHEDULE_H_
#define COTANGENT_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"
#include "optim/run_length.h"

namespace cotangent::optim {

// The learning rate of each step as a multiple of the optimizer's learning rate: a pure function of
// the step, so a resumed run needs no state of it. See ScheduleConfig in optimizer.proto for the
// formulas.
class Schedule {
 public:
  // Constant.
  Schedule() = default;

  // `place` is the path of `config` in the recipe, for errors: lengths that are missing, negative
  // or beyond the run, factors that are negative or not numbers, moments that do not rise.
  static absl::StatusOr<Schedule> Create(const ScheduleConfig& config, const RunLength& run,
                                         absl::string_view place = "schedule");

  // The multiple at `step` >= 0. Does not allocate.
  double Multiplier(int64_t step) const;

 private:
  // The multiple `step` steps after the warm-up.
  double AfterWarmup(int64_t step) const;
  double OneCycleMultiplier(int64_t step) const;

  ScheduleConfig config_;
  int64_t warmup_steps_ = 0;
  int64_t length_ = 0;               // steps of the schedule, or of one `every`
  std::vector<int64_t> milestones_;  // of multi_step
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_SCHEDULE_H_
