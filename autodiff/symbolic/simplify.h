#ifndef COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"

namespace cotangent::autodiff::symbolic {

// One step of a rewriting: `rule` turned the subexpression `before` into `after`, and with it the
// whole into `whole`.
struct RewriteStep {
  std::string rule;  // "|-u| = |u|"
  Expr before;
  Expr after;
  Expr whole;
};

// The shortest form found: like terms and powers collected, constants folded exactly, common factors
// of fractions cancelled, and the identities applied that hold everywhere on the real domain. At
// every point where Plain(e) (differentiate.h) is defined the result is defined and has the same
// value; it may be defined at more (x / x is 1). With `steps`, what was done, in order. Where the
// budget is used up, the form reached by then; budget->exhausted() tells.
Expr Simplify(Expr e, std::vector<RewriteStep>* steps = nullptr, Budget* budget = nullptr);

// Several expressions of one pool: what they share is simplified once.
std::vector<Expr> Simplify(absl::Span<const Expr> roots, Budget* budget = nullptr);

enum class Verdict { kEqual, kDifferent, kUnknown };

// Whether two expressions have the same value wherever both are defined. kEqual is proved (their
// difference has normal form 0, case by case of the signs in its absolute values), and there is a
// point where both are defined; kDifferent means that a point was found where they differ by far
// more than rounding; kUnknown that neither was, or that the budget was used up before. With
// `positive`, only positive values of those variables count.
Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive = {}, Budget* budget = nullptr);

// e in normal form (normal_form.h): hyperbolic functions, tanh and sigmoid in exp, angle sums
// expanded. Equal expressions mostly become the same node. `e` itself where the form would grow too
// large.
Expr Canonical(Expr e);

// Even and odd functions.
enum class Parity { kEven, kOdd, kNeither, kUnknown };

struct ParityProof {
  Parity parity = Parity::kUnknown;
  Expr reflected;                  // e with -variable for the variable
  std::vector<RewriteStep> steps;  // From `reflected` to e or -e (for kEven and kOdd)
  // For kNeither: at this value (other variables at values of their own) e(-x) is neither e(x) nor
  // -e(x), or, at two points, not both times the same; or only one of e(x) and e(-x) is defined.
  double counterexample = 0;
  bool one_sided = false;  // The latter.
};

// Proves that e(-x) = e(x) or e(-x) = -e(x), or refutes both: ln(x), defined on one side only, is
// neither. The zero function is even.
ParityProof ProveParity(Expr e, Expr variable, Budget* budget = nullptr);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_SIMPLIFY_H_
