// The learning rate stays as it is.
#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

absl::StatusOr<Curve> Constant(const ScheduleConfig&, const CurveContext&) {
  return [](int64_t) { return 1.0; };
}

const RegisterSchedule constant(ScheduleConfig::kConstant, Constant);

}  // namespace
}  // namespace cotangent::optim
