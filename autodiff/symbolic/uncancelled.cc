#include "autodiff/symbolic/uncancelled.h"

#include <vector>

#include "autodiff/symbolic/functions.h"
#include "autodiff/symbolic/rewrite.h"
#include "autodiff/symbolic/simplify.h"

namespace cotangent::autodiff::symbolic {
namespace {

// The most work that simplifying one difference may take, in the units of Budget (normal_form.h).
// So much takes a few milliseconds.
constexpr int64_t kWork = 5000;

// Longer sums stay as they are, since each pair of terms is looked at.
constexpr size_t kMostTerms = 16;

// Returns u if e is the square of `op` of u, else null.
Expr UnderSquare(Expr e, Op op) {
  const bool is = e.op() == Op::kPow && e.arg(1).IsNumber(2) && e.arg(0).op() == op;
  return is ? e.arg(0).arg(0) : Expr();
}

// Returns u if e is `op` of u, else null.
Expr Under(Expr e, Op op) { return e.op() == op ? e.arg(0) : Expr(); }

// Returns a if e is a to the power of a constant `exponent`, else null.
Expr Base(Expr e, const Number& exponent) {
  const bool is = e.op() == Op::kPow && e.arg(1).IsConstant() && e.arg(1).number() == exponent;
  return is ? e.arg(0) : Expr();
}
Expr UnderRoot(Expr e) { return Base(e, Number::Ratio(1, 2)); }

// Returns u if e is ln(u), else null; log1p(v) is ln(1 + v).
Expr UnderLn(Expr e) { return e.op() == Op::kLog1p ? 1 + e.arg(0) : Under(e, Op::kLn); }

Expr Half(Expr u) { return Number::Ratio(1, 2).ToDouble() * u; }

// Returns v if e is the sum 1 + v, else null.
Expr BesideOne(Expr e) {
  if (e.op() != Op::kAdd) return Expr();
  std::vector<Expr> rest;
  for (Expr term : e.args()) {
    if (!term.IsOne()) rest.push_back(term);
  }
  return rest.size() + 1 == e.args().size() ? Add(rest) : Expr();
}

// Returns a - b in a short form, or null if that is no shorter than the longer one of the two: then
// nothing cancels exactly.
Expr Difference(Expr a, Expr b) {
  Budget budget(kWork);
  const Expr difference = Simplify(a - b, nullptr, &budget);
  const size_t longest = std::max(TopologicalOrder(a).size(), TopologicalOrder(b).size());
  return TopologicalOrder(difference).size() < longest ? difference : Expr();
}

// ---- The tables. Each returns null if it knows no other form. ----

Expr OneMinus(Expr r) {
  if (const Expr u = UnderSquare(r, Op::kTanh)) return Square(Sech(u));
  if (const Expr u = UnderSquare(r, Op::kSech)) return Square(Tanh(u));
  if (const Expr u = UnderSquare(r, Op::kSin)) return Square(Cos(u));
  if (const Expr u = UnderSquare(r, Op::kCos)) return Square(Sin(u));
  if (const Expr u = UnderSquare(r, Op::kCosh)) return -Square(Sinh(u));
  if (const Expr u = Under(r, Op::kExp)) return -Expm1(u);
  if (const Expr u = Under(r, Op::kCos)) return 2 * Square(Sin(Half(u)));
  if (const Expr u = Under(r, Op::kCosh)) return -2 * Square(Sinh(Half(u)));
  if (const Expr u = Under(r, Op::kErf)) return Erfc(u);
  if (const Expr u = Under(r, Op::kErfc)) return Erf(u);
  if (const Expr u = Under(r, Op::kSigmoid)) return Sigmoid(-u);
  if (const Expr u = Under(r, Op::kTanh)) return 2 * Sigmoid(-2 * u);
  if (const Expr sum = Base(r, Number(-1))) {  // 1 - 1/(1 + e^v)
    const Expr v = BesideOne(sum);
    if (v && v.op() == Op::kExp) return Sigmoid(v.arg(0));
  }
  if (const Expr u = Base(r, Number(2))) return (1 - u) * (1 + u);
  return Expr();
}

Expr OnePlus(Expr r) {
  if (const Expr u = Under(r, Op::kErf)) return Erfc(-u);
  if (const Expr u = Under(r, Op::kTanh)) return 2 * Sigmoid(2 * u);
  if (const Expr u = Under(r, Op::kCos)) return 2 * Square(Cos(Half(u)));
  return Expr();
}

Expr Minus(Expr a, Expr b) {
  const Op left = a.op(), right = b.op();
  if (left == Op::kCosh && right == Op::kSinh && a.arg(0) == b.arg(0)) return Exp(-a.arg(0));
  if (left == Op::kExp && right == Op::kExp) {
    const Expr u = a.arg(0), v = b.arg(0);
    if (u == -v || v == -u) return 2 * Sinh(u);
    if (const Expr difference = Difference(u, v)) return Exp(v) * Expm1(difference);
  }
  if (left == Op::kSoftplus && b == a.arg(0)) return Softplus(-b);
  if (left == Op::kLogSumExp) {
    for (size_t i = 0; i < 2; ++i) {
      if (b == a.arg(i)) return Softplus(a.arg(1 - i) - b);
    }
  }
  const Expr cosh = UnderSquare(a, Op::kCosh), cos = UnderSquare(a, Op::kCos);
  if (cosh && cosh == UnderSquare(b, Op::kSinh)) return a.pool().Constant(1);
  if (cos && cos == UnderSquare(b, Op::kSin)) return Cos(2 * cos);
  if (const Expr u = UnderRoot(a), v = UnderRoot(b); u && v) {
    if (const Expr difference = Difference(u, v)) return difference / (a + b);
  }
  if (const Expr u = Base(a, Number(-1)), v = Base(b, Number(-1)); u && v) {
    if (const Expr difference = Difference(v, u)) return difference / (u * v);
  }
  if (const Expr u = UnderLn(a), v = UnderLn(b); u && v) {
    if (const Expr difference = Difference(u, v)) return Log1p(difference / v);
  }
  return Expr();
}

// Returns another form of factor * root + other if `root` is a square root, or null if it is none or
// if the other form would not be short.
Expr RootBeside(const Number& factor, Expr root, Expr other) {
  const Expr inside = UnderRoot(root);
  if (!inside) return Expr();
  Pool& pool = root.pool();
  const Expr difference = Difference(pool.Constant(factor * factor) * inside, Square(other));
  return difference ? difference / (pool.Constant(factor) * root - other) : Expr();
}

// Returns another form of the sum of two terms of a sum, or null.
Expr OfTwo(Expr a, Expr b) {
  Pool& pool = a.pool();
  const auto [left, u] = SplitCoefficient(a);
  const auto [right, v] = SplitCoefficient(b);
  const bool opposite = left == -right;
  Expr form;
  if (u.IsOne()) {
    if (opposite) form = OneMinus(v);
    if (left == right) form = OnePlus(v);
    if (left + left == -right) {  // left (1 - 2 v)
      if (const Expr w = UnderSquare(v, Op::kSin)) form = Cos(2 * w);
      if (const Expr w = UnderSquare(v, Op::kCos)) form = -Cos(2 * w);
    }
  } else if (opposite) {
    form = Minus(u, v);
  }
  if (form) return pool.Constant(left) * form;
  return left.sign() == right.sign() ? Expr() : RootBeside(right, v, pool.Constant(left) * u);
}

Expr OfSum(absl::Span<const Expr> args) {
  if (args.size() > kMostTerms) return Expr();
  std::vector<Expr> terms(args.begin(), args.end());
  bool changed = false;
  for (size_t i = 0; i < terms.size(); ++i) {
    for (size_t k = 0; k < terms.size(); ++k) {
      if (k == i) continue;
      const Expr form = OfTwo(terms[i], terms[k]);
      if (!form) continue;
      terms[i] = form;
      terms.erase(terms.begin() + static_cast<ptrdiff_t>(k));
      changed = true;
      i = static_cast<size_t>(-1);  // from the first pair on
      break;
    }
  }
  return changed ? Add(terms) : Expr();
}

Expr OfLn(Expr a) {
  if (const Expr u = Under(a, Op::kExp)) return u;
  if (const Expr u = Under(a, Op::kSigmoid)) return -Apply(Op::kSoftplus, {-u});
  if (const Expr u = Under(a, Op::kCosh)) return Half(Log1p(Square(Sinh(u))));
  if (a.op() == Op::kAdd && a.args().size() == 2) {  // asinh(u) = ln(u + sqrt(u^2 + 1))
    for (size_t i = 0; i < 2; ++i) {
      const Expr u = a.arg(i), root = a.arg(1 - i);
      const Expr inside = UnderRoot(root) ? BesideOne(UnderRoot(root)) : Expr();
      const bool hypot = root.op() == Op::kHypot && ((root.arg(0) == u && root.arg(1).IsOne()) ||
                                                     (root.arg(1) == u && root.arg(0).IsOne()));
      if (hypot || (inside && inside == Square(u))) return Asinh(u);
    }
  }
  if (const auto [sign, expm1] = SplitCoefficient(a);
      sign == Number(-1) && expm1.op() == Op::kExpm1) {  // ln(1 - exp(u))
    const Expr u = expm1.arg(0);
    return Select(u, u.pool().Constant(-1), Log1p(-Exp(u)), Ln(a));
  }
  const Expr v = BesideOne(a);
  if (!v) return Expr();
  return v.op() == Op::kExp ? Apply(Op::kSoftplus, {v.arg(0)}) : Log1p(v);
}

// Near v = 0, the power (1 + v)^exponent is computed from v itself. Elsewhere 1 + v may be negative,
// and have no logarithm.
Expr OfPower(Expr base, Expr exponent) {
  const Expr v = BesideOne(base);
  if (!v || exponent.IsConstant()) return Expr();
  const Expr far = v.pool().Constant(Number::Ratio(-1, 2));
  return Select(far, v, Exp(exponent * Log1p(v)), Pow(base, exponent));
}

// Where the argument is 1 + v with a small v, the sum loses the digits of v, of which these
// functions have the root or the logarithm.
Expr OfAcos(Expr a) {  // acos(1 + v) = 2 asin(sqrt(-v / 2))
  const Expr v = BesideOne(a);
  return v ? 2 * Asin(Sqrt(Half(-v))) : Expr();
}
Expr OfAsin(Expr a) {
  const Expr acos = OfAcos(a);
  return acos ? a.pool().Pi() / 2 - acos : Expr();
}
Expr OfAcosh(Expr a) {  // acosh(1 + v) = 2 asinh(sqrt(v / 2))
  if (a.op() == Op::kCosh) return Abs(a.arg(0));
  const Expr v = BesideOne(a);
  return v ? 2 * Asinh(Sqrt(Half(v))) : Expr();
}
Expr OfAtanh(Expr a) {  // atanh(1 + v) = (ln(2 + v) - ln(-v)) / 2
  if (a.op() == Op::kTanh) return a.arg(0);
  const Expr v = BesideOne(a);
  return v ? Half(Ln(2 + v) - Ln(-v)) : Expr();
}

Expr OtherForm(Op op, absl::Span<const Expr> a) {
  switch (op) {
    case Op::kAdd:
      return OfSum(a);
    case Op::kPow:
      return OfPower(a[0], a[1]);
    case Op::kLn:
      return OfLn(a[0]);
    case Op::kAsinh:
      return Under(a[0], Op::kSinh);
    case Op::kAtanh:
      return OfAtanh(a[0]);
    case Op::kAcosh:
      return OfAcosh(a[0]);
    case Op::kAsin:
      return OfAsin(a[0]);
    case Op::kAcos:
      return OfAcos(a[0]);
    default:
      return Expr();
  }
}

}  // namespace

Expr Uncancelled(Expr e) { return Uncancelled(absl::MakeConstSpan(&e, 1))[0]; }

std::vector<Expr> Uncancelled(absl::Span<const Expr> roots) {
  return Rewrite(roots,
                 [](Expr node, absl::Span<const Expr> args) { return OtherForm(node.op(), args); });
}

}  // namespace cotangent::autodiff::symbolic
