#ifndef COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_

#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Computes derivatives of expressions, as expressions.
//
// At kinks and jumps, where no derivative exists, the functions here use the values that
// autodiff/math.h fixes: abs' is sign (so 0 at 0); sign', step' and floor' are 0; where the two
// arguments of max or min are equal, the result is the derivative of the first one; select has the
// derivative of the branch that it takes.
//
// The derivatives are written so that evaluating them loses no digits to cancellation and overflows
// only where the derivative itself does: tanh'(x), for example, is sech(x)^2 and not 1 - tanh(x)^2.
// A branch that is not taken may be undefined without making the derivative undefined: the chain
// rule multiplies by Op::kStrongMul there, a product that is 0 wherever one factor is 0. Plain()
// below turns all of this into textbook form.
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

// Returns the derivative of the operation at the root of e by its argument i, with the other
// arguments held constant.
Expr PartialDerivative(Expr e, size_t i);

// Rewrites expressions in textbook form: strong products as products, hypot(a, b) as sqrt(a^2 +
// b^2), sech(x)^2 as 1 - tanh(x)^2, (1 - u)(1 + u) as 1 - u^2. The result is easier to read and
// cheaper in f32, but it is undefined at more points and less accurate near them.
Expr Plain(Expr e);
std::vector<Expr> Plain(absl::Span<const Expr> roots);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
