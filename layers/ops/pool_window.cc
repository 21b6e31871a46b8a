#include "layers/ops/pool_window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"

namespace cotangent::layers {

absl::StatusOr<Shape> PooledShape(const Graph& graph, absl::string_view name, TensorId x,
                                  const PoolWindow& window) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape& in = graph.shape(x);
  const int64_t height = WindowSteps(in[2], window.height, window.stride_height, window.padding.top,
                                     window.padding.bottom);
  const int64_t width = WindowSteps(in[3], window.width, window.stride_width, window.padding.left,
                                    window.padding.right);
  if (height < 1 || width < 1)
    return WindowDoesNotFit(graph, name, "window", window.height, window.width, x, window.padding);
  // These checks leave out the bottom and the right: if the output size is rounded up, the last
  // window may hold mostly padding there, as long as the window begins inside the image.
  if (window.padding.top * 2 > window.height || window.padding.left * 2 > window.width ||
      (height - 1) * window.stride_height - window.padding.top >= in[2] ||
      (width - 1) * window.stride_width - window.padding.left >= in[3]) {
    return Invalid(name,
                   "padding must be at most half of the window, or some windows would hold nothing "
                   "but padding");
  }
  return Shape({in[0], in[1], height, width});
}

int64_t Beyond(int64_t size, int64_t extent, int64_t stride, int64_t before, int64_t after) {
  const int64_t steps = (size + before + after - extent + stride - 1) / stride;
  if (steps * stride >= size + before) return 0;
  return std::max<int64_t>(0, steps * stride + extent - (size + before + after));
}

bool IsIdentity(const Shape& in, const Shape& out, const PoolWindow& window) {
  return window.height == 1 && window.width == 1 && in == out;
}

// The largest number of cells of a window that a fused pass (one loop over memory that computes
// several operations, layers/plan/fusion.h) handles. The code of the pass grows with each cell.
constexpr int kMostCells = 9;

// Windows of one cell do not count as tiles: a pass ignores such windows (Pass::HasWindow) and then
// could not tell tensors before and after pooling apart.
bool Tiles(const PoolWindow& window) {
  const int64_t cells = window.height * window.width;
  return window.stride_height == window.height && window.stride_width == window.width &&
         window.padding.top == 0 && window.padding.left == 0 && window.padding.bottom == 0 &&
         window.padding.right == 0 && cells > 1 && cells <= kMostCells;
}

tensor::PoolShape PoolShapeOf(const PoolWindow& w, const Shape& fine) {
  return {fine[0],       fine[1],          fine[2],         fine[3],
          w.height,      w.width,          w.stride_height, w.stride_width,
          w.padding.top, w.padding.bottom, w.padding.left,  w.padding.right};
}

}  // namespace cotangent::layers
