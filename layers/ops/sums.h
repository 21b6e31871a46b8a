// Sums, means and variances over each channel (axis 1), that is, over all other axes. kMoments
// computes the mean and variance of each channel.
#ifndef COTANGENT_LAYERS_OPS_SUMS_H_
#define COTANGENT_LAYERS_OPS_SUMS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kChannelSum, kMoments;

// Returns the sums over all axes but axis 1: [N, C, ...] -> [C]. This is the adjoint of
// broadcasting a channel vector.
absl::StatusOr<TensorId> ChannelSum(Graph& graph, absl::string_view name, TensorId x);

// The mean and the biased variance [C] of each channel of a tensor [N, C, ...], as Moments()
// returns them.
struct MomentsResult {
  TensorId mean, variance;
};
absl::StatusOr<MomentsResult> Moments(Graph& graph, absl::string_view name, TensorId x);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_SUMS_H_
