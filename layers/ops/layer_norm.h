// Ba, Kiros, Hinton, "Layer normalization" (2016).
#ifndef COTANGENT_LAYERS_OPS_LAYER_NORM_H_
#define COTANGENT_LAYERS_OPS_LAYER_NORM_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// Normalised over all axes but the first; scale and shift, where wanted, follow as Formula().
absl::StatusOr<TensorId> LayerNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LAYER_NORM_H_
