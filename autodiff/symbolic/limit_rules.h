#ifndef COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_

#include <optional>

#include "autodiff/symbolic/operation.h"

// Declares the rules for limits in the field `limit` of struct Operation (operation.h). Each rule
// rewrites an operation with arguments `a` into a form that the limit algorithm (limits.h) can
// expand, for large values of the limit's variable. A rule returns nothing if the function is
// undefined there, such as ln of a negative argument, or if that cannot be decided.
namespace cotangent::autodiff::symbolic {

std::optional<Expr> LimitOfPower(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfLn(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfCbrt(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAsin(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAcos(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAtan(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAtan2(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfTan(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAsinh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAcosh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAtanh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfErf(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfErfc(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfGamma(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfLgamma(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfPolygamma(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfFloor(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfRound(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfMod(LimitContext& context, Arguments a);

// The rule for sin and cos. If the argument grows without bound, the result is an unknown quantity
// from -1 to 1.
template <Op op>
std::optional<Expr> LimitOfWave(LimitContext& context, Arguments a) {
  Expr value;
  const std::optional<int> sign = context.Limit(a[0], &value);
  if (!sign.has_value()) return std::nullopt;
  return *sign == 0 ? Apply(op, a) : context.BoundedByOne();
}

// Returns `negative`, `zero` or `positive`, according to the sign that u has for all large values
// of the limit's variable. Serves piecewise functions such as abs.
std::optional<Expr> BySign(LimitContext& context, Expr u, Expr negative, Expr zero, Expr positive);
std::optional<Expr> BySign(LimitContext& context, Expr u, const Number& negative,
                           const Number& zero, const Number& positive);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_
