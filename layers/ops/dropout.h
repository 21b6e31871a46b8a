// Srivastava et al., "Dropout" (2014).
#ifndef COTANGENT_LAYERS_OPS_DROPOUT_H_
#define COTANGENT_LAYERS_OPS_DROPOUT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// 0 with probability `rate`, else 1 / (1 - rate), drawn anew every step. Derivatives and references
// take it as given.
extern const Op kDropoutMask;
absl::StatusOr<TensorId> DropoutMask(Graph& graph, absl::string_view name, TensorId like,
                                     double rate);
// [N, C, 1, 1] for images [N, C, H, W]: one draw an image, the same in all its channels.
absl::StatusOr<TensorId> ImageMask(Graph& graph, absl::string_view name, TensorId images,
                                   double rate);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_DROPOUT_H_
