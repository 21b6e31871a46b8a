#include "layers/ops/checks.h"

#include "absl/strings/str_cat.h"

namespace cotangent::layers {

absl::Status Invalid(absl::string_view layer, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(layer, ": ", message));
}

absl::Status NeedsImages(const Graph& graph, absl::string_view layer, TensorId x) {
  if (graph.shape(x).rank() == 4) return absl::OkStatus();
  return Invalid(layer,
                 absl::StrCat("needs images [batch, channels, height, width], but its input '",
                              graph.tensor(x).name, "' has shape ", graph.shape(x).ToString(),
                              ". Put it before the first linear, flatten or softmax layer."));
}

int64_t WindowSteps(int64_t in, int64_t window, int64_t stride, int64_t before, int64_t after) {
  const int64_t room = in + before + after - window;
  return room < 0 ? 0 : room / stride + 1;
}

absl::Status WindowDoesNotFit(const Graph& graph, absl::string_view layer, absl::string_view what,
                              int64_t window_height, int64_t window_width, TensorId x,
                              const Padding& padding) {
  const Shape& shape = graph.shape(x);
  return Invalid(
      layer, absl::StrCat(what, " ", window_height, "x", window_width, " is larger than its input ",
                          shape[2] + padding.top + padding.bottom, "x",
                          shape[3] + padding.left + padding.right, " (padding included; '",
                          graph.tensor(x).name, "' has shape ", shape.ToString(),
                          "). Use a smaller kernel, more padding, or pool less before it."));
}

}  // namespace cotangent::layers
