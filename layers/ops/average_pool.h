// Average pooling, and the adjoint of global average pooling.
#ifndef COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_
#define COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

absl::StatusOr<TensorId> AveragePool(Graph& graph, absl::string_view name, TensorId x,
                                     const PoolWindow& window);
// Returns the averages over all pixels of each channel: [N, C, H, W] -> [N, C, 1, 1].
absl::StatusOr<TensorId> GlobalAveragePool(Graph& graph, absl::string_view name, TensorId x);
// Applies the adjoint of GlobalAveragePool(): [N, C, 1, 1] -> [N, C, height, width]. Every pixel of
// the result is the value of x for its image and channel, divided by height * width.
absl::StatusOr<TensorId> SpreadEvenly(Graph& graph, absl::string_view name, TensorId x,
                                      int64_t height, int64_t width);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_
