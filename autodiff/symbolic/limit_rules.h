#ifndef COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_

#include <optional>

#include "autodiff/symbolic/operation.h"

// How operations look near a limit (the field `limit` of struct Operation). A rule whose function is
// undefined there, as a root of what is negative is, gives nothing.
namespace cotangent::autodiff::symbolic {

std::optional<Expr> LimitOfPower(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfLn(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfCbrt(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAsin(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAcos(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAtan(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfTan(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAsinh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAcosh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfAtanh(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfErf(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfErfc(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfFloor(LimitContext& context, Arguments a);
std::optional<Expr> LimitOfRound(LimitContext& context, Arguments a);

// sin and cos: unknown but bounded where the argument grows without bound.
template <Op op>
std::optional<Expr> LimitOfWave(LimitContext& context, Arguments a) {
  Expr value;
  const std::optional<int> sign = context.Limit(a[0], &value);
  if (!sign.has_value()) return std::nullopt;
  return *sign == 0 ? Apply(op, a) : context.Bounded();
}

// What a piecewise function is, by the eventual sign of u.
std::optional<Expr> BySign(LimitContext& context, Expr u, Expr negative, Expr zero, Expr positive);
std::optional<Expr> BySign(LimitContext& context, Expr u, const Number& negative,
                           const Number& zero, const Number& positive);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LIMIT_RULES_H_
