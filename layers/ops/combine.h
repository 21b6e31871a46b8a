// Several inputs, one formula: gates, and whatever else a user writes down.
#ifndef COTANGENT_LAYERS_OPS_COMBINE_H_
#define COTANGENT_LAYERS_OPS_COMBINE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {

// [N, C, 1, 1] -> [N, C, height, width], the same at every pixel. Its adjoint is the sum over the
// pixels of each channel. In a fused pass it costs no memory.
absl::StatusOr<TensorId> Spread(Graph& graph, absl::string_view name, TensorId x, int64_t height,
                                int64_t width);

// The inputs of a layer in one shape: those of [C, 1, 1] spread over the pixels of the others.
absl::StatusOr<std::vector<TensorId>> BroadcastInputs(LayerBuilder& b);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_COMBINE_H_
