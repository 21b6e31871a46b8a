// Lets convolutions do the max pooling that follows them, so that the tensor before pooling is
// never stored.
#ifndef COTANGENT_LAYERS_PLAN_POOLING_H_
#define COTANGENT_LAYERS_PLAN_POOLING_H_

#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Rewrites the graph so that it computes the same `results` with fewer operations:
//
//    y = kConvolution(x, w), (z, position) = kMaxPool(y)
//      becomes (z, position) = kConvolution(x, w), pooled
//    dy = kMaxUnpool(dz, position), kConvolution...Gradient(.. dy ..)
//      becomes kConvolution...Gradient(.. dz .., position), pooled
//
// This happens where the pooling has windows of 2x2 with stride 2 and without padding, y (or dy) is
// no result and nothing else reads it, and can_pool(node) is true for every convolution concerned.
// can_pool() gets the convolution as it is before the rewrite and says whether that convolution
// should pool. Forward and backward computation are rewritten independently of each other.
void PoolInConvolutions(absl::Span<const TensorId> results,
                        const std::function<bool(const Node&)>& can_pool, Graph& graph);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_POOLING_H_
