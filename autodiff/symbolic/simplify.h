#ifndef COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"

namespace cotangent::autodiff::symbolic {

// One step of a rewriting: `rule` turned the subexpression `before` into `after`, which turned the
// whole expression into `whole`.
struct RewriteStep {
  std::string rule;  // "|-u| = |u|"
  Expr before;
  Expr after;
  Expr whole;
};

// Returns the shortest form of e that it finds: like terms and powers are collected, constants are
// folded exactly, common factors of fractions are cancelled, and identities are applied that hold
// everywhere on the real domain. The result is defined, with the same value, at every point where
// Plain(e) (differentiate.h) is defined, and may be defined at more (x / x becomes 1). If `steps`
// is given, appends the rewriting steps in order. If the budget (a limit on the work;
// normal_form.h) is used up, returns the form reached by then; budget->exhausted() tells.
Expr Simplify(Expr e, std::vector<RewriteStep>* steps = nullptr, Budget* budget = nullptr);

// Simplifies several expressions of one pool; subexpressions that they share are simplified once.
std::vector<Expr> Simplify(absl::Span<const Expr> roots, Budget* budget = nullptr);

// Returns the shorter one of Simplify(e) and the simplified Canonical(e). Canonical knows more
// relations: it finds that sin(pi) is 0 and exp(2 ln(x)) is x^2.
Expr Shortest(Expr e, Budget* budget = nullptr);

// Returns e in full normal form (normal_form.h): hyperbolic functions and sigmoid written in exp,
// sines and cosines of sums expanded. Equal expressions mostly become the same node. Returns e
// itself if the form would grow too large.
Expr Canonical(Expr e);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_
