// Normalisation by the mean and variance of groups of channels.
#ifndef COTANGENT_LAYERS_OPS_GROUP_NORM_H_
#define COTANGENT_LAYERS_OPS_GROUP_NORM_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {

// Returns (x - mean) / sqrt(variance + epsilon) for x [N, C, H, W], where the C channels are
// divided into `groups` groups of consecutive channels, equally many in each. Mean and biased
// variance are taken over all channels of a group and all pixels, for each image separately.
absl::StatusOr<TensorId> GroupNorm(Graph& graph, absl::string_view name, TensorId x, int64_t groups,
                                   double epsilon);

// Returns scale * x + shift, with vectors `scale` and `shift` [C] that hold one value per channel.
// A vector that is kNoTensor is left out.
absl::StatusOr<TensorId> ScaledAndShifted(Graph& graph, absl::string_view name, TensorId x,
                                          std::pair<TensorId, TensorId> scale_and_shift);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_GROUP_NORM_H_
