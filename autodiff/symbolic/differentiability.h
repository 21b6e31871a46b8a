#ifndef COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIABILITY_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIABILITY_H_

#include <string>
#include <vector>

#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/limits.h"

// Finds the points where a function is not differentiable. The operations of a formula name
// expressions at whose zeros they may not be smooth (`suspects` in operation.h); the limits of
// value and slope from both sides of such a zero then tell what kind of point it is.
namespace cotangent::autodiff::symbolic {

// A point where a function of one variable has no derivative or no value.
struct NonDifferentiablePoint {
  enum class Kind {
    kKink,      // Continuous, and the slopes from both sides are finite and differ.
    kVertical,  // Continuous, and a slope is infinite.
    kJump,      // The limits from both sides, or the value, differ.
    kPole,      // A limit is infinite.
    kEdge,      // Only the limit from one side is known: mostly defined on that side only.
    kUnknown,   // Possibly such a point; this could not be decided.
  };
  Kind kind = Kind::kUnknown;
  Expr point;
  LimitValue left_value, right_value;
  // The limits of the derivative from the left and from the right. They are the one-sided
  // derivatives if the function is continuous at the point.
  LimitValue left_slope, right_slope;
};

struct Differentiability {
  std::vector<NonDifferentiablePoint> points;  // in ascending order
  // Whether `points` contains all such points. If not, `reason` names a subexpression for which
  // they could not all be found.
  bool complete = true;
  std::string reason;
};

// Returns the kind as text: "kink", "vertical tangent", ...
const char* ToText(NonDifferentiablePoint::Kind kind);

// Returns the points where e as a function of `variable` has no derivative or no value.
Differentiability NonDifferentiablePoints(Expr e, Expr variable);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIABILITY_H_
