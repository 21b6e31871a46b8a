// Adds rows and columns at the borders of images, or removes some (crops).
#ifndef COTANGENT_LAYERS_OPS_PAD_H_
#define COTANGENT_LAYERS_OPS_PAD_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

enum class PadMode { kZeros, kCircular, kReflect };
PadMode PadModeOf(Layer::PaddingMode mode);

struct PadAttributes {
  PadMode mode;
  Padding padding;
};

// Returns the padded images: [N, C, H, W] -> [N, C, top + H + bottom, left + W + right]. Negative
// numbers in `padding` crop the image. Circular padding must not be longer than the image, and
// reflection (which leaves out the border pixel) must be shorter.
absl::StatusOr<TensorId> Pad(Graph& graph, absl::string_view name, TensorId x, PadMode mode,
                             const Padding& padding);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_PAD_H_
