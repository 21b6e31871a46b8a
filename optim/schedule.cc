#include "optim/schedule.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/settings_checker.h"
#include "base/status_macros.h"

namespace cotangent::optim {
namespace {

// Returns the length of the warm-up in steps; checks its settings.
absl::StatusOr<int64_t> WarmupSteps(const ScheduleConfig::Warmup& warmup, const RunLength& run,
                                    const std::string& place) {
  const std::string field = absl::StrCat(place, ".length");
  ASSIGN_OR_RETURN(const int64_t steps, StepsOf(warmup.length(), run, field));
  if (steps >= run.total_steps) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", steps, " steps, but the whole run has ", run.total_steps,
                     ": shorten it or train for longer"));
  }
  SettingsChecker check(place);
  check.NotNegative(warmup.start_factor(), "start_factor");
  RETURN_IF_ERROR(check.status());
  return steps;
}

}  // namespace

absl::StatusOr<Schedule> Schedule::Create(const ScheduleConfig& config, const RunLength& run,
                                          absl::string_view place) {
  Schedule schedule;
  if (config.has_warmup()) {
    ASSIGN_OR_RETURN(schedule.warmup_steps_,
                     WarmupSteps(config.warmup(), run, absl::StrCat(place, ".warmup")));
    schedule.warmup_start_ = config.warmup().start_factor();
  }
  ASSIGN_OR_RETURN(schedule.after_warmup_, MakeCurve(config, run, schedule.warmup_steps_, place));
  return schedule;
}

double Schedule::Multiplier(int64_t step) const {
  if (step >= warmup_steps_) return after_warmup_(step - warmup_steps_);
  const double gone = static_cast<double>(step) / static_cast<double>(warmup_steps_);
  return after_warmup_(0) * (warmup_start_ + (1 - warmup_start_) * gone);
}

}  // namespace cotangent::optim
