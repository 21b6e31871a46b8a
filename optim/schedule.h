#ifndef COTANGENT_OPTIM_SCHEDULE_H_
#define COTANGENT_OPTIM_SCHEDULE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"
#include "optim/run_length.h"
#include "optim/schedules/curve.h"

namespace cotangent::optim {

// Computes the factor by which the optimizer's learning rate is multiplied at each step. The factor
// depends on the step alone, so a resumed run needs no saved state. For the formulas see
// ScheduleConfig in optimizer.proto.
class Schedule {
 public:
  // Makes a schedule whose factor is always 1.
  Schedule() = default;

  // Makes the schedule that `config` describes. Errors: a warm-up without `length`, or not shorter
  // than the run; a warm-up's factor that is negative, infinite or NaN; settings that the chosen
  // kind of schedule refuses (schedules/). `place` is the path of `config` in the recipe (the text
  // that describes training), for errors.
  static absl::StatusOr<Schedule> Create(const ScheduleConfig& config, const RunLength& run,
                                         absl::string_view place = "schedule");

  // Returns the factor for the learning rate at `step` >= 0. Allocates nothing.
  double Multiplier(int64_t step) const;

 private:
  int64_t warmup_steps_ = 0;
  double warmup_start_ = 1;  // the factor of the warm-up at step 0
  Curve after_warmup_ = [](int64_t) { return 1.0; };
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_SCHEDULE_H_
