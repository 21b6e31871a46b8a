// Reverse-mode differentiation of a graph. The derivative is itself a graph.
//
// Each kind of operation has a rule (Operation::Vjp in layers/graph/operation.h) that adds the
// operations which compute the cotangents of its inputs (the derivatives by them) from those of its
// outputs. Only operations that lie on a path from a tensor in `with_respect_to` to an output get
// derivative operations.
#ifndef COTANGENT_LAYERS_GRAPH_VJP_H_
#define COTANGENT_LAYERS_GRAPH_VJP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Adds to `graph` the operations that compute sum_k <cotangents[k], d outputs[k] / d t> for every t
// in `with_respect_to`, where <a, b> is the sum of the products of the elements. Returns the
// tensors that will hold the results, in the same order; each has the shape of its t, or is
// kNoTensor if no output depends on t or the rules find that the derivative is zero everywhere.
// cotangents[k] must have the shape of outputs[k].
absl::StatusOr<std::vector<TensorId>> VectorJacobianProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> cotangents,
    absl::Span<const TensorId> with_respect_to);

// Returns the gradient of the tensor `scalar`, of shape []: its vector-Jacobian product with the
// cotangent 1. As above, the result for a tensor by which the derivative is zero is kNoTensor.
absl::StatusOr<std::vector<TensorId>> Gradient(Graph& graph, TensorId scalar,
                                               absl::Span<const TensorId> with_respect_to);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_VJP_H_
