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

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_DROPOUT_H_
