// The learning rate is multiplied by a factor at regular intervals.
#include <cmath>

#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

absl::StatusOr<Curve> Step(const ScheduleConfig& config, const CurveContext& context) {
  const double factor = config.step().factor();
  SettingsChecker check(context.place);
  check.NotNegative(factor, "factor");
  RETURN_IF_ERROR(check.status());
  ASSIGN_OR_RETURN(const int64_t every, context.LengthIn(config.step().every(), "every"));
  return [=](int64_t step) { return std::pow(factor, static_cast<double>(step / every)); };
}

const RegisterSchedule step(ScheduleConfig::kStep, Step);

}  // namespace
}  // namespace cotangent::optim
