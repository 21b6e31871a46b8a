// What max and average pooling share: windows that slide over an image.
#ifndef COTANGENT_LAYERS_OPS_POOL_WINDOW_H_
#define COTANGENT_LAYERS_OPS_POOL_WINDOW_H_

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"
#include "layers/ops/layer.h"
#include "tensor/pool.h"

namespace cotangent::layers {

// The shape of what is pooled, if the window fits: [N, C, H, W] -> [N, C, H', W'].
absl::StatusOr<Shape> PooledShape(const Graph& graph, absl::string_view name, TensorId x,
                                  const PoolWindow& window);
// Each pixel is a window of its own.
bool IsIdentity(const Shape& in, const Shape& out, const PoolWindow& window);
// Windows lie side by side and cover the image but for a rest at its bottom and right, and have few
// enough cells for a fused pass.
bool Tiles(const PoolWindow& window);
// The geometry for kernels and references, `fine` being the shape before pooling.
tensor::PoolShape PoolShapeOf(const PoolWindow& window, const Shape& fine);

// The window that the text of a pooling asks for, checked against the image it is given.
template <typename Text>
absl::StatusOr<PoolWindow> WindowOfPool(const Text& text, const Value& input,
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
  return PoolWindow{kernel.height, kernel.width, stride.height, stride.width, pad, true};
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_POOL_WINDOW_H_
