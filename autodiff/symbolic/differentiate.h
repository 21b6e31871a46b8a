#ifndef COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_

#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Derivatives as expressions.
//
// At kinks they have the values of autodiff/math.h: abs' = sign (0 at 0), sign' = step' = floor' =
// 0, max and min pass the derivative of their first argument on a tie, select that of the branch
// taken.
//
// They neither overflow nor cancel where the derivative itself does not, and a branch that is not
// taken does not spoil them: tanh'(x) is sech(x)^2, the chain rule's factor for a branch that may
// not be taken is multiplied by Op::kStrongMul. Plain() writes them as textbooks do.
namespace cotangent::autodiff::symbolic {

// d e / d variable. Forward accumulation: one pass over the graph.
Expr Differentiate(Expr e, Expr variable);

// d e / d v for each v. Reverse accumulation: one pass over the graph for all of them, sharing
// their work.
std::vector<Expr> Gradient(Expr e, absl::Span<const Expr> variables);

// Row i is the gradient of outputs[i].
std::vector<std::vector<Expr>> Jacobian(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables);

// Second derivatives: row i is the gradient of d e / d variables[i]. Symmetric, node by node.
std::vector<std::vector<Expr>> Hessian(Expr e, absl::Span<const Expr> variables);

// The derivative of one operation by its i-th argument, its arguments held as they are.
Expr PartialDerivative(Expr e, size_t i);

// The same for reading and for f32, without the care: products for strong products, roots for
// hypot, 1 - tanh(x)^2 for sech(x)^2. Undefined at more points, and worse near them.
Expr Plain(Expr e);
std::vector<Expr> Plain(absl::Span<const Expr> roots);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_DIFFERENTIATE_H_
