#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cotangent::optim {
namespace {

absl::Status CheckFactor(double factor, absl::string_view place) {
  if (factor >= 0 && std::isfinite(factor)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(place, " is ", factor, ": expected a number from 0 upwards"));
}

// Returns a value that goes from `from` (at s = 0) to `to` (at s = 1) along half a period of the
// cosine.
double CosineBetween(double from, double to, double s) {
  const double cosine = std::cos(std::numbers::pi * s);
  return from * ((1 + cosine) / 2) + to * ((1 - cosine) / 2);
}

// The functions from here to CheckPolynomial(), except NoSteps(), each check one part of a
// ScheduleConfig; `place` is the part's path in the recipe (the text that describes training).
// Those that return numbers return lengths or milestones in steps.

absl::StatusOr<int64_t> WarmupSteps(const ScheduleConfig::Warmup& warmup, const RunLength& run,
                                    absl::string_view place) {
  const std::string field = absl::StrCat(place, ".length");
  ASSIGN_OR_RETURN(const int64_t steps, StepsOf(warmup.length(), run, field));
  if (steps >= run.total_steps) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", steps, " steps, but the whole run has ", run.total_steps,
                     ": shorten it or train for longer"));
  }
  RETURN_IF_ERROR(CheckFactor(warmup.start_factor(), absl::StrCat(place, ".start_factor")));
  return steps;
}

absl::Status NoSteps(absl::string_view field) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " comes to no steps: expected at least one"));
}

// Returns the length of a schedule of this kind in steps: the one that the recipe gives or, by
// default, `rest`, the steps after the warm-up.
template <typename Kind>
absl::StatusOr<int64_t> LengthOf(const Kind& kind, const RunLength& run, int64_t rest,
                                 absl::string_view place) {
  const std::string field = absl::StrCat(place, ".length");
  int64_t length = rest;
  if (kind.has_length()) {
    ASSIGN_OR_RETURN(length, StepsOf(kind.length(), run, field));
  }
  return length > 0 ? absl::StatusOr<int64_t>(length) : NoSteps(field);
}

absl::StatusOr<int64_t> StepsBetween(const ScheduleConfig::Step& step, const RunLength& run,
                                     absl::string_view place) {
  RETURN_IF_ERROR(CheckFactor(step.factor(), absl::StrCat(place, ".factor")));
  const std::string field = absl::StrCat(place, ".every");
  ASSIGN_OR_RETURN(const int64_t every, StepsOf(step.every(), run, field));
  return every > 0 ? absl::StatusOr<int64_t>(every) : NoSteps(field);
}

absl::StatusOr<std::vector<int64_t>> Milestones(const ScheduleConfig::MultiStep& multi_step,
                                                const RunLength& run, absl::string_view place) {
  RETURN_IF_ERROR(CheckFactor(multi_step.factor(), absl::StrCat(place, ".factor")));
  if (multi_step.at().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        place, " has no `at`: expected at least one moment, such as at { epochs: 10 }"));
  }
  std::vector<int64_t> milestones;
  for (int i = 0; i < multi_step.at_size(); ++i) {
    const std::string field = absl::StrCat(place, ".at[", i, "]");
    ASSIGN_OR_RETURN(const int64_t at, StepsOf(multi_step.at(i), run, field));
    if (!milestones.empty() && at <= milestones.back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is step ", at, ", not after the one before it, which is step ",
                       milestones.back(), ": list them in rising order"));
    }
    milestones.push_back(at);
  }
  return milestones;
}

absl::Status CheckOneCycle(const ScheduleConfig::OneCycle& cycle, absl::string_view place) {
  RETURN_IF_ERROR(CheckFactor(cycle.start_factor(), absl::StrCat(place, ".start_factor")));
  RETURN_IF_ERROR(CheckFactor(cycle.end_factor(), absl::StrCat(place, ".end_factor")));
  if (cycle.rise() > 0 && cycle.rise() < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(place, ".rise is ", cycle.rise(), ": expected a share between 0 and 1"));
}

absl::Status CheckPolynomial(const ScheduleConfig::Polynomial& polynomial,
                             absl::string_view place) {
  RETURN_IF_ERROR(CheckFactor(polynomial.end_factor(), absl::StrCat(place, ".end_factor")));
  if (polynomial.power() > 0 && std::isfinite(polynomial.power())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(place, ".power is ", polynomial.power(), ": expected a number above 0"));
}

}  // namespace

