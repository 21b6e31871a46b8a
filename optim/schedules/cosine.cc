// The learning rate falls along half a period of the cosine.
#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

absl::StatusOr<Curve> Cosine(const ScheduleConfig& config, const CurveContext& context) {
  const double end = config.cosine().end_factor();
  SettingsChecker check(context.place);
  check.NotNegative(end, "end_factor");
  RETURN_IF_ERROR(check.status());
  ASSIGN_OR_RETURN(const int64_t length, context.LengthOf(config.cosine()));
  return [=](int64_t step) { return CosineBetween(1, end, ShareOver(step, length)); };
}

const RegisterSchedule cosine(ScheduleConfig::kCosine, Cosine);

}  // namespace
}  // namespace cotangent::optim
