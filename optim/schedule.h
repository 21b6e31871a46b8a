#ifndef COTANGENT_OPTIM_SCHEDULE_H_
#define COTANGENT_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"
#include "optim/run_length.h"

namespace cotangent::optim {

// Computes the factor by which the optimizer's learning rate is multiplied at each step. The factor
// depends on the step alone, so a resumed run needs no saved state. For the formulas see
// ScheduleConfig in optimizer.proto.
class Schedule {
 public:
  // Makes a schedule whose factor is always 1.
  Schedule() = default;

  // Makes the schedule that `config` describes. Errors: a warm-up without `length`, or not shorter
  // than the run; `every` missing; other lengths or `every` of no steps; negative lengths; factors
  // that are negative, infinite or NaN; no milestones, or milestones that are not in rising order;
  // `rise` not between 0 and 1; `power` not above 0. `place` is the path of `config` in the recipe
  // (the text that describes training), for errors.
  static absl::StatusOr<Schedule> Create(const ScheduleConfig& config, const RunLength& run,
                                         absl::string_view place = "schedule");

  // Returns the factor for the learning rate at `step` >= 0. Allocates nothing.
  double Multiplier(int64_t step) const;

 private:
  // Returns the factor for the learning rate `step` steps after the end of the warm-up.
  double AfterWarmup(int64_t step) const;
  double OneCycleMultiplier(int64_t step) const;

  ScheduleConfig config_;
  int64_t warmup_steps_ = 0;
  int64_t length_ = 0;               // steps after the warm-up; kind `step`: between two changes
  std::vector<int64_t> milestones_;  // kind `multi_step`: steps from the warm-up's end
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_SCHEDULE_H_
