// Gives a tensor another shape with the same elements in row-major order, for example [N, C, H, W]
// <-> [N, C H W].
#ifndef COTANGENT_LAYERS_OPS_RESHAPE_H_
#define COTANGENT_LAYERS_OPS_RESHAPE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kReshape;
absl::StatusOr<TensorId> Reshape(Graph& graph, absl::string_view name, TensorId x, Shape shape);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_RESHAPE_H_
