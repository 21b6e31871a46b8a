// Geometry that max and average pooling share: windows that slide over an image.
#ifndef COTANGENT_LAYERS_OPS_POOL_WINDOW_H_
#define COTANGENT_LAYERS_OPS_POOL_WINDOW_H_

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"
#include "layers/ops/layer.h"
#include "tensor/pool.h"

namespace cotangent::layers {

// Returns the shape of the pooled result, [N, C, H, W] -> [N, C, H', W'], or an error if the window
// does not fit or the padding exceeds half of it.
absl::StatusOr<Shape> PooledShape(const Graph& graph, absl::string_view name, TensorId x,
                                  const PoolWindow& window);
// Returns whether pooling changes nothing: each window is a single pixel, and the result `out` has
// the shape of the input `in`.
bool IsIdentity(const Shape& in, const Shape& out, const PoolWindow& window);
// Returns whether the windows lie side by side without padding, as a fused pass (one loop over
// memory that computes several operations, layers/plan/fusion.h) needs them, and have 2 to 9 cells.
// Rows and columns at the bottom and right may remain uncovered.
bool Tiles(const PoolWindow& window);
// Returns the geometry in the form that kernels and reference implementations use. `fine` is the
// shape before pooling.
tensor::PoolShape PoolShapeOf(const PoolWindow& window, const Shape& fine);

// Returns how many pixels the last window of an axis reaches beyond the image and its padding if
// the number of windows is rounded up, as by ceil_mode in PyTorch. The image has `size` pixels
// along the axis, with `before` and `after` pixels of padding; windows of `extent` pixels are
// `stride` apart. A window must begin inside the image or the padding before it. If the additional
// window would not, it is left out and the result is 0.
int64_t Beyond(int64_t size, int64_t extent, int64_t stride, int64_t before, int64_t after);

// The window of a pooling layer. The last windows reach `beyond_bottom` and `beyond_right` pixels
// beyond the image and the padding that the text gives; these pixels are part of window.padding.
struct LayerWindow {
  PoolWindow window;
  int64_t beyond_bottom = 0, beyond_right = 0;
};

// Returns the pooling window that a layer's text asks for, or an error if it does not fit the shape
// of the layer's input.
template <typename Text>
absl::StatusOr<LayerWindow> WindowOfPool(const Text& text, const Value& input,
                                         const LayerBuilder& b) {
  RETURN_IF_ERROR(b.NeedImage(input));
  ASSIGN_OR_RETURN(const Pair kernel, KernelOf(text.kernel()));
  ASSIGN_OR_RETURN(const Pair stride, PairOf("stride", text.stride(), kernel, 1));
  ASSIGN_OR_RETURN(const Window window, WindowOf(text, b.shape(input), kernel, stride));
  const Padding& pad = window.padding;
  if (2 * std::max(pad.top, pad.bottom) > kernel.height ||
      2 * std::max(pad.left, pad.right) > kernel.width) {
    return Error(absl::StrCat("pads by more than half its kernel ", Times(kernel),
                              ", so that windows may hold nothing but padding; use less padding"));
  }
  LayerWindow result = {{kernel.height, kernel.width, stride.height, stride.width, pad, true}};
  if (text.ceil()) {
    result.beyond_bottom =
        Beyond(b.shape(input).height(), kernel.height, stride.height, pad.top, pad.bottom);
    result.beyond_right =
        Beyond(b.shape(input).width(), kernel.width, stride.width, pad.left, pad.right);
    result.window.padding.bottom += result.beyond_bottom;
    result.window.padding.right += result.beyond_right;
  }
  return result;
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_POOL_WINDOW_H_
