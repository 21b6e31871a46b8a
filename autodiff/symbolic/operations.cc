#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include "autodiff/symbolic/limit_rules.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

// ---- Types and functions that the entries of operations.inc use ----
//
// First short names for types, then functions for each field of struct Operation (operation.h).

using Args = Arguments;
using Context = LimitContext;
using Exprs = std::vector<Expr>;
using Maybe = std::optional<Expr>;
using Numbers = absl::Span<const double>;
using Program = codegen::VectorProgram;
using V = absl::Span<const codegen::Value>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Expr Half(Expr beside) { return beside.pool().Constant(Number::Ratio(1, 2)); }
Expr Two(Expr beside) { return beside.pool().Constant(2); }
Expr Ten(Expr beside) { return beside.pool().Constant(10); }

// -- Functions for the field `fold`, which return null if the operation does not fold --

Expr FoldSum(Args a) { return Add(a); }
Expr FoldProduct(Args a) { return Mul(a); }
Expr FoldPower(Args a) { return Pow(a[0], a[1]); }

// Folds f(0) to `value`.
template <int value>
Expr AtZero(Args a) {
  return a[0].IsZero() ? a[0].pool().Constant(value) : Expr();
}

// Folds f(1) to `value`.
template <int value>
Expr AtOne(Args a) {
  return a[0].IsOne() ? a[0].pool().Constant(value) : Expr();
}

// Folds f at multiples of pi / 2, which doubles miss: value[n] is the value at n pi / 2, of a
// function with period 2 pi; kNone where it has a pole.
constexpr int kNone = 2;
Expr AtQuarterTurns(Args a, const int (&value)[4]) {
  const auto [multiple, rest] = SplitCoefficient(a[0]);
  const Number turns = a[0].IsZero() ? Number(0) : multiple * Number(2);
  if (!(a[0].IsZero() || rest.op() == Op::kPi) || !turns.integer()) return Expr();
  const int at = value[((turns.numerator() % 4) + 4) % 4];
  return at == kNone ? Expr() : a[0].pool().Constant(at);
}
Expr FoldSin(Args a) { return AtQuarterTurns(a, {0, 1, 0, -1}); }
Expr FoldCos(Args a) { return AtQuarterTurns(a, {1, 0, -1, 0}); }
Expr FoldTan(Args a) { return AtQuarterTurns(a, {0, kNone, 0, kNone}); }

Expr FoldLn(Args a) {
  if (a[0].IsOne()) return a[0].pool().Constant(0);
  if (a[0] == a[0].pool().E()) return a[0].pool().Constant(1);
  return Expr();
}

Expr FoldCbrt(Args a) {
  if (!a[0].IsConstant() || !a[0].number().exact()) return Expr();
  const std::optional<Number> root = ExactRoot(Abs(a[0].number()), 3);
  if (!root.has_value()) return Expr();
  return a[0].pool().Constant(a[0].number().sign() < 0 ? -*root : *root);
}

Expr FoldHypot(Args a) {
  if (a[0].IsZero()) return Abs(a[1]);
  if (a[1].IsZero()) return Abs(a[0]);
  return Expr();
}

// Gamma(n) = (n - 1)! for whole n, as long as that is exact.
Expr FoldGamma(Args a) {
  if (!a[0].IsConstant() || !a[0].number().integer()) return Expr();
  const int64_t n = a[0].number().numerator();
  if (n < 1 || n > 19) return Expr();
  return a[0].pool().Constant(Factorial(n - 1));
}

// ln Gamma(1) and ln Gamma(2) are 0.
Expr FoldLgamma(Args a) {
  return a[0].IsOne() || a[0].IsNumber(2) ? a[0].pool().Constant(0) : Expr();
}

Expr FoldRound(Args a) {
  if (!a[0].IsConstant()) return Expr();
  const Number& n = a[0].number();
  if (!n.exact()) return a[0].pool().Constant(std::round(n.ToDouble()));
  const Number size = Floor(Abs(n) + Number::Ratio(1, 2));
  return a[0].pool().Constant(n.sign() < 0 ? -size : size);
}

