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

// How much further the last window of an axis reaches where sizes round up, as PyTorch's ceil_mode
// has it: a window begins in the image or in what stands before it.
int64_t Beyond(int64_t size, int64_t extent, int64_t stride, int64_t before, int64_t after);

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
  PoolWindow result = {kernel.height, kernel.width, stride.height, stride.width, pad, true};
  if (text.ceil()) {
    result.padding.bottom +=
        Beyond(b.shape(input).height(), kernel.height, stride.height, pad.top, pad.bottom);
    result.padding.right +=
        Beyond(b.shape(input).width(), kernel.width, stride.width, pad.left, pad.right);
  }
  return result;
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_POOL_WINDOW_H_
