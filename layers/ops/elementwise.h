// Applies a formula of autodiff/symbolic at every element of its inputs.
//
// Activations, the arithmetic of batch normalisation, residual sums and users' own formulas are all
// this one operation. Symbolic differentiation gives its derivatives, and one piece of code
// (layers/plan/fusion.h) fuses neighbouring elementwise operations into one loop over memory.
#ifndef COTANGENT_LAYERS_OPS_ELEMENTWISE_H_
#define COTANGENT_LAYERS_OPS_ELEMENTWISE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Applies a formula to inputs a0, a1, ..., each of the shape of the result, or [C] (one value per
// channel, axis 1), or [] (one value). The attribute is the formula, an Expr in the variables
// Graph::Operand().
extern const Op kElementwise;
// Makes a tensor whose elements are all the same number. The attribute is that number, a double.
extern const Op kConstant;

// Returns the result of applying a formula in a0, a1, ... to these operands. The result has the
// shape of the operand of highest rank; each other operand has that shape too, or is [C] or [].
// Adds an operation, unless the formula is a single operand of the result's shape or an equal
// operation exists.
absl::StatusOr<TensorId> Elementwise(Graph& graph, absl::string_view name, const Expr& formula,
                                     std::vector<TensorId> operands);
// Does the same for a formula that is given as text in named variables:
//   Formula(g, "act", "x / (1 + abs(x))", {{"x", x}})
absl::StatusOr<TensorId> Formula(Graph& graph, absl::string_view name, absl::string_view text,
                                 const std::vector<std::pair<std::string, TensorId>>& operands);
absl::StatusOr<TensorId> Add(Graph& graph, absl::string_view name, std::vector<TensorId> terms);
// Returns x + bias[channel], for x [N, C, ...] and bias [C].
absl::StatusOr<TensorId> AddBias(Graph& graph, absl::string_view name, TensorId x, TensorId bias);
TensorId Constant(Graph& graph, double value, Shape shape);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_ELEMENTWISE_H_
