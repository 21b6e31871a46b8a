// Average pooling and its adjoint.
#ifndef COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_
#define COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

absl::StatusOr<TensorId> AveragePool(Graph& graph, absl::string_view name, TensorId x,
                                     const PoolWindow& window);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_AVERAGE_POOL_H_
