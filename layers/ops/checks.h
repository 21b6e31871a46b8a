// What operations say about inputs that do not fit.
#ifndef COTANGENT_LAYERS_OPS_CHECKS_H_
#define COTANGENT_LAYERS_OPS_CHECKS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

// "<layer>: <message>"
absl::Status Invalid(absl::string_view layer, absl::string_view message);
absl::Status NeedsImages(const Graph& graph, absl::string_view layer, TensorId x);
// Output length of a window sliding over `in` elements; <= 0 where it does not fit.
int64_t WindowSteps(int64_t in, int64_t window, int64_t stride, int64_t before, int64_t after);
absl::Status WindowDoesNotFit(const Graph& graph, absl::string_view layer, absl::string_view what,
                              int64_t window_height, int64_t window_width, TensorId x,
                              const Padding& padding);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CHECKS_H_