Expr FoldMin(Args a) {
  if (a[0] == a[1]) return a[0];
  if (!a[0].IsConstant() || !a[1].IsConstant()) return Expr();
  return a[0].pool().Constant(Min(a[0].number(), a[1].number()));
}

Expr FoldMax(Args a) {
  if (a[0] == a[1]) return a[0];
  if (!a[0].IsConstant() || !a[1].IsConstant()) return Expr();
  return a[0].pool().Constant(Max(a[0].number(), a[1].number()));
}

Expr FoldSelect(Args a) {
  if (a[0] == a[1]) return a[3];
  if (a[2] == a[3]) return a[2];
  if (!a[0].IsConstant() || !a[1].IsConstant()) return Expr();
  return a[0].number() < a[1].number() ? a[2] : a[3];
}

// -- Functions for the field `derivative`: the derivative of e by its argument i --

Expr One(Expr e, size_t) { return e.pool().Constant(1); }
Expr Zero(Expr e, size_t) { return e.pool().Constant(0); }

Expr OtherFactors(Expr e, size_t i) {
  Exprs others;
  for (size_t k = 0; k < e.args().size(); ++k) {
    if (k != i) others.push_back(e.arg(k));
  }
  return Mul(others);
}

// The derivative of x^y by x is y x^(y-1), and must be 0 where y is 0; that by y is x^y ln(x), and
// must be 0 where x^y is 0 (autodiff/math.h). So both are built by StrongMul, a product that is 0
// wherever a factor is 0; only the derivative by x does not need it if y is a constant.
Expr PowerDerivative(Expr e, size_t i) {
  const Expr base = e.arg(0), exponent = e.arg(1);
  if (i == 1) return StrongMul(e, Ln(base));
  if (exponent.IsConstant()) return exponent * Pow(base, exponent.number() - Number(1));
  return StrongMul(exponent, Pow(base, exponent - 1));
}

Expr OneMinusSquare(Expr a) { return (1 - a) * (1 + a); }

Expr ErfDerivative(Expr a) { return 2 / Sqrt(a.pool().Pi()) * Exp(-Square(a)); }

// The derivatives of atan2(y, x) are x / (x^2 + y^2) by y and -y / (x^2 + y^2) by x. The code
// divides by the length twice, because the square of the length could overflow.
Expr Atan2Derivative(Expr e, size_t i) {
  const Expr length = Hypot(e.arg(0), e.arg(1));
  const Expr slope = e.arg(1 - i) / length / length;
  return i == 0 ? slope : -slope;
}

// The derivatives of mod(a, b) are 1 by a and -floor(a / b) by b. The floor is computed as (a -
// mod(a, b)) / b, rounded: a plain floor(a / b) can be off by 1, because its quotient is rounded
// first.
Expr ModDerivative(Expr e, size_t i) {
  return i == 0 ? One(e, 0) : -Round((e.arg(0) - e) / e.arg(1));
}

Expr MinDerivative(Expr e, size_t i) {
  const Expr zero = Zero(e, 0), one = One(e, 0);
  return i == 0 ? Select(e.arg(1), e.arg(0), zero, one) : Select(e.arg(1), e.arg(0), one, zero);
}

Expr MaxDerivative(Expr e, size_t i) {
  const Expr zero = Zero(e, 0), one = One(e, 0);
  if (e.arg(0).IsZero()) return i == 0 ? 1 - Step(e.arg(1)) : Step(e.arg(1));
  return i == 0 ? Select(e.arg(0), e.arg(1), zero, one) : Select(e.arg(0), e.arg(1), one, zero);
}

Expr SelectDerivative(Expr e, size_t i) {
  const Expr zero = Zero(e, 0), one = One(e, 0);
  if (i < 2) return zero;
  return Select(e.arg(0), e.arg(1), i == 2 ? one : zero, i == 2 ? zero : one);
}

Expr GeluTanhArgument(Expr x) {
  return 2 * Sqrt(2 / x.pool().Pi()) * (x + 0.044715 * Pow(x, Number(3)));
}

