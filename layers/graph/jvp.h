// The derivative of a graph along a direction as another graph: forward mode by graph-building
// rules.
//
// Each kind of operation has one rule that turns the tangents of its inputs into those of its
// outputs, made of the same kinds of operation. Of a gradient's graph (vjp.h), this is the
// Hessian-vector product, forward over reverse:
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
// for every k, and returns the tensors that hold the results, each with the shape of its output;
// kNoTensor where the output does not depend on any of with_respect_to, or where its derivative is
// zero everywhere. tangents[i] has the shape of with_respect_to[i]; outputs may be kNoTensor, as
// VectorJacobianProduct() returns it. At kinks the derivative is that of the branch the value took:
// of the maximum that won, of the side of 0 on which autodiff/symbolic puts abs and max.
absl::StatusOr<std::vector<TensorId>> JacobianVectorProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> with_respect_to,
    absl::Span<const TensorId> tangents);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_JVP_H_
