// The learning rate rises, then falls.
#include <algorithm>

#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

absl::StatusOr<Curve> OneCycle(const ScheduleConfig& config, const CurveContext& context) {
  const ScheduleConfig::OneCycle& cycle = config.one_cycle();
  const double start = cycle.start_factor(), end = cycle.end_factor(), rise = cycle.rise();
  SettingsChecker check(context.place);
  check.NotNegative(start, "start_factor");
  check.NotNegative(end, "end_factor");
  check.Require(rise > 0 && rise < 1, "rise", rise, "a share between 0 and 1");
  RETURN_IF_ERROR(check.status());
  ASSIGN_OR_RETURN(const int64_t length, context.LengthOf(cycle));
  // Counts steps as the OneCycleLR of PyTorch does: the factor has its peak at step
  // rise * length - 1 (step 0 if that is negative) and reaches its final value at step length - 1
  // (at least 1).
  const double last = std::max(1.0, static_cast<double>(length - 1));
  const double peak = std::max(0.0, rise * static_cast<double>(length) - 1);
  const bool straight = cycle.shape() == ScheduleConfig::OneCycle::LINEAR;
  return [=](int64_t step) {
    const double now = std::min(static_cast<double>(step), last);
    const bool rising = now <= peak && peak > 0;
    const double from = rising ? start : 1, to = rising ? 1 : end;
    const double gone = rising ? now / peak : (now - peak) / (last - peak);
    return straight ? from + (to - from) * gone : CosineBetween(from, to, gone);
  };
}

const RegisterSchedule one_cycle(ScheduleConfig::kOneCycle, OneCycle);

}  // namespace
}  // namespace cotangent::optim
