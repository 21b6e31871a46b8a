#ifndef COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_

#include <cstdint>
#include <string>

#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"

// Computes limits by Gruntz's algorithm (D. Gruntz, On Computing Limits in a Symbolic Manipulation
// System, ETH Zurich, 1996). The subexpression that varies most rapidly is replaced by a small
// quantity w, and the expression is expanded into a series in w. The leading term of the series
// gives the limit: 0, infinity, or the limit of its coefficient, which grows more slowly. Absolute
// values, min, max, sign, step and select are resolved by the sign that their arguments eventually
// have, erf by its asymptotic series. A sine or cosine of an argument that grows without bound
// becomes an unknown quantity from -1 to 1.
//
// Every answer other than kUnknown is right. The answer is kUnknown if the algorithm cannot prove a
// sign or whether a term is zero, or if the budget (a limit on the work; normal_form.h) is used up
// before; budget->exhausted() tells.
namespace cotangent::autodiff::symbolic {

struct LimitValue {
  enum class Kind { kFinite, kPlusInfinity, kMinusInfinity, kUnknown };
  Kind kind = Kind::kUnknown;
  Expr value;  // the limit if kind is kFinite

  bool known() const { return kind != Kind::kUnknown; }
  bool finite() const { return kind == Kind::kFinite; }
};

// Returns the limit as text: "1/2", "+inf", "-inf" or "cannot tell".
std::string ToText(const LimitValue& limit);

// Returns whether both limits are known and are the same.
bool Same(const LimitValue& a, const LimitValue& b);

// The work (in units of Budget) of a limit from one side for which no budget is given: about a
// second.
inline constexpr int64_t kLimitWork = 700'000;

enum class Side { kLeft, kRight, kBoth };

// Returns the limit of e as `variable` tends to `point` from the given side. With Side::kBoth, the
// limit is known only if the limits from both sides are known and the same. Other variables are
// parameters; the limit is kUnknown if it depends on the sign of a parameter.
LimitValue Limit(Expr e, Expr variable, Expr point, Side side, Budget* budget = nullptr);

// Returns the limit of e as `variable` tends to +infinity, or to -infinity if not `positive`.
LimitValue LimitAtInfinity(Expr e, Expr variable, bool positive, Budget* budget = nullptr);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LIMITS_H_
