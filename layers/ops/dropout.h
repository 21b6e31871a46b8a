// Masks for dropout: Srivastava et al., "Dropout" (2014).
#ifndef COTANGENT_LAYERS_OPS_DROPOUT_H_
#define COTANGENT_LAYERS_OPS_DROPOUT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The operation that makes a tensor whose elements are 0 with probability `rate` and otherwise 1 /
// (1 - rate). A plan (a graph compiled for this machine, layers/plan/plan.h) draws the elements
// anew in every training step. Derivatives treat them as constants; the reference
// (layers/graph/reference.h) must be given their values.
extern const Op kDropoutMask;
// Returns a mask with the shape of `like` and one draw per element, or an error unless 0 <= rate <
// 1.
absl::StatusOr<TensorId> DropoutMask(Graph& graph, absl::string_view name, TensorId like,
                                     double rate);
// Returns a mask with one draw per image of `images` [N, C, H, W], repeated for all channels, of
// shape [N, C, 1, 1]; or an error unless 0 <= rate < 1.
absl::StatusOr<TensorId> ImageMask(Graph& graph, absl::string_view name, TensorId images,
                                   double rate);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_DROPOUT_H_
