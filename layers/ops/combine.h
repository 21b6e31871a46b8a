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
// result need not be stored.
absl::StatusOr<TensorId> Spread(Graph& graph, absl::string_view name, TensorId x, int64_t height,
                                int64_t width);

// Returns the inputs of the layer with equal shapes. If none is an image, flattened images among
// them become [N, K] (K numbers for each of N images); otherwise an image of one pixel [C, 1, 1] is
// broadcast to the height and width of the others. Returns an error if the inputs do not fit each
// other.
absl::StatusOr<std::vector<TensorId>> BroadcastInputs(LayerBuilder& b);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_COMBINE_H_