// The derivative of x s for s = sigmoid(u) is s + x s sigmoid(-u) u'. Where s sigmoid(-u) is 0, u'
// may overflow.
Expr GeluTanhDerivative(Expr e, size_t) {
  const Expr x = e.arg(0), u = GeluTanhArgument(x), s = Sigmoid(u);
  const Expr slope = 2 * Sqrt(2 / x.pool().Pi()) * (1 + 3 * 0.044715 * Square(x));
  return s + StrongMul(s * Sigmoid(-u), x * slope);
}

// -- Functions for the field `pole`: whether an infinite value at finite arguments is a pole --

bool Always(Numbers) { return true; }
bool NotPositive(Numbers a) { return a[0] <= 0; }

// -- Functions for the field `lower`, which append to the vector program p --

// Returns f(a, b) for f = Min or Max, and NaN if a or b is NaN. Min and Max of the vector program p
// return the second operand if either is NaN, so a constant, which is no NaN, goes first.
codegen::Value KeepingNaN(Program& p, codegen::Value (Program::*f)(codegen::Value, codegen::Value),
                          codegen::Value a, codegen::Value b) {
  const auto constant = [&p](codegen::Value v) {
    return p.instructions()[v].opcode == codegen::Opcode::kConstant;
  };
  if (constant(b)) std::swap(a, b);
  if (constant(a)) return (p.*f)(a, b);
  return p.Select(p.Equal(a, a), (p.*f)(a, b), a);
}

codegen::Value LowerCbrt(Program& p, V a) {
  return p.Mul(p.Sign(a[0]), p.Pow(p.Abs(a[0]), p.Constant(1.0f / 3)));
}

// Rounds halves away from 0, whereas p.Round() rounds them to even numbers. An f32 from 2^23 on is
// whole and stays as it is.
codegen::Value LowerRound(Program& p, V a) {
  const codegen::Value size = p.Abs(a[0]), floor = p.Floor(size);
  const codegen::Value up = p.LessEqual(p.Constant(0.5f), p.Sub(size, floor));
  return p.Mul(p.Sign(a[0]), p.Add(floor, p.Select(up, p.Constant(1), p.Constant(0))));
}

// Divides the smaller one of |x| and |y| by the larger one, takes atan of the quotient, and turns
// the angle into the octant of the point (x, y).
codegen::Value LowerAtan2(Program& p, codegen::Value y, codegen::Value x) {
  const float pi = std::numbers::pi_v<float>;
  const codegen::Value zero = p.Constant(0), size_y = p.Abs(y), size_x = p.Abs(x);
  const codegen::Value steep = p.Less(size_x, size_y);
  const codegen::Value large = p.Select(steep, size_y, size_x);
  const codegen::Value small = p.Select(steep, size_x, size_y);
  const codegen::Value origin = p.Equal(large, zero);
  codegen::Value angle = p.Atan(p.Select(origin, zero, p.Div(small, large)));
  angle = p.Select(steep, p.Sub(p.Constant(pi / 2), angle), angle);
  angle = p.Select(p.Less(x, zero), p.Sub(p.Constant(pi), angle), angle);
  return p.Select(p.Less(y, zero), p.Neg(angle), angle);
}

// -- Functions for the field `limit` (rules that are longer are in limit_rules.cc) --

template <Op op>
Maybe Itself(Context&, Args a) {
  return Apply(op, a);
}

template <Op op>
Maybe ByNormal(Context&, Args a) {
  return Info(op).normal(a);
}

// For functions that are analytic everywhere: keeps them where the argument has a finite limit, so
// that functions of functions do not grow into towers of exponentials; otherwise returns the form
// in their field `normal`.
template <Op op>
Maybe Analytic(Context& context, Args a) {
  Expr value;
  return context.Limit(a[0], &value) == 0 ? Apply(op, a) : Info(op).normal(a);
}

Maybe Over(Maybe numerator, Expr denominator) {
  if (!numerator.has_value()) return std::nullopt;
  return *numerator / denominator;
}

// -- Functions for the field `suspects`: at whose zeros the operation may not be smooth --

Exprs ArgumentItself(Args a) { return {a[0]}; }
// The gamma function and its relatives have poles where the argument is 0, -1, -2, ...
Exprs PolesOfGamma(Args a) { return {a.back(), Sin(a.back().pool().Pi() * a.back())}; }
Exprs BothArguments(Args a) { return {a[0], a[1]}; }
Exprs Difference(Args a) { return {a[0] - a[1]}; }
Exprs AroundOne(Args a) { return {1 - a[0], 1 + a[0]}; }

