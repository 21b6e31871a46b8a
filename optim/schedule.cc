#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

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

}  // namespace

absl::StatusOr<Schedule> Schedule::Create(const ScheduleConfig& config, const RunLength& run,
                                          absl::string_view place) {
  Schedule schedule;
  schedule.config_ = config;
  if (config.has_warmup()) {
    const std::string warmup = absl::StrCat(place, ".warmup");
    ASSIGN_OR_RETURN(auto steps,
                     StepsOf(config.warmup().length(), run, absl::StrCat(warmup, ".length")));
    if (steps >= run.total_steps) {
      return absl::InvalidArgumentError(
          absl::StrCat(warmup, ".length is ", steps, " steps, but the whole run has ",
                       run.total_steps, ": shorten it or train for longer"));
    }
    schedule.warmup_steps_ = steps;
    RETURN_IF_ERROR(
        CheckFactor(config.warmup().start_factor(), absl::StrCat(warmup, ".start_factor")));
  }

  const int64_t rest = run.total_steps - schedule.warmup_steps_;
  // Sets length_ to the schedule's own length or, if the recipe gives none, to the rest of the run.
  auto set_length = [&](const auto& kind, absl::string_view name) -> absl::Status {
    schedule.length_ = rest;
    const std::string field = absl::StrCat(place, ".", name, ".length");
    if (kind.has_length()) {
      ASSIGN_OR_RETURN(schedule.length_, StepsOf(kind.length(), run, field));
    }
    if (schedule.length_ > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(field, " comes to no steps: expected at least one"));
  };

  switch (config.kind_case()) {
    case ScheduleConfig::kStep: {
      RETURN_IF_ERROR(CheckFactor(config.step().factor(), absl::StrCat(place, ".step.factor")));
      ASSIGN_OR_RETURN(auto every,
                       StepsOf(config.step().every(), run, absl::StrCat(place, ".step.every")));
      if (every == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(place, ".step.every comes to no steps: expected at least one"));
      }
      schedule.length_ = every;
      break;
    }
    case ScheduleConfig::kMultiStep: {
      RETURN_IF_ERROR(
          CheckFactor(config.multi_step().factor(), absl::StrCat(place, ".multi_step.factor")));
      if (config.multi_step().at().empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(place,
                         ".multi_step has no `at`: expected at least one moment, such as "
                         "at { epochs: 10 }"));
      }
      for (int i = 0; i < config.multi_step().at_size(); ++i) {
        const std::string field = absl::StrCat(place, ".multi_step.at[", i, "]");
        ASSIGN_OR_RETURN(auto at, StepsOf(config.multi_step().at(i), run, field));
        if (!schedule.milestones_.empty() && at <= schedule.milestones_.back()) {
          return absl::InvalidArgumentError(
              absl::StrCat(field, " is step ", at, ", not after the one before it, which is step ",
                           schedule.milestones_.back(), ": list them in rising order"));
        }
        schedule.milestones_.push_back(at);
      }
      break;
    }
    case ScheduleConfig::kCosine:
      RETURN_IF_ERROR(
          CheckFactor(config.cosine().end_factor(), absl::StrCat(place, ".cosine.end_factor")));
      RETURN_IF_ERROR(set_length(config.cosine(), "cosine"));
      break;
    case ScheduleConfig::kOneCycle: {
      const auto& cycle = config.one_cycle();
      const std::string field = absl::StrCat(place, ".one_cycle");
      RETURN_IF_ERROR(CheckFactor(cycle.start_factor(), absl::StrCat(field, ".start_factor")));
      RETURN_IF_ERROR(CheckFactor(cycle.end_factor(), absl::StrCat(field, ".end_factor")));
      if (!(cycle.rise() > 0 && cycle.rise() < 1)) {
        return absl::InvalidArgumentError(
            absl::StrCat(field, ".rise is ", cycle.rise(), ": expected a share between 0 and 1"));
      }
      RETURN_IF_ERROR(set_length(cycle, "one_cycle"));
      break;
    }
    case ScheduleConfig::kPolynomial: {
      const auto& polynomial = config.polynomial();
      RETURN_IF_ERROR(
          CheckFactor(polynomial.end_factor(), absl::StrCat(place, ".polynomial.end_factor")));
      if (!(polynomial.power() > 0 && std::isfinite(polynomial.power()))) {
        return absl::InvalidArgumentError(absl::StrCat(
            place, ".polynomial.power is ", polynomial.power(), ": expected a number above 0"));
      }
      RETURN_IF_ERROR(set_length(polynomial, "polynomial"));
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

// Counts steps as PyTorch does: the factor has its peak at step rise * length - 1 and reaches its
// final value at step length - 1.
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
