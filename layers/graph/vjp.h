// The derivative of a graph as another graph: reverse mode by graph-building rules.
//
// Each kind of operation has one rule that turns the cotangents of its outputs into those of its
// inputs, made of the same kinds of operation. Nothing is computed that nobody needs: only the
// operations between `with_respect_to` and the outputs are visited.
#ifndef COTANGENT_LAYERS_GRAPH_VJP_H_
#define COTANGENT_LAYERS_GRAPH_VJP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Adds to `graph` the operations that compute sum_k <cotangents[k], d outputs[k] / d t> for every t
// in `with_respect_to` and returns the tensors that hold the results, each with the shape of its t;
// kNoTensor where the outputs do not depend on it. cotangents[k] has the shape of outputs[k].
absl::StatusOr<std::vector<TensorId>> VectorJacobianProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> cotangents,
    absl::Span<const TensorId> with_respect_to);

// The gradient of a scalar: the vector-Jacobian product with cotangent 1.
absl::StatusOr<std::vector<TensorId>> Gradient(Graph& graph, TensorId scalar,
                                               absl::Span<const TensorId> with_respect_to);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_VJP_H_
