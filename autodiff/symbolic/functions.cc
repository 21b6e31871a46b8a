#include "autodiff/symbolic/functions.h"

#include <cstring>

namespace cotangent::autodiff::symbolic {
namespace {

using Args = absl::Span<const Expr>;

// Builds the operation `op` (of operations.inc) as a function that formula text may call.
template <Op op>
Expr Plain(Args a) {
  return Apply(op, a);
}

Expr LogSumExp(Expr a, Expr b) { return Apply(Op::kLogSumExp, {a, b}); }

// Returns polygamma(order, x), or null if the order is not a constant whole number from 0 to 100.
Expr PolygammaOf(Args a) {
  if (!a[0].IsConstant() || !a[0].number().integer()) return Expr();
  const int64_t order = a[0].number().numerator();
  return order < 0 || order > 100 ? Expr() : Polygamma(static_cast<int>(order), a[1]);
}

// Rounds x toward 0.
Expr Truncated(Expr x) { return Sign(x) * Floor(Abs(x)); }

// Returns the remainder of x / y with the sign of x. The form sign(x) mod(|x|, |y|) would be
// shorter, but its derivative by x at x = 0 would be 0 instead of 1.
Expr Fmod(Expr x, Expr y) {
  const Expr size = Abs(y), zero = x.pool().Constant(0);
  return Select(x, zero, -Apply(Op::kMod, {-x, size}), Apply(Op::kMod, {x, size}));
}

Expr Clamp(Expr x, Expr low, Expr high) { return Select(x, low, low, Select(high, x, high, x)); }

Expr Fold(Args args, Expr (*combine)(Expr, Expr)) {
  Expr result = args[0];
  for (Expr arg : args.subspan(1)) result = combine(result, arg);
  return result;
}

Expr HardSigmoid(Expr x) {
  Pool& pool = x.pool();
  return Min(pool.Constant(1), Max(pool.Constant(0), x / 6 + 0.5));
}

// The scaled ELU with the two constants of Klambauer et al. (2017), arXiv:1706.02515.
Expr Selu(Expr x) {
  Pool& pool = x.pool();
  return 1.0507009873554805 * Elu(x, pool.Constant(1.6732632423543772));
}

// All functions, sorted by name.
constexpr NamedFunction kFunctions[] = {
    {"abs", 1, 1, [](Args a) { return Abs(a[0]); }},
    {"acos", 1, 1, [](Args a) { return Acos(a[0]); }},
    {"acosh", 1, 1, [](Args a) { return Acosh(a[0]); }},
    {"asin", 1, 1, [](Args a) { return Asin(a[0]); }},
    {"asinh", 1, 1, [](Args a) { return Asinh(a[0]); }},
    {"atan", 1, 1, [](Args a) { return Atan(a[0]); }},
    {"atan2", 2, 2, Plain<Op::kAtan2>},
    {"atanh", 1, 1, [](Args a) { return Atanh(a[0]); }},
    {"cbrt", 1, 1, Plain<Op::kCbrt>},
    {"ceil", 1, 1, [](Args a) { return -Floor(-a[0]); }},
    {"clamp", 3, 3, [](Args a) { return Clamp(a[0], a[1], a[2]); }},
    {"cos", 1, 1, [](Args a) { return Cos(a[0]); }},
    {"cosh", 1, 1, [](Args a) { return Cosh(a[0]); }},
    {"digamma", 1, 1, [](Args a) { return Polygamma(0, a[0]); }},
    {"elu", 1, 2, [](Args a) { return Elu(a[0], a.size() > 1 ? a[1] : a[0].pool().Constant(1)); }},
    {"erf", 1, 1, [](Args a) { return Erf(a[0]); }},
    {"erfc", 1, 1, [](Args a) { return Erfc(a[0]); }},
    {"exp", 1, 1, [](Args a) { return Exp(a[0]); }},
    {"exp2", 1, 1, [](Args a) { return Pow(a[0].pool().Constant(2), a[0]); }},
    {"expm1", 1, 1, [](Args a) { return Expm1(a[0]); }},
    {"floor", 1, 1, [](Args a) { return Floor(a[0]); }},
    {"fmod", 2, 2, [](Args a) { return Fmod(a[0], a[1]); }},
    {"gamma", 1, 1, Plain<Op::kGamma>},
    {"gelu", 1, 1, [](Args a) { return Gelu(a[0]); }},
    {"gelu_tanh", 1, 1, Plain<Op::kGeluTanh>},
    {"hard_sigmoid", 1, 1, [](Args a) { return HardSigmoid(a[0]); }},
    {"hard_swish", 1, 1, [](Args a) { return HardSwish(a[0]); }},
    {"heaviside", 1, 1, [](Args a) { return Step(a[0]); }},
    {"hypot", 2, -1, [](Args a) { return Fold(a, Hypot); }},
    {"leaky_relu", 1, 2,
     [](Args a) { return LeakyRelu(a[0], a.size() > 1 ? a[1] : a[0].pool().Constant(0.01)); }},
    {"lgamma", 1, 1, Plain<Op::kLgamma>},
    {"ln", 1, 1, [](Args a) { return Ln(a[0]); }},
    {"log", 1, 1, [](Args a) { return Ln(a[0]); }},
    {"log10", 1, 1, Plain<Op::kLog10>},
    {"log1p", 1, 1, [](Args a) { return Log1p(a[0]); }},
    {"log2", 1, 1, Plain<Op::kLog2>},
    {"logsumexp", 2, -1, [](Args a) { return Fold(a, LogSumExp); }},
    {"max", 2, -1, [](Args a) { return Fold(a, Max); }},
    {"min", 2, -1, [](Args a) { return Fold(a, Min); }},
    {"mish", 1, 1, [](Args a) { return Mish(a[0]); }},
    {"mod", 2, 2, Plain<Op::kMod>},
    {"polygamma", 2, 2, PolygammaOf},
    {"pow", 2, 2, [](Args a) { return Pow(a[0], a[1]); }},
    {"relu", 1, 1, [](Args a) { return Relu(a[0]); }},
    {"round", 1, 1, Plain<Op::kRound>},
    {"sech", 1, 1, Plain<Op::kSech>},
    {"select", 4, 4, [](Args a) { return Select(a[0], a[1], a[2], a[3]); }},
    {"selu", 1, 1, [](Args a) { return Selu(a[0]); }},
    {"sigmoid", 1, 1, [](Args a) { return Sigmoid(a[0]); }},
    {"sign", 1, 1, [](Args a) { return Sign(a[0]); }},
    {"silu", 1, 1, [](Args a) { return Silu(a[0]); }},
    {"sin", 1, 1, [](Args a) { return Sin(a[0]); }},
    {"sinh", 1, 1, [](Args a) { return Sinh(a[0]); }},
    {"softplus", 1, 1, [](Args a) { return Softplus(a[0]); }},
    {"softsign", 1, 1, Plain<Op::kSoftsign>},
    {"sqr", 1, 1, [](Args a) { return Square(a[0]); }},
    {"sqrt", 1, 1, [](Args a) { return Sqrt(a[0]); }},
    {"step", 1, 1, [](Args a) { return Step(a[0]); }},
    {"tan", 1, 1, [](Args a) { return Tan(a[0]); }},
    {"tanh", 1, 1, [](Args a) { return Tanh(a[0]); }},
    {"trunc", 1, 1, [](Args a) { return Truncated(a[0]); }},
};

}  // namespace

absl::Span<const NamedFunction> NamedFunctions() { return kFunctions; }

const NamedFunction* FindFunction(const char* name) {
  for (const NamedFunction& function : kFunctions) {
    if (std::strcmp(function.name, name) == 0) return &function;
  }
  return nullptr;
}

Expr LeakyRelu(Expr x, Expr slope) { return Select(x.pool().Constant(0), x, x, slope * x); }
Expr Elu(Expr x, Expr alpha) { return Select(x.pool().Constant(0), x, x, alpha * Expm1(x)); }
Expr Softsign(Expr x) { return Apply(Op::kSoftsign, {x}); }
Expr Gelu(Expr x) { return 0.5 * (x * Erfc(-x / Sqrt(x.pool().Constant(2)))); }

Expr GeluTanh(Expr x) { return Apply(Op::kGeluTanh, {x}); }

Expr Silu(Expr x) { return x * Sigmoid(x); }

Expr HardSwish(Expr x) {
  Pool& pool = x.pool();
  return x * Min(pool.Constant(6), Max(pool.Constant(0), x + 3)) / 6;
}

Expr Mish(Expr x) { return x * Tanh(Softplus(x)); }

}  // namespace cotangent::autodiff::symbolic
