// The learning rate is multiplied by a factor at given moments.
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "optim/schedules/curve.h"

namespace cotangent::optim {
namespace {

// Returns the moments in steps from the end of the warm-up.
absl::StatusOr<std::vector<int64_t>> Milestones(const ScheduleConfig::MultiStep& multi_step,
                                                const CurveContext& context) {
  if (multi_step.at().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        context.place, " has no `at`: expected at least one moment, such as at { epochs: 10 }"));
  }
  std::vector<int64_t> milestones;
  for (int i = 0; i < multi_step.at_size(); ++i) {
    const std::string field = absl::StrCat(context.place, ".at[", i, "]");
    ASSIGN_OR_RETURN(const int64_t at, StepsOf(multi_step.at(i), context.run, field));
    if (!milestones.empty() && at <= milestones.back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is step ", at, ", not after the one before it, which is step ",
                       milestones.back(), ": list them in rising order"));
    }
    milestones.push_back(at);
  }
  return milestones;
}

absl::StatusOr<Curve> MultiStep(const ScheduleConfig& config, const CurveContext& context) {
  const double factor = config.multi_step().factor();
  SettingsChecker check(context.place);
  check.NotNegative(factor, "factor");
  RETURN_IF_ERROR(check.status());
  ASSIGN_OR_RETURN(const std::vector<int64_t> milestones, Milestones(config.multi_step(), context));
  return [=](int64_t step) {
    const auto passed = std::upper_bound(milestones.begin(), milestones.end(), step);
    return std::pow(factor, static_cast<double>(passed - milestones.begin()));
  };
}

const RegisterSchedule multi_step(ScheduleConfig::kMultiStep, MultiStep);

}  // namespace
}  // namespace cotangent::optim
