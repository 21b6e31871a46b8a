#include "autodiff/symbolic/differentiate.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/rewrite.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Sweep::ThroughChoice() may visit this many nodes for each node of the formula, and 20000 in
// addition; beyond that it uses the cheaper form that its comment describes.
constexpr size_t kChoiceWork = 64;

// A derivative. If `chosen`, it may be 0 because a branch is not taken. The other factors of the
// chain rule may then be undefined, so Product() multiplies with StrongMul, a product that is 0
// wherever a factor is 0.
struct Slope {
  Expr expr;
  bool chosen = false;
};

Expr Product(const Slope& a, const Slope& b) {
  return a.chosen || b.chosen ? StrongMul(a.expr, b.expr) : a.expr * b.expr;
}

// Returns u if the operation is the product (1 - u) (1 + u), else null. The derivative of that
// product is -2 u u'; the product rule would compute it as a difference that loses digits by
// cancellation.
Expr OfOneMinusSquare(Op op, absl::Span<const Expr> a) {
  const bool sum = op == Op::kMul && a.size() == 2 && a[1].op() == Op::kAdd &&
                   a[1].args().size() == 2 && a[1].arg(0).IsOne();
  return sum && a[0] == 1 - a[1].arg(1) ? a[1].arg(1) : Expr();
}

Slope Partial(Expr e, size_t i) { return {PartialDerivative(e, i), Info(e.op()).chooses}; }

// Returns the derivative by `variable` of each node in `order`.
absl::flat_hash_map<Expr, Slope> Tangents(absl::Span<const Expr> order, Expr variable) {
  absl::flat_hash_map<Expr, Slope> tangents;
  for (Expr node : order) {
    Pool& pool = node.pool();
    Slope tangent{pool.Constant(0)};
    if (node == variable) {
      tangent.expr = pool.Constant(1);
    } else if (node.op() == Op::kSelect) {
      // Differentiates both branches inside a new select, because the derivative of the branch that
      // is not taken may be undefined.
      const Slope &taken = tangents[node.arg(2)], &otherwise = tangents[node.arg(3)];
      tangent.expr = Select(node.arg(0), node.arg(1), taken.expr, otherwise.expr);
      tangent.chosen = !tangent.expr.IsZero();
    } else if (const Expr u = OfOneMinusSquare(node.op(), node.args())) {
      const Slope inner = tangents[u];
      tangent = {Product({-2 * u}, inner), inner.chosen};
    } else {
      std::vector<Expr> terms;
      for (size_t i = 0; i < node.args().size(); ++i) {
        const Slope inner = tangents[node.arg(i)];
        if (inner.expr.IsZero()) continue;
        const Slope partial = Partial(node, i);
        tangent.chosen |= inner.chosen || partial.chosen;
        terms.push_back(Product(partial, inner));
      }
      if (!terms.empty()) tangent.expr = Add(terms);
    }
    tangents[node] = tangent;
  }
  return tangents;
}

// Reverse accumulation: computes the adjoint of each node (the derivative of e by that node) in one
// sweep from e down to the variables.
class Sweep {
 public:
  Sweep(Expr e, absl::Span<const Expr> variables) : e_(e), order_(TopologicalOrder(e)) {
    for (Expr variable : variables) variables_.push_back(e.pool().Import(variable));
    asked_.insert(variables_.begin(), variables_.end());
    for (Expr variable : variables_) active_[variable] = true;
    for (Expr node : order_) {
      bool depends = active_[node];
      for (Expr arg : node.args()) depends |= active_[arg];
      active_[node] = depends;
    }
    choice_work_ = 20000 + kChoiceWork * order_.size();
  }

  std::vector<Expr> Run() {
    contributions_[e_] = {{e_.pool().Constant(1)}};
    for (size_t n = order_.size(); n-- > 0;) {
      const Expr node = order_[n];
      if (!active_[node] || contributions_[node].empty()) continue;
      const Slope adjoint = Sum(contributions_[node]);
      adjoints_[node] = adjoint.expr;
      if (node.op() == Op::kSelect) {
        ThroughChoice(node, adjoint);
      } else if (const Expr u = OfOneMinusSquare(node.op(), node.args())) {
        Contribute(u, adjoint, {-2 * u});
      } else {
        for (size_t i = 0; i < node.args().size(); ++i) {
          if (active_[node.arg(i)]) Contribute(node.arg(i), adjoint, Partial(node, i));
        }
      }
    }
    std::vector<Expr> gradient;
    for (Expr variable : variables_) {
      const auto found = adjoints_.find(variable);
      gradient.push_back(found == adjoints_.end() ? e_.pool().Constant(0) : found->second);
    }
    return gradient;
  }

