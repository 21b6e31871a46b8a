#include "optim/schedules/curve.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"

namespace cotangent::optim {
namespace {

using Kind = ScheduleConfig::KindCase;

std::map<Kind, RegisterSchedule::Make>& RegisteredSchedules() {
  static auto& schedules = *new std::map<Kind, RegisterSchedule::Make>;
  return schedules;
}

const std::string& NameOf(Kind kind) {
  return ScheduleConfig::descriptor()->FindFieldByNumber(kind)->name();
}

}  // namespace

absl::StatusOr<int64_t> CurveContext::LengthIn(const Length& length,
                                               absl::string_view field) const {
  const std::string path = absl::StrCat(place, ".", field);
  ASSIGN_OR_RETURN(const int64_t steps, StepsOf(length, run, path));
  if (steps > 0) return steps;
  return absl::InvalidArgumentError(
      absl::StrCat(path, " comes to no steps: expected at least one"));
}

double ShareOver(int64_t step, int64_t length) {
  return std::min(1.0, static_cast<double>(step) / static_cast<double>(length));
}

double CosineBetween(double from, double to, double s) {
  const double cosine = std::cos(std::numbers::pi * s);
  return from * ((1 + cosine) / 2) + to * ((1 - cosine) / 2);
}

RegisterSchedule::RegisterSchedule(Kind kind, Make make) {
  if (!RegisteredSchedules().emplace(kind, make).second)
    RegisteredTwice(absl::StrCat("schedule ", NameOf(kind)));
}

absl::StatusOr<Curve> MakeCurve(const ScheduleConfig& config, const RunLength& run,
                                int64_t warmup_steps, absl::string_view place) {
  const Kind kind = config.kind_case() == ScheduleConfig::KIND_NOT_SET ? ScheduleConfig::kConstant
                                                                       : config.kind_case();
  const std::string path = absl::StrCat(place, ".", NameOf(kind));
  const auto known = RegisteredSchedules().find(kind);
  if (known == RegisteredSchedules().end()) {
    return absl::UnimplementedError(
        absl::StrCat(path, " is a schedule that this program was built without"));
  }
  return known->second(config, {path, run, run.total_steps - warmup_steps});
}

}  // namespace cotangent::optim
