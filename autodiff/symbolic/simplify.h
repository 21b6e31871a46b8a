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
// is given, appends the rewriting steps in order. If the budget is used up, returns the form
// reached by then; budget->exhausted() tells.
Expr Simplify(Expr e, std::vector<RewriteStep>* steps = nullptr, Budget* budget = nullptr);

// Simplifies several expressions of one pool; subexpressions that they share are simplified once.
std::vector<Expr> Simplify(absl::Span<const Expr> roots, Budget* budget = nullptr);

// Returns the shorter one of Simplify(e) and the simplified Canonical(e). Canonical knows more
// relations: it finds that sin(pi) is 0 and exp(2 ln(x)) is x^2.
Expr Shortest(Expr e, Budget* budget = nullptr);

enum class Verdict { kEqual, kDifferent, kUnknown };

// Decides whether two expressions have the same value wherever both are defined. kEqual: this is
// proved (their difference has normal form 0, in each case of the signs of its absolute values),
// and both are defined at some point. kDifferent: at some point they differ by far more than
// rounding. kUnknown: neither was found, or the budget was used up before. Variables in `positive`
// take only positive values.
Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive = {}, Budget* budget = nullptr);

// Returns e in full normal form (normal_form.h): hyperbolic functions and sigmoid written in exp,
// sines and cosines of sums expanded. Equal expressions mostly become the same node. Returns e
// itself if the form would grow too large.
Expr Canonical(Expr e);

// Says whether a function e(x) is even, e(-x) = e(x), or odd, e(-x) = -e(x).
enum class Parity { kEven, kOdd, kNeither, kUnknown };

struct ParityProof {
  Parity parity = Parity::kUnknown;
  Expr reflected;                  // e with the variable replaced by its negative
  std::vector<RewriteStep> steps;  // for kEven and kOdd: from `reflected` to e or -e
  // For kNeither: a value of the variable at which e(-x) differs from e(x), for some values of the
  // other variables. At this or another value, e(-x) also differs from -e(x). If `one_sided`: a
  // value at which e(x) is defined and e(-x) is not.
  double counterexample = 0;
  bool one_sided = false;
};

// Proves that e(-x) = e(x) (even) or e(-x) = -e(x) (odd) for the variable x, or refutes both. A
// function that is defined on one side of 0 only, such as ln(x), is neither. The zero function
// counts as even.
ParityProof ProveParity(Expr e, Expr variable, Budget* budget = nullptr);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_