 private:
  static Slope Sum(const std::vector<Slope>& terms) {
    std::vector<Expr> exprs;
    bool chosen = false;
    for (const Slope& term : terms) {
      exprs.push_back(term.expr);
      chosen |= term.chosen;
    }
    return {Add(exprs), chosen};
  }

  void Contribute(Expr to, const Slope& adjoint, const Slope& partial) {
    const Slope term{Product(adjoint, partial), adjoint.chosen || partial.chosen};
    if (!term.expr.IsZero()) contributions_[to].push_back(term);
  }

  // Passes the adjoint of a select node on. In the preferred form, which reads best, each variable
  // of asked_ below the node gets the adjoint times a select of the derivatives of both branches by
  // that variable. Computing these derivatives visits all nodes below once for each such variable.
  // If that is more work than choice_work_ has left, each branch instead gets the adjoint times a
  // select of 1 and 0.
  void ThroughChoice(Expr node, const Slope& adjoint) {
    const std::vector<Expr> below = TopologicalOrder(node);
    std::vector<Expr> inputs;
    for (Expr e : below) {
      if (asked_.contains(e)) inputs.push_back(e);
    }
    const size_t work = below.size() * inputs.size();
    if (work > choice_work_) {
      for (size_t i : {2, 3}) {
        if (active_[node.arg(i)]) Contribute(node.arg(i), adjoint, Partial(node, i));
      }
      return;
    }
    choice_work_ -= work;
    for (Expr variable : inputs) Contribute(variable, adjoint, Tangents(below, variable)[node]);
  }

  const Expr e_;
  const std::vector<Expr> order_;
  std::vector<Expr> variables_;
  absl::flat_hash_set<Expr> asked_;  // variables_ as a set
  absl::flat_hash_map<Expr, bool> active_;
  absl::flat_hash_map<Expr, std::vector<Slope>> contributions_;
  absl::flat_hash_map<Expr, Expr> adjoints_;
  size_t choice_work_;
};

}  // namespace

Expr PartialDerivative(Expr e, size_t i) { return Info(e.op()).derivative(e, i); }

Expr Differentiate(Expr e, Expr variable) {
  return Tangents(TopologicalOrder(e), e.pool().Import(variable))[e].expr;
}

std::vector<Expr> Gradient(Expr e, absl::Span<const Expr> variables) {
  return Sweep(e, variables).Run();
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

namespace {

// Returns the operation `op` of the arguments `a` in the textbook form of Plain()
// (differentiate.h), or null if the operation needs no rewriting. The arguments are in textbook
// form already.
Expr PlainNode(Op op, absl::Span<const Expr> a) {
  switch (op) {
    case Op::kStrongMul:
      return a[0] * a[1];
    case Op::kHypot:
    case Op::kSoftsign:
    case Op::kGeluTanh:
      return Info(op).normal(a);
    case Op::kMul: {
      // (1 - u) (1 + u) becomes 1 - u^2.
      const Expr u = OfOneMinusSquare(op, a);
      return u ? 1 - Square(u) : Expr();
    }
    case Op::kPow:
      if (a[0].op() == Op::kSech && a[1].IsNumber(2)) return 1 - Square(Tanh(a[0].arg(0)));
      return Expr();
    default:
      return Expr();
  }
}

}  // namespace

Expr Plain(Expr e) { return Plain(absl::MakeConstSpan(&e, 1))[0]; }

std::vector<Expr> Plain(absl::Span<const Expr> roots) {
  return Rewrite(roots,
                 [](Expr node, absl::Span<const Expr> args) { return PlainNode(node.op(), args); });
}

}  // namespace cotangent::autodiff::symbolic
