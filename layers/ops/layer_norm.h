// Layer normalisation: Ba, Kiros, Hinton, "Layer normalization" (2016).
#ifndef COTANGENT_LAYERS_OPS_LAYER_NORM_H_
#define COTANGENT_LAYERS_OPS_LAYER_NORM_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The attributes of the operations `layer_norm` and `layer_norm_gradient`.
struct LayerNormAttributes {
  double epsilon;
  // True: the mean and variance are taken over the channels of each pixel; false: over all of an
  // image.
  bool by_pixel = false;
};

// Returns (x - mean) / sqrt(variance + epsilon) for x [N, ...], with the mean and biased variance
// of each image over all axes but the first. Scale and shift are not part of it; callers add them
// as elementwise operations.
absl::StatusOr<TensorId> LayerNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon);
// The same for x [N, C, H, W] with the mean and biased variance over the channels of each pixel.
absl::StatusOr<TensorId> PixelNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LAYER_NORM_H_
