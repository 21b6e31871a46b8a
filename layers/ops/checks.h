// Errors that operations return for inputs that do not fit, and checks that return them.
#ifndef COTANGENT_LAYERS_OPS_CHECKS_H_
#define COTANGENT_LAYERS_OPS_CHECKS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

// Returns an InvalidArgument error with the text "<layer>: <message>".
absl::Status Invalid(absl::string_view layer, absl::string_view message);
// Returns an error unless x has the shape [N, C, H, W].
absl::Status NeedsImages(const Graph& graph, absl::string_view layer, TensorId x);
// Returns the number of positions of a window of `window` elements that slides by `stride` over
// `in` elements with `before` and `after` padding elements at the ends; 0 if the window does not
// fit.
int64_t WindowSteps(int64_t in, int64_t window, int64_t stride, int64_t before, int64_t after);
// Returns the error for a window, of this height and width in pixels, that is larger than the
// padded image x. The message calls the window `what`.
absl::Status WindowDoesNotFit(const Graph& graph, absl::string_view layer, absl::string_view what,
                              int64_t window_height, int64_t window_width, TensorId x,
                              const Padding& padding);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CHECKS_H_
