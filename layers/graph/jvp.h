// Forward-mode differentiation of a graph along a direction. The derivative is itself a graph.
//
// Each kind of operation has a rule (Operation::Jvp in layers/graph/operation.h) that adds the
// operations which compute the tangents of its outputs from those of its inputs.
// JacobianVectorProduct() of the graph of a gradient (layers/graph/vjp.h) gives the Hessian-vector
// product, forward over reverse mode:
//
//   gradient = Gradient(graph, loss, parameters);
//   hessian_times_v = JacobianVectorProduct(graph, gradient, parameters, v);
#ifndef COTANGENT_LAYERS_GRAPH_JVP_H_
#define COTANGENT_LAYERS_GRAPH_JVP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Adds to `graph` the operations that compute sum_i d outputs[k] / d with_respect_to[i] tangents[i]
// for every k. Returns the tensors that will hold the results, each with the shape of its output. A
// result is kNoTensor if the output depends on no tensor in `with_respect_to`, or if the rules find
// that the derivative is zero everywhere. tangents[i] must have the shape of with_respect_to[i]. An
// output may be kNoTensor, as in the result of VectorJacobianProduct(); its result is kNoTensor
// too.
//
// At a kink, where no derivative exists, the derivative of one branch is used: max pooling uses the
// element that it chose as the maximum, and formulas use the values that
// autodiff/symbolic/differentiate.h refers to (for abs(x) at x = 0, for example, the derivative is
// 0).
absl::StatusOr<std::vector<TensorId>> JacobianVectorProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> with_respect_to,
    absl::Span<const TensorId> tangents);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_JVP_H_
