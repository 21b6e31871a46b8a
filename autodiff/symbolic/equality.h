#ifndef COTANGENT_AUTODIFF_SYMBOLIC_EQUALITY_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_EQUALITY_H_

#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"
#include "autodiff/symbolic/simplify.h"

// Proofs and refutations: whether two expressions are equal, and whether one is even or odd.
namespace cotangent::autodiff::symbolic {

enum class Verdict { kEqual, kDifferent, kUnknown };

// Decides whether two expressions have the same value wherever both are defined. kEqual: this is
// proved (their difference has the normal form 0 (normal_form.h), in each case of the signs of its
// absolute values), and both are defined at some point. kDifferent: at some point they differ by
// far more than rounding, or their difference is a polynomial other than 0 and both are defined at
// some point. kUnknown: neither was found, or the budget (a limit on the work; normal_form.h) was
// used up before. Variables in `positive` take only positive values.
Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive = {}, Budget* budget = nullptr);

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

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EQUALITY_H_
