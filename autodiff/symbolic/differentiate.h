#ifndef COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_

#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Computes derivatives of expressions, as expressions.
//
// At kinks and jumps, where no derivative exists, the functions here use the values that
// autodiff/math.h fixes: abs' is sign (so 0 at 0); sign', step' and floor' are 0; where the two
// arguments of max or min are equal, the result is the derivative of the first one; a select (a
// choice between two expressions by a condition) has the derivative of the branch that it takes.
//
// The derivatives of the operations are written so that evaluating them loses no digits to
// cancellation and overflows only where the derivative itself does: tanh'(x), for example, is
// sech(x)^2 and not 1 - tanh(x)^2. A branch of a select may be undefined where it is not taken,
// without making the derivative undefined: the chain rule multiplies with Op::kStrongMul, a product
// that is 0 wherever one factor is 0, even if the other is infinite or NaN. Plain() below rewrites
// such derivatives in textbook form, without these safeguards.
namespace cotangent::autodiff::symbolic {

// Returns the derivative of e by `variable`, computed by forward accumulation: one pass over the
// graph of e.
Expr Differentiate(Expr e, Expr variable);

// Returns the derivatives of e by each of `variables`, computed by reverse accumulation: one pass
// over the graph of e yields all of them, and they share subexpressions.
std::vector<Expr> Gradient(Expr e, absl::Span<const Expr> variables);

// Returns the matrix whose row i is the gradient of outputs[i] by `variables`.
std::vector<std::vector<Expr>> Jacobian(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables);

// Returns the matrix of second derivatives of e: row i is the gradient of the derivative by
// variables[i]. Entries (i, j) and (j, i) are the same node.
std::vector<std::vector<Expr>> Hessian(Expr e, absl::Span<const Expr> variables);

// Returns the derivative of the operation at the root of e by its argument i (from 0), with the
// other arguments held constant.
Expr PartialDerivative(Expr e, size_t i);

// Rewrite expressions in textbook form: strong products as products, hypot(a, b) as sqrt(a^2 +
// b^2), softsign and gelu_tanh by their formulas, sech(x)^2 as 1 - tanh(x)^2, (1 - u)(1 + u) as
// 1 - u^2. The result is easier to read and cheaper in f32 (32-bit floats), but it is undefined at
// more points and less accurate near them.
Expr Plain(Expr e);
std::vector<Expr> Plain(absl::Span<const Expr> roots);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
