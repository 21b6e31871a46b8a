#ifndef COTANGENT_AUTODIFF_SYMBOLIC_UNCANCELLED_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_UNCANCELLED_H_

#include "autodiff/symbolic/expression.h"

// Rewrites differences of nearly equal numbers, whose rounded values lose digits, by identities of
// mathematics into forms that do not subtract. At x = 30, 1 - tanh(x)^2 is computed as 0, because
// tanh(30) rounds to 1; sech(x)^2 has all digits. At x = 1e-10, exp(x) - 1 has 8 digits right;
// expm1(x) has all. At x = 1e12, sqrt(x + 1) - sqrt(x) has 4; 1/(sqrt(x + 1) + sqrt(x)) has all.
namespace cotangent::autodiff::symbolic {

// Returns an expression that equals e wherever e is defined. Sums, logarithms and inverse
// hyperbolic functions of the forms that the tables in uncancelled.cc list are replaced. The result
// is not better everywhere (the factored 1 - x^2 rounds once more than the sum where x is small),
// and rounds otherwise than e. So it is for points at which e is known to lose digits.
Expr Uncancelled(Expr e);
// Does the same for several expressions, which must be of one pool.
std::vector<Expr> Uncancelled(absl::Span<const Expr> roots);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_UNCANCELLED_H_
