// Normalisation by statistics of groups of channels.
#ifndef COTANGENT_LAYERS_OPS_GROUP_NORM_H_
#define COTANGENT_LAYERS_OPS_GROUP_NORM_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {

// (x - mean) / sqrt(variance + epsilon) with mean and biased variance over each image's pixels in a
// group of channels; x: [N, C, H, W], `groups` divides C.
absl::StatusOr<TensorId> GroupNorm(Graph& graph, absl::string_view name, TensorId x, int64_t groups,
                                   double epsilon);
// The same over all channels of each pixel.
absl::StatusOr<TensorId> PixelNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon);

// scale x + shift, one value a channel each; kNoTensor: none.
absl::StatusOr<TensorId> ScaledAndShifted(Graph& graph, absl::string_view name, TensorId x,
                                          std::pair<TensorId, TensorId> scale_and_shift);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_GROUP_NORM_H_