absl::StatusOr<Schedule> Schedule::Create(const ScheduleConfig& config, const RunLength& run,
                                          absl::string_view place) {
  Schedule schedule;
  schedule.config_ = config;
  const auto field = [place](absl::string_view name) { return absl::StrCat(place, ".", name); };
  if (config.has_warmup()) {
    ASSIGN_OR_RETURN(schedule.warmup_steps_, WarmupSteps(config.warmup(), run, field("warmup")));
  }
  const int64_t rest = run.total_steps - schedule.warmup_steps_;
  switch (config.kind_case()) {
    case ScheduleConfig::kStep: {
      ASSIGN_OR_RETURN(schedule.length_, StepsBetween(config.step(), run, field("step")));
      break;
    }
    case ScheduleConfig::kMultiStep: {
      ASSIGN_OR_RETURN(schedule.milestones_,
                       Milestones(config.multi_step(), run, field("multi_step")));
      break;
    }
    case ScheduleConfig::kCosine: {
      RETURN_IF_ERROR(CheckFactor(config.cosine().end_factor(), field("cosine.end_factor")));
      ASSIGN_OR_RETURN(schedule.length_, LengthOf(config.cosine(), run, rest, field("cosine")));
      break;
    }
    case ScheduleConfig::kOneCycle: {
      RETURN_IF_ERROR(CheckOneCycle(config.one_cycle(), field("one_cycle")));
      ASSIGN_OR_RETURN(schedule.length_,
                       LengthOf(config.one_cycle(), run, rest, field("one_cycle")));
      break;
    }
    case ScheduleConfig::kPolynomial: {
      RETURN_IF_ERROR(CheckPolynomial(config.polynomial(), field("polynomial")));
      ASSIGN_OR_RETURN(schedule.length_,
                       LengthOf(config.polynomial(), run, rest, field("polynomial")));
      break;
    }
    case ScheduleConfig::kConstant:
    case ScheduleConfig::KIND_NOT_SET:
      break;
  }
  return schedule;
}

double Schedule::Multiplier(int64_t step) const {
  if (step >= warmup_steps_) return AfterWarmup(step - warmup_steps_);
  const double start = config_.warmup().start_factor();
  const double gone = static_cast<double>(step) / static_cast<double>(warmup_steps_);
  return AfterWarmup(0) * (start + (1 - start) * gone);
}

double Schedule::AfterWarmup(int64_t step) const {
  const double gone =
      length_ > 0 ? std::min(1.0, static_cast<double>(step) / static_cast<double>(length_)) : 1.0;
  switch (config_.kind_case()) {
    case ScheduleConfig::kStep:
      return std::pow(config_.step().factor(), static_cast<double>(step / length_));
    case ScheduleConfig::kMultiStep: {
      const auto passed = std::upper_bound(milestones_.begin(), milestones_.end(), step);
      return std::pow(config_.multi_step().factor(),
                      static_cast<double>(passed - milestones_.begin()));
    }
    case ScheduleConfig::kCosine:
      return CosineBetween(1, config_.cosine().end_factor(), gone);
    case ScheduleConfig::kOneCycle:
      return OneCycleMultiplier(step);
    case ScheduleConfig::kPolynomial: {
      const double end = config_.polynomial().end_factor();
      return end + (1 - end) * std::pow(1 - gone, config_.polynomial().power());
    }
    case ScheduleConfig::kConstant:
    case ScheduleConfig::KIND_NOT_SET:
      break;
  }
  return 1;
}

// Counts steps, from the end of the warm-up, as PyTorch's OneCycleLR does: the factor has its peak
// at step rise * length - 1 (step 0 if that is negative) and reaches its final value at step length
// - 1 (at least 1).
double Schedule::OneCycleMultiplier(int64_t step) const {
  const auto& cycle = config_.one_cycle();
  const double last = std::max(1.0, static_cast<double>(length_ - 1));
  const double peak = std::max(0.0, cycle.rise() * static_cast<double>(length_) - 1);
  const double now = std::min(static_cast<double>(step), last);
  const bool rising = now <= peak && peak > 0;
  const double from = rising ? cycle.start_factor() : 1;
  const double to = rising ? 1 : cycle.end_factor();
  const double gone = rising ? now / peak : (now - peak) / (last - peak);
  if (cycle.shape() == ScheduleConfig::OneCycle::LINEAR) return from + (to - from) * gone;
  return CosineBetween(from, to, gone);
}

}  // namespace cotangent::optim
