#include "autodiff/symbolic/differentiate.h"

#include "absl/container/flat_hash_map.h"

namespace cotangent::autodiff::symbolic {
namespace {

// The product of all arguments but the i-th.
Expr OtherFactors(Expr e, size_t i) {
  std::vector<Expr> others;
  for (size_t k = 0; k < e.args().size(); ++k) {
    if (k != i) others.push_back(e.arg(k));
  }
  return Mul(others);
}

Expr PowDerivative(Expr e, size_t i) {
  const Expr base = e.arg(0);
  const Expr exponent = e.arg(1);
  if (i == 1) return e * Ln(base);
  if (exponent.IsConstant()) return exponent * Pow(base, exponent.number() - Number(1));
  return exponent * Pow(base, exponent - 1);
}

// 2 / sqrt(pi) * exp(-a^2)
Expr ErfDerivative(Expr a) { return 2 / Sqrt(a.pool().Pi()) * Exp(-Square(a)); }

}  // namespace

Expr PartialDerivative(Expr e, size_t i) {
  Pool& pool = e.pool();
  const Expr zero = pool.Constant(0);
  const Expr one = pool.Constant(1);
  const Expr a = e.args().empty() ? zero : e.arg(0);
  switch (e.op()) {
    case Op::kConstant:
    case Op::kPi:
    case Op::kVariable:
    case Op::kSign:
    case Op::kStep:
    case Op::kFloor:
      return zero;
    case Op::kAdd:
      return one;
    case Op::kMul:
      return OtherFactors(e, i);
    case Op::kPow:
      return PowDerivative(e, i);
    case Op::kExp:
      return e;
    case Op::kLn:
      return 1 / a;
    case Op::kSin:
      return Cos(a);
    case Op::kCos:
      return -Sin(a);
    case Op::kTan:
      return 1 + Square(e);
    case Op::kAsin:
      return 1 / Sqrt(1 - Square(a));
    case Op::kAcos:
      return -1 / Sqrt(1 - Square(a));
    case Op::kAtan:
      return 1 / (1 + Square(a));
    case Op::kSinh:
      return Cosh(a);
    case Op::kCosh:
      return Sinh(a);
    case Op::kTanh:
      return 1 - Square(e);
    case Op::kAsinh:
      return 1 / Sqrt(Square(a) + 1);
    case Op::kAcosh:
      return 1 / (Sqrt(a - 1) * Sqrt(a + 1));
    case Op::kAtanh:
      return 1 / (1 - Square(a));
    case Op::kLog1p:
      return 1 / (1 + a);
    case Op::kExpm1:
      return Exp(a);
    case Op::kErf:
      return ErfDerivative(a);
    case Op::kErfc:
      return -ErfDerivative(a);
    case Op::kSigmoid:
      return e * Sigmoid(-a);  // 1 - sigmoid(a) without its cancellation.
    case Op::kSoftplus:
      return Sigmoid(a);
    case Op::kAbs:
      return Sign(a);
    case Op::kMin:
      return i == 0 ? Select(e.arg(1), a, zero, one) : Select(e.arg(1), a, one, zero);
    case Op::kMax:
      if (a.IsZero()) return i == 0 ? 1 - Step(e.arg(1)) : Step(e.arg(1));
      return i == 0 ? Select(a, e.arg(1), zero, one) : Select(a, e.arg(1), one, zero);
    case Op::kSelect:
      if (i < 2) return zero;
      return Select(a, e.arg(1), i == 2 ? one : zero, i == 2 ? zero : one);
  }
  return zero;
}

Expr Differentiate(Expr e, Expr variable) {
  const Expr zero = e.pool().Constant(0);
  variable = e.pool().Import(variable);
  absl::flat_hash_map<Expr, Expr> tangents;
  for (Expr node : TopologicalOrder(e)) {
    if (node == variable) {
      tangents[node] = e.pool().Constant(1);
      continue;
    }
    if (node.op() == Op::kSelect) {
      // The branches' derivatives inside the select: what is not taken may be undefined.
      tangents[node] =
          Select(node.arg(0), node.arg(1), tangents[node.arg(2)], tangents[node.arg(3)]);
      continue;
    }
    std::vector<Expr> terms;
    for (size_t i = 0; i < node.args().size(); ++i) {
      const Expr tangent = tangents[node.arg(i)];
      if (!tangent.IsZero()) terms.push_back(PartialDerivative(node, i) * tangent);
    }
    tangents[node] = terms.empty() ? zero : Add(terms);
  }
  return tangents[e];
}

std::vector<Expr> Gradient(Expr e, absl::Span<const Expr> variables) {
  const Expr zero = e.pool().Constant(0);
  const std::vector<Expr> order = TopologicalOrder(e);
  // Only what depends on a variable carries an adjoint.
  absl::flat_hash_map<Expr, bool> active;
  for (Expr variable : variables) active[e.pool().Import(variable)] = true;
  for (Expr node : order) {
    bool depends = active[node];
    for (Expr arg : node.args()) depends |= active[arg];
    active[node] = depends;
  }
  absl::flat_hash_map<Expr, std::vector<Expr>> contributions;
  contributions[e].push_back(e.pool().Constant(1));
  absl::flat_hash_map<Expr, Expr> adjoints;
  for (size_t n = order.size(); n-- > 0;) {
    const Expr node = order[n];
    if (!active[node] || contributions[node].empty()) continue;
    const Expr adjoint = Add(contributions[node]);
    adjoints[node] = adjoint;
    if (node.op() == Op::kSelect) {
      // The branches' derivatives stay inside the select: what is not taken may be undefined.
      for (Expr variable : variables) {
        const Expr term = adjoint * Differentiate(node, variable);
        if (!term.IsZero()) contributions[e.pool().Import(variable)].push_back(term);
      }
      continue;
    }
    for (size_t i = 0; i < node.args().size(); ++i) {
      if (!active[node.arg(i)]) continue;
      const Expr term = adjoint * PartialDerivative(node, i);
      if (!term.IsZero()) contributions[node.arg(i)].push_back(term);
    }
  }
  std::vector<Expr> gradient;
  for (Expr variable : variables) {
    const auto found = adjoints.find(e.pool().Import(variable));
    gradient.push_back(found == adjoints.end() ? zero : found->second);
  }
  return gradient;
}

std::vector<std::vector<Expr>> Jacobian(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables) {
  std::vector<std::vector<Expr>> rows;
  for (Expr e : outputs) rows.push_back(Gradient(e, variables));
  return rows;
}

std::vector<std::vector<Expr>> Hessian(Expr e, absl::Span<const Expr> variables) {
  std::vector<std::vector<Expr>> rows = Jacobian(Gradient(e, variables), variables);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) rows[i][j] = rows[j][i];
  }
  return rows;
}

}  // namespace cotangent::autodiff::symbolic
