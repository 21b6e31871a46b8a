// Max pooling done by convolutions themselves: what only a pooling reads need never lie in memory.
#ifndef COTANGENT_LAYERS_PLAN_POOLING_H_
#define COTANGENT_LAYERS_PLAN_POOLING_H_

#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Rewrites the graph, whose `results` are wanted (by plans, in place of Fuse()'s passes):
//
//   y = kConvolution(x, w), (z, position) = kMaxPool(y)      (z, position) = kConvolution(x, w), pooled
//   dy = kMaxUnpool(dz, position), kConvolution...Gradient(.. dy ..)   the gradients of dz and position, pooled
//
// where the pooling has windows of 2x2 that tile the image, nothing else needs y, or dy, and
// can_pool() says of every convolution concerned (the node before, not yet pooled) that it is able
// and fast. Forward and backward are rewritten independently.
void PoolInConvolutions(absl::Span<const TensorId> results,
                        const std::function<bool(const Node&)>& can_pool, Graph& graph);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_POOLING_H_
