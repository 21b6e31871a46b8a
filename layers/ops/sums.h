// What is summed over each channel.
#ifndef COTANGENT_LAYERS_OPS_SUMS_H_
#define COTANGENT_LAYERS_OPS_SUMS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kChannelSum, kMoments;

// [N, C, ...] -> [C]: the sum over all axes but axis 1, the adjoint of spreading a channel vector.
absl::StatusOr<TensorId> ChannelSum(Graph& graph, absl::string_view name, TensorId x);

// [N, C, ...] -> mean [C], biased variance [C].
struct MomentsResult {
  TensorId mean, variance;
};
absl::StatusOr<MomentsResult> Moments(Graph& graph, absl::string_view name, TensorId x);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_SUMS_H_
