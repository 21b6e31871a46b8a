// Layers that combine several inputs by a formula, such as gates.
#ifndef COTANGENT_LAYERS_OPS_COMBINE_H_
#define COTANGENT_LAYERS_OPS_COMBINE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {

// Broadcasts one value per image and channel to every pixel: [N, C, 1, 1] -> [N, C, height, width].
// The adjoint of this operation sums over the pixels of each channel of each image. Inside a fused
// pass (one loop over memory that computes several operations, layers/plan/fusion.h) the broadcast
// result is never stored.
absl::StatusOr<TensorId> Spread(Graph& graph, absl::string_view name, TensorId x, int64_t height,
                                int64_t width);

// Returns the inputs of the layer with equal shapes: inputs of shape [C, 1, 1] are broadcast to the
// height and width of the others.
absl::StatusOr<std::vector<TensorId>> BroadcastInputs(LayerBuilder& b);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_COMBINE_H_
