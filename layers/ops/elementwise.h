// A formula of autodiff/symbolic at every element.
//
// An activation, the arithmetic of batch normalisation, a residual sum and the user's own formula
// are all one kind of node: its derivatives come from symbolic differentiation, and one piece of
// code fuses them all.
#ifndef COTANGENT_LAYERS_OPS_ELEMENTWISE_H_
#define COTANGENT_LAYERS_OPS_ELEMENTWISE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// inputs a0, a1, ..., each of the shape of the result, or [C] (one value a channel, axis 1), or [].
// Its attribute is the formula, an Expr in Graph::Operand().
extern const Op kElementwise;
// Every element is one number, a double, the attribute.
extern const Op kConstant;

// `formula` in a0, a1, ... with operands of the shape of the one with the highest rank, [C] or [].
absl::StatusOr<TensorId> Elementwise(Graph& graph, absl::string_view name, const Expr& formula,
                                     std::vector<TensorId> operands);
// The same from text in the named variables: Formula(g, "act", "x / (1 + abs(x))", {{"x", x}}).
absl::StatusOr<TensorId> Formula(Graph& graph, absl::string_view name, absl::string_view text,
                                 const std::vector<std::pair<std::string, TensorId>>& operands);
absl::StatusOr<TensorId> Add(Graph& graph, absl::string_view name, std::vector<TensorId> terms);
// y = x + bias[channel].
absl::StatusOr<TensorId> AddBias(Graph& graph, absl::string_view name, TensorId x, TensorId bias);
TensorId Constant(Graph& graph, double value, Shape shape);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_ELEMENTWISE_H_
