#include "autodiff/symbolic/limit_rules.h"

#include <cmath>
#include <vector>

namespace cotangent::autodiff::symbolic {
namespace {

using Maybe = std::optional<Expr>;

// The rule (a rewriting into a form whose limit can be computed; limit_rules.h) for erf(u), or for
// erfc(u) if `complement`. If u grows without bound, the rule uses the asymptotic series for v =
// |u|, with an unknown bounded B (Abramowitz and Stegun 7.1.23):
//   erfc(v) = exp(-v^2) / (v sqrt(pi)) (1 - 1/(2 v^2) + 3/(4 v^4) + B v^-6)
Maybe ErrorFunction(LimitContext& context, Expr u, bool complement) {
  Expr value;
  const std::optional<int> infinite = context.Limit(u, &value);
  if (!infinite.has_value()) return std::nullopt;
  if (*infinite == 0) return complement ? 1 - Erf(u) : Erf(u);
  const Expr v = *infinite < 0 ? -u : u;
  const Expr tail = Exp(-Square(v)) / (v * Sqrt(u.pool().Pi())) *
                    (1 - 0.5 * Pow(v, Number(-2)) + 0.75 * Pow(v, Number(-4)) +
                     context.Bounded() * Pow(v, Number(-6)));
  if (complement) return *infinite < 0 ? 2 - tail : tail;
  return *infinite < 0 ? tail - 1 : 1 - tail;
}

// Where the argument u of a gamma function goes.
struct GammaArgument {
  bool infinite = false;    // u tends to +infinity
  std::optional<int> pole;  // u tends to minus this number; otherwise the functions are analytic
};

// Returns nothing if u tends to -infinity, past poles without end, or stays at a pole, or if it
// cannot be told whether it tends to one.
std::optional<GammaArgument> ArgumentOfGamma(LimitContext& context, Expr u) {
  constexpr int kMostPoles = 30;
  Expr value;
  const std::optional<int> infinite = context.Limit(u, &value);
  if (!infinite.has_value() || *infinite < 0) return std::nullopt;
  if (*infinite > 0) return GammaArgument{.infinite = true, .pole = {}};
  const std::optional<double> number = context.ValueOf(value);
  if (!number.has_value()) return std::nullopt;
  const double nearest = std::round(*number);
  if (nearest > 0 || std::abs(*number - nearest) > 1e-6) return GammaArgument{};
  if (nearest < -kMostPoles || !value.IsNumber(std::lround(nearest))) return std::nullopt;
  const std::optional<int> side = context.EventualSign(u - value);
  if (!side.has_value() || *side == 0) return std::nullopt;
  return GammaArgument{.infinite = false, .pole = static_cast<int>(-nearest)};
}

// ln Gamma(u) for u that grows without bound, by Stirling's series with an unknown bounded B
// (Abramowitz and Stegun 6.1.41).
Expr LogGammaAtInfinity(LimitContext& context, Expr u) {
  Pool& pool = u.pool();
  const auto term = [&](int64_t denominator, int power) {
    return pool.Constant(Number::Ratio(1, denominator)) * Pow(u, Number(-power));
  };
  return (u - 0.5) * Ln(u) - u + 0.5 * Ln(2 * pool.Pi()) + term(12, 1) - term(360, 3) +
         context.Bounded() * Pow(u, Number(-5));
}

// polygamma(n, u) for u that grows without bound (Abramowitz and Stegun 6.3.18 and 6.4.11).
Expr PolygammaAtInfinity(LimitContext& context, int n, Expr u) {
  Pool& pool = u.pool();
  const auto term = [&](const Number& coefficient, int power) {
    return pool.Constant(coefficient) * Pow(u, Number(-power));
  };
  const Expr rest = context.Bounded() * Pow(u, Number(-n - 6));
  if (n == 0) {
    return Ln(u) - term(Number::Ratio(1, 2), 1) - term(Number::Ratio(1, 12), 2) +
           term(Number::Ratio(1, 120), 4) + rest;
  }
  const Expr sum = term(Factorial(n - 1), n) + term(Factorial(n) * Number::Ratio(1, 2), n + 1) +
                   term(Factorial(n + 1) * Number::Ratio(1, 12), n + 2) -
                   term(Factorial(n + 3) * Number::Ratio(1, 720), n + 4) + rest;
  return n % 2 == 1 ? sum : -sum;
}

// The rule for a step function value_of(u) with jumps at the whole numbers plus `offset`, such as
// floor. Returns the constant value that the function has for u near its limit, or u minus a
// quantity of at most 1 in size if u tends to plus or minus infinity.
Maybe StepFunction(LimitContext& context, Expr u, double offset, double (*value_of)(double)) {
  Expr value;
  const std::optional<int> infinite = context.Limit(u, &value);
  if (!infinite.has_value()) return std::nullopt;
  if (*infinite != 0) return u - context.BoundedByOne();
  const std::optional<double> number = context.ValueOf(value);
  if (!number.has_value()) return std::nullopt;
  const double jump = std::round(*number - offset) + offset;
  Pool& pool = u.pool();
  if (std::abs(*number - jump) > 1e-6) return pool.Constant(value_of(*number));
  if (!value.IsConstant() || value.number() != Number::FromDouble(jump)) return std::nullopt;
  const std::optional<int> side = context.EventualSign(u - value);
  if (!side.has_value()) return std::nullopt;
  return pool.Constant(value_of(jump + 0.25 * *side));
}

}  // namespace

Maybe BySign(LimitContext& context, Expr u, Expr negative, Expr zero, Expr positive) {
  const std::optional<int> sign = context.EventualSign(u);
  if (!sign.has_value()) return std::nullopt;
  return *sign < 0 ? negative : *sign == 0 ? zero : positive;
}

Maybe BySign(LimitContext& context, Expr u, const Number& negative, const Number& zero,
             const Number& positive) {
  Pool& pool = u.pool();
  return BySign(context, u, pool.Constant(negative), pool.Constant(zero), pool.Constant(positive));
}

Maybe LimitOfPower(LimitContext& context, Arguments a) {
  const Expr base = a[0], exponent = a[1];
  if (exponent.IsConstant() && exponent.number().integer()) return Pow(base, exponent);
  const std::optional<int> sign = context.EventualSign(base);
  if (!sign.has_value() || *sign < 0) return std::nullopt;
  if (*sign == 0) {
    const std::optional<int> power = context.EventualSign(exponent);
    if (!power.has_value() || *power <= 0) return std::nullopt;
    return base.pool().Constant(0);
  }
  if (!exponent.IsConstant()) return Exp(exponent * Ln(base));
  // Where the base is positive, (u v^2)^c is u^c |v|^(2 c).
  std::vector<Expr> under, out;
  for (Expr factor : base.op() == Op::kMul ? base.args() : absl::MakeConstSpan(&base, 1)) {
    const bool even = factor.op() == Op::kPow && factor.arg(1).IsConstant() &&
                      factor.arg(1).number().integer() &&
                      factor.arg(1).number().numerator() % 2 == 0;
    const std::optional<int> side = even ? context.EventualSign(factor.arg(0)) : std::nullopt;
    if (!side.has_value()) {
      under.push_back(factor);
      continue;
    }
    const Expr size = *side < 0 ? -factor.arg(0) : factor.arg(0);
    out.push_back(Pow(size, factor.arg(1).number() * exponent.number()));
  }
  if (out.empty()) return Pow(base, exponent);
  if (!under.empty()) out.push_back(Pow(Mul(under), exponent));
  return Mul(out);
}

Maybe LimitOfLn(LimitContext& context, Arguments a) {
  if (a[0].op() == Op::kExp) return a[0].arg(0);
  const std::optional<int> sign = context.EventualSign(a[0]);
  if (!sign.has_value() || *sign <= 0) return std::nullopt;
  return Ln(a[0]);
}

Maybe LimitOfCbrt(LimitContext& context, Arguments a) {
  const Number third = Number::Ratio(1, 3);
  return BySign(context, a[0], -Pow(-a[0], third), a[0].pool().Constant(0), Pow(a[0], third));
}

// If u tends to 1, the rule uses asin(u) = pi/2 - 2 asin(sqrt((1 - u)/2)), because asin is analytic
// at 0 but not at 1. If u tends to -1, the rule uses that asin is odd.
Maybe LimitOfAsin(LimitContext& context, Arguments a) {
  const Expr u = a[0];
  Expr value;
  const std::optional<int> infinite = context.Limit(u, &value);
  if (!infinite.has_value() || *infinite != 0) return std::nullopt;
  if (value.IsNumber(1) || value.IsNumber(-1)) {
    const bool at_one = value.IsNumber(1);
    const Expr gap = 0.5 * (at_one ? 1 - u : 1 + u);
    const std::optional<int> sign = context.EventualSign(gap);
    if (!sign.has_value() || *sign < 0) return std::nullopt;
    const Expr asin = u.pool().Pi() / 2 - 2 * Asin(Sqrt(gap));
    return at_one ? asin : -asin;
  }
  const std::optional<int> inside = context.EventualSign(1 - Square(u));
  if (!inside.has_value() || *inside <= 0) return std::nullopt;
  return Asin(u);
}

Maybe LimitOfAcos(LimitContext& context, Arguments a) {
  const Maybe asin = LimitOfAsin(context, a);
  if (!asin.has_value()) return std::nullopt;
  return a[0].pool().Pi() / 2 - *asin;
}

Maybe LimitOfAtan(LimitContext& context, Arguments a) {
  Expr value;
  const std::optional<int> infinite = context.Limit(a[0], &value);
  if (!infinite.has_value()) return std::nullopt;
  if (*infinite == 0) return Atan(a[0]);
  const Expr quarter = a[0].pool().Pi() / 2;
  return (*infinite > 0 ? quarter : -quarter) - Atan(1 / a[0]);
}

// The rule for atan2(y, x): atan(y / x) in the form that its own rule gives, plus or minus pi where
// x is negative; plus or minus pi/2 where x is 0. There is no form where x and y are 0.
Maybe LimitOfAtan2(LimitContext& context, Arguments a) {
  const std::optional<int> up = context.EventualSign(a[0]), right = context.EventualSign(a[1]);
  if (!up.has_value() || !right.has_value() || (*up == 0 && *right == 0)) return std::nullopt;
  Pool& pool = a[0].pool();
  const Expr turned = pool.Constant(*up < 0 ? -1 : 1) * pool.Pi();
  if (*up == 0) return *right > 0 ? pool.Constant(0) : pool.Pi();
  if (*right == 0) return turned / 2;
  const Maybe angle = LimitOfAtan(context, {a[0] / a[1]});
  if (!angle.has_value() || *right > 0) return angle;
  return *angle + turned;
}

// The rule for mod(u, v), which is u - v floor(u / v).
Maybe LimitOfMod(LimitContext& context, Arguments a) {
  const Maybe floor = LimitOfFloor(context, {a[0] / a[1]});
  if (!floor.has_value()) return std::nullopt;
  return a[0] - a[1] * *floor;
}

Maybe LimitOfTan(LimitContext& context, Arguments a) {
  Expr value;
  const std::optional<int> infinite = context.Limit(a[0], &value);
  if (!infinite.has_value() || *infinite != 0) return std::nullopt;
  return Sin(a[0]) / Cos(a[0]);
}

// asinh(u) = ln(u + sqrt(u^2 + 1)) for positive u. For negative u the rule uses -asinh(-u), because
// the sum would cancel.
Maybe LimitOfAsinh(LimitContext& context, Arguments a) {
  const auto positive = [](Expr v) { return Ln(v + Sqrt(Square(v) + 1)); };
  return BySign(context, a[0], -positive(-a[0]), a[0].pool().Constant(0), positive(a[0]));
}

Maybe LimitOfAcosh(LimitContext& context, Arguments a) {
  const std::optional<int> sign = context.EventualSign(a[0] - 1);
  if (!sign.has_value() || *sign < 0) return std::nullopt;
  if (*sign == 0) return a[0].pool().Constant(0);
  return Ln(a[0] + Sqrt(Square(a[0]) - 1));
}

Maybe LimitOfAtanh(LimitContext& context, Arguments a) {
  const std::optional<int> inside = context.EventualSign(1 - Square(a[0]));
  if (!inside.has_value() || *inside <= 0) return std::nullopt;
  return 0.5 * Ln((1 + a[0]) / (1 - a[0]));
}

Maybe LimitOfErf(LimitContext& context, Arguments a) { return ErrorFunction(context, a[0], false); }
Maybe LimitOfErfc(LimitContext& context, Arguments a) { return ErrorFunction(context, a[0], true); }

// Near a pole -m, with d = u + m: Gamma(u) = Gamma(1 + d) / (d (d - 1) ... (d - m)).
Maybe LimitOfGamma(LimitContext& context, Arguments a) {
  const Expr u = a[0];
  const std::optional<GammaArgument> at = ArgumentOfGamma(context, u);
  if (!at.has_value()) return std::nullopt;
  if (at->infinite) return Exp(LogGammaAtInfinity(context, u));
  if (!at->pole.has_value()) return Apply(Op::kGamma, a);
  const Expr d = u + *at->pole;
  std::vector<Expr> factors = {Apply(Op::kGamma, {1 + d})};
  for (int k = 0; k <= *at->pole; ++k) factors.push_back(1 / (d - k));
  return Mul(factors);
}

// The logarithm of the rule for gamma: ln |Gamma(u)|.
Maybe LimitOfLgamma(LimitContext& context, Arguments a) {
  const Expr u = a[0];
  const std::optional<GammaArgument> at = ArgumentOfGamma(context, u);
  if (!at.has_value()) return std::nullopt;
  if (at->infinite) return LogGammaAtInfinity(context, u);
  if (!at->pole.has_value()) return Apply(Op::kLgamma, a);
  const Expr d = u + *at->pole;
  const Maybe size = BySign(context, d, -d, d, d);
  if (!size.has_value()) return std::nullopt;
  std::vector<Expr> terms = {Apply(Op::kLgamma, {1 + d}), -Ln(*size)};
  for (int k = 1; k <= *at->pole; ++k) terms.push_back(-Ln(k - d));
  return Add(terms);
}

// Near a pole -m, with d = u + m: the sum over k from 0 to m of -(-1)^n n! / (d - k)^(n+1) is left
// of polygamma(n, u) - polygamma(n, 1 + d).
Maybe LimitOfPolygamma(LimitContext& context, Arguments a) {
  constexpr int kHighest = 12;  // their factorials are exact
  const Expr u = a[1];
  const std::optional<GammaArgument> at = ArgumentOfGamma(context, u);
  if (!at.has_value() || !(a[0].number() < Number(kHighest + 1))) return std::nullopt;
  const int n = static_cast<int>(a[0].number().numerator());
  if (at->infinite) return PolygammaAtInfinity(context, n, u);
  if (!at->pole.has_value()) return Apply(Op::kPolygamma, a);
  const Expr d = u + *at->pole;
  const Number factor = n % 2 == 0 ? -Factorial(n) : Factorial(n);
  std::vector<Expr> terms = {Polygamma(n, 1 + d)};
  for (int k = 0; k <= *at->pole; ++k) {
    terms.push_back(u.pool().Constant(factor) * Pow(d - k, Number(-n - 1)));
  }
  return Add(terms);
}

Maybe LimitOfFloor(LimitContext& context, Arguments a) {
  return StepFunction(context, a[0], 0, [](double x) { return std::floor(x); });
}
Maybe LimitOfRound(LimitContext& context, Arguments a) {
  return StepFunction(context, a[0], 0.5, [](double x) { return std::round(x); });
}

}  // namespace cotangent::autodiff::symbolic