Exprs SuspectsOfPower(Args a) {
  if (!a[1].IsConstant()) return {a[0]};
  if (a[1].number().integer() && a[1].number().sign() > 0) return {};
  return {a[0]};
}

// ---- The table of all operations ----

constexpr Operation kOperations[] = {
#define OPERATION(op, text, count, value, ...) \
  {.name = text, .arguments = count __VA_OPT__(, ) __VA_ARGS__},
#include "autodiff/symbolic/operations.inc"
#undef OPERATION
};
static_assert(std::size(kOperations) == kOpCount);

}  // namespace

const Operation& Info(Op op) { return kOperations[static_cast<size_t>(op)]; }

Expr Apply(Op op, absl::Span<const Expr> args) {
  if (args.empty()) return Expr();
  Pool& pool = args[0].pool();
  std::vector<Expr> beside;
  for (const Expr arg : args) beside.push_back(pool.Import(arg));
  if (Info(op).fold != nullptr) {
    if (const Expr folded = Info(op).fold(beside)) return folded;
  }
  return pool.Make(op, beside);
}

Expr Exp(Expr a) { return Apply(Op::kExp, {a}); }
Expr Ln(Expr a) { return Apply(Op::kLn, {a}); }
Expr Sin(Expr a) { return Apply(Op::kSin, {a}); }
Expr Cos(Expr a) { return Apply(Op::kCos, {a}); }
Expr Tan(Expr a) { return Apply(Op::kTan, {a}); }
Expr Asin(Expr a) { return Apply(Op::kAsin, {a}); }
Expr Acos(Expr a) { return Apply(Op::kAcos, {a}); }
Expr Atan(Expr a) { return Apply(Op::kAtan, {a}); }
Expr Sinh(Expr a) { return Apply(Op::kSinh, {a}); }
Expr Cosh(Expr a) { return Apply(Op::kCosh, {a}); }
Expr Tanh(Expr a) { return Apply(Op::kTanh, {a}); }
Expr Sech(Expr a) { return Apply(Op::kSech, {a}); }
Expr Asinh(Expr a) { return Apply(Op::kAsinh, {a}); }
Expr Acosh(Expr a) { return Apply(Op::kAcosh, {a}); }
Expr Atanh(Expr a) { return Apply(Op::kAtanh, {a}); }
Expr Log1p(Expr a) { return Apply(Op::kLog1p, {a}); }
Expr Expm1(Expr a) { return Apply(Op::kExpm1, {a}); }
Expr Erf(Expr a) { return Apply(Op::kErf, {a}); }
Expr Erfc(Expr a) { return Apply(Op::kErfc, {a}); }
Expr Sigmoid(Expr a) { return Apply(Op::kSigmoid, {a}); }
Expr Softplus(Expr a) { return Apply(Op::kSoftplus, {a}); }
Expr Abs(Expr a) { return Apply(Op::kAbs, {a}); }
Expr Sign(Expr a) { return Apply(Op::kSign, {a}); }
Expr Step(Expr a) { return Apply(Op::kStep, {a}); }
Expr Floor(Expr a) { return Apply(Op::kFloor, {a}); }
Expr Round(Expr a) { return Apply(Op::kRound, {a}); }
Expr Hypot(Expr a, Expr b) { return Apply(Op::kHypot, {a, b}); }
Expr StrongMul(Expr a, Expr b) { return Apply(Op::kStrongMul, {a, b}); }
Expr Polygamma(int n, Expr a) { return Apply(Op::kPolygamma, {a.pool().Constant(n), a}); }
Expr Min(Expr a, Expr b) { return Apply(Op::kMin, {a, b}); }
Expr Max(Expr a, Expr b) { return Apply(Op::kMax, {a, b}); }
Expr Select(Expr a, Expr b, Expr if_less, Expr otherwise) {
  return Apply(Op::kSelect, {a, b, if_less, otherwise});
}
Expr Relu(Expr a) { return Max(a.pool().Constant(0), a); }

}  // namespace cotangent::autodiff::symbolic
