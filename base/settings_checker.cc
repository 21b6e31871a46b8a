#include "base/settings_checker.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace cotangent {

void SettingsChecker::NotNegative(double value, absl::string_view field) {
  Require(value >= 0 && std::isfinite(value), field, value, "a number from 0 upwards");
}

void SettingsChecker::Fraction(double value, absl::string_view field) {
  Require(value >= 0 && value < 1, field, value, "at least 0 and below 1");
}

double SettingsChecker::Between(double value, double low, double high, absl::string_view field) {
  Require(value >= low && value <= high, field, value, absl::StrCat(low, " to ", high));
  return value;
}

void SettingsChecker::Require(bool holds, absl::string_view field, double value,
                              absl::string_view expected) {
  if (holds || !status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      absl::StrCat(place_, ".", field, " is ", value, ": expected ", expected));
}

}  // namespace cotangent
