// The same numbers in row-major order under another shape: [N, C, H, W] <-> [N, C H W], say.
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
