#ifndef COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_

#include <string>
#include <vector>

#include "autodiff/symbolic/expression.h"

// Limits, by Gruntz's algorithm (D. Gruntz, On Computing Limits in a Symbolic Manipulation System,
// ETH Zurich, 1996): the subexpression that varies most rapidly becomes a small quantity w, the
// expression a series in w, and the leading term decides or is again a limit problem, of slower
// growth. Absolute values, min, max, sign, step and select are resolved by the eventual sign of
// their arguments, erf by its asymptotic series, and a sine or cosine of something that grows
// without bound is kept as an unknown bounded quantity.
//
// Every answer but kUnknown is right: a zero test or a sign that cannot be proved gives kUnknown.
namespace cotangent::autodiff::symbolic {

struct LimitValue {
  enum class Kind { kFinite, kPlusInfinity, kMinusInfinity, kUnknown };
  Kind kind = Kind::kUnknown;
  Expr value;  // Of kFinite.

  bool known() const { return kind != Kind::kUnknown; }
  bool finite() const { return kind == Kind::kFinite; }
};

// "1/2", "+inf", "-inf", "cannot tell".
std::string ToText(const LimitValue& limit);

// Whether two limits are known and the same.
bool Same(const LimitValue& a, const LimitValue& b);

enum class Side { kLeft, kRight, kBoth };

// The limit as variable -> point from a side; kBoth: known when both are known and the same. Other
// variables are parameters: where the answer depends on the sign of one it is kUnknown.
LimitValue Limit(Expr e, Expr variable, Expr point, Side side);

// The limit as variable -> +infinity (or -infinity).
LimitValue LimitAtInfinity(Expr e, Expr variable, bool positive);

// Where a function of one variable has no derivative, or no value.
struct NonDifferentiablePoint {
  enum class Kind {
    kKink,      // Continuous, and the slopes from both sides are finite and differ.
    kVertical,  // Continuous, and a slope is infinite.
    kJump,      // The limits from both sides, or the value, differ.
    kPole,      // A limit is infinite.
    kEdge,      // Defined on one side only.
    kUnknown,   // A candidate that could not be decided.
  };
  Kind kind = Kind::kUnknown;
  Expr point;
  LimitValue left_value, right_value;
  LimitValue left_slope,
      right_slope;  // Limits of the derivative: the one-sided derivatives where continuous.
};

struct Differentiability {
  std::vector<NonDifferentiablePoint> points;  // Ascending.
  // Whether these are all. If not, `reason` names the subexpression whose zeros could not be found.
  bool complete = true;
  std::string reason;
};

// "kink", "vertical tangent", ...
const char* ToText(NonDifferentiablePoint::Kind kind);

Differentiability NonDifferentiablePoints(Expr e, Expr variable);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_
