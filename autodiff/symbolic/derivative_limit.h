#ifndef COTANGENT_AUTODIFF_SYMBOLIC_DERIVATIVE_LIMIT_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_DERIVATIVE_LIMIT_H_

#include "absl/status/statusor.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"

namespace cotangent::autodiff::symbolic {

// Returns the derivative of f by `variable` at a point where the chain rule fails, because an
// infinite slope meets a slope of 0: sqrt(x^4) at 0 has the derivative 0, and sqrt(x)^2 has 1.
//
// It is the limit of the derivative beside the point. If f is continuous at the point and its
// derivative has a limit there, the limit is the derivative, by the mean value theorem. At the edge
// of f's domain, the limit from inside is taken, as everywhere (autodiff/math.h). The other
// variables keep their values.
//
// Fails, with a message that says why, if f is not defined at the point, is defined on neither side
// of it or jumps there, if the limits from the two sides differ (f has a kink), if the limit is
// infinite, or if it is not found within the budget.
absl::StatusOr<double> DerivativeByLimit(Expr f, Expr variable, const Bindings& point,
                                         Budget* budget);

// Returns in the same way the second derivative of f by `first` and `second`, from the first
// derivatives by `first`, of which that at the point may be such a limit, too. So it is right where
// a kink meets a slope of 0: abs(-x^2) at 0 has the second derivative 2.
absl::StatusOr<double> SecondDerivativeByLimit(Expr f, Expr first, Expr second,
                                               const Bindings& point, Budget* budget);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_DERIVATIVE_LIMIT_H_
