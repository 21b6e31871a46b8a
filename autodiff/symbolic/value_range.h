// An interval in which the values of an expression lie, for limits (limits.cc) of expressions with
// quantities of which only a bound is known, such as sin(t) for large t.
#ifndef COTANGENT_AUTODIFF_SYMBOLIC_VALUE_RANGE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_VALUE_RANGE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "autodiff/symbolic/expression.h"

namespace cotangent::autodiff::symbolic {

struct Interval {
  double low, high;
};

// Returns an interval, exact except for rounding, in which all values of e lie if the variables
// whose names begin with `bounded_by_one` are from -1 to 1. Nothing if e has other variables, if
// these are in operations other than sums, products, whole powers and exp, or if a value is not
// finite.
std::optional<Interval> RangeOf(Expr e, absl::string_view bounded_by_one);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_VALUE_RANGE_H_
