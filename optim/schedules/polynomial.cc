// The learning rate falls as a power of the share of the length that is left.
#include <cmath>

#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

absl::StatusOr<Curve> Polynomial(const ScheduleConfig& config, const CurveContext& context) {
  const double end = config.polynomial().end_factor(), power = config.polynomial().power();
  SettingsChecker check(context.place);
  check.NotNegative(end, "end_factor");
  check.Require(power > 0 && std::isfinite(power), "power", power, "a number above 0");
  RETURN_IF_ERROR(check.status());
  ASSIGN_OR_RETURN(const int64_t length, context.LengthOf(config.polynomial()));
  return
      [=](int64_t step) { return end + (1 - end) * std::pow(1 - ShareOver(step, length), power); };
}

const RegisterSchedule polynomial(ScheduleConfig::kPolynomial, Polynomial);

}  // namespace
}  // namespace cotangent::optim
