#include "autodiff/symbolic/derivative_limit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/limits.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
namespace {

// A function of one variable, near a point.
class Neighbourhood {
 public:
  Neighbourhood(Expr f, Expr variable, double at, double value)
      : f_(f),
        slope_(Plain(Differentiate(f, variable))),
        variable_(variable),
        at_(at),
        value_(value) {}

  // Returns whether the function is defined at one of three places on that side of the point, at
  // distances that doubles can resolve.
  bool DefinedOn(Side side) const {
    for (const double step : {1e-3, 1e-5, 1e-7}) {
      const double away = step * std::max(1.0, std::abs(at_));
      const double x = side == Side::kRight ? at_ + away : at_ - away;
      if (Evaluate(f_, Bindings{{variable_.name(), x}}).ok()) return true;
    }
    return false;
  }

  // Returns the limit of the derivative from one side. Fails if the function is not continuous from
  // that side, or if the limit is infinite or was not found.
  absl::StatusOr<LimitValue> SlopeFrom(Side side, Budget* budget) const {
    const Expr point = f_.pool().Constant(at_);
    const LimitValue end = Limit(f_, variable_, point, side, budget);
    const LimitValue slope = Limit(slope_, variable_, point, side, budget);
    if (!end.finite() || !slope.known()) {
      return absl::OutOfRangeError("the limit of its slope was not found");
    }
    ASSIGN_OR_RETURN(const double reached, Evaluate(end.value, Bindings()));
    if (std::abs(reached - value_) > 1e-12 * std::max(1.0, std::abs(value_))) {
      return absl::OutOfRangeError("it jumps there");
    }
    if (!slope.finite()) return absl::OutOfRangeError("its slope is infinite there");
    return slope;
  }

 private:
  Expr f_, slope_, variable_;
  double at_, value_;
};

// Returns the limit of the derivative of f beside the point, where f has the value `value`.
absl::StatusOr<double> SlopeBeside(Expr f, Expr variable, const Bindings& point, double value,
                                   Budget* budget) {
  Substitutions others;
  for (Expr other : Variables(f)) {
    const auto found = point.find(other.name());
    if (other != variable && found != point.end()) {
      others[other] = f.pool().Constant(found->second);
    }
  }
  const Expr alone = Substitute(f, others);
  const Neighbourhood near(alone, variable, point.at(variable.name()), value);
  std::vector<LimitValue> slopes;
  for (const Side side : {Side::kLeft, Side::kRight}) {
    if (!near.DefinedOn(side)) continue;
    ASSIGN_OR_RETURN(const LimitValue slope, near.SlopeFrom(side, budget));
    slopes.push_back(slope);
  }
  if (slopes.empty()) return absl::OutOfRangeError("it is not defined beside the point");
  if (!Same(slopes.front(), slopes.back())) {
    return absl::OutOfRangeError(absl::StrCat("its slope is ", ToText(slopes.front()),
                                              " from the left, ", ToText(slopes.back()),
                                              " from the right"));
  }
  return Evaluate(slopes.front().value, Bindings());
}

}  // namespace

absl::StatusOr<double> DerivativeByLimit(Expr f, Expr variable, const Bindings& point,
                                         Budget* budget) {
  ASSIGN_OR_RETURN(const double value, Evaluate(f, point));
  return SlopeBeside(f, variable, point, value, budget);
}

absl::StatusOr<double> SecondDerivativeByLimit(Expr f, Expr first, Expr second,
                                               const Bindings& point, Budget* budget) {
  const Expr slope = Differentiate(f, first);
  absl::StatusOr<double> value = Evaluate(slope, point);
  if (!value.ok()) value = DerivativeByLimit(f, first, point, budget);
  RETURN_IF_ERROR(value.status());
  return SlopeBeside(slope, second, point, *value, budget);
}

}  // namespace cotangent::autodiff::symbolic
