// Max and average pooling of any window, stride and padding; global pooling is a window as large as
// the image.
//
// Image tensors are given in kNchw, kNhwc or blocked layout; input and output have the same layout
// and element type (f32 or bf16, summed in f32). The kernels run in parallel over images and rows,
// vectorised over channels (fastest in kNhwc and the blocked layouts). The padding of blocked
// layouts is written as zero.
#ifndef COTANGENT_TENSOR_POOL_H_
#define COTANGENT_TENSOR_POOL_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/element_type.h"
#include "tensor/layout.h"
#include "tensor/shape.h"

namespace cotangent::tensor {

struct PoolShape {
  int64_t batch = 1, channels = 1;
  int64_t in_height = 1, in_width = 1;
  int64_t window_height = 1, window_width = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;

  int64_t out_height() const;
  int64_t out_width() const;
  Shape in() const { return {batch, channels, in_height, in_width}; }
  Shape out() const { return {batch, channels, out_height(), out_width()}; }

  // Every size positive, padding less than the window (so that each window holds at least one true
  // pixel), the window inside the padded image and of at most 2^31 - 1 cells.
  absl::Status Validate() const;
  std::string ToString() const;  // "128x64x32x32 -> 16x16 window 2x2 s2x2 p0,0,0,0"
};

// Max pooling notes for each output element which cell of its window won, row * window_width +
// column: as u8 where a byte can tell all cells of the window apart, else as s32.
constexpr ElementType PositionType(int64_t window_height, int64_t window_width) {
  return window_height * window_width <= 256 ? ElementType::kU8 : ElementType::kS32;
}

// out[n, c, y, x] = max over the window's true pixels; positions (output's shape and layout,
// PositionType()) says where: the first in row-major order among equals. A NaN in a window wins.
// positions may be null where no backward pass follows.
absl::Status MaxPoolForward(const PoolShape& shape, Layout layout, ElementType type, const void* in,
                            void* out, void* positions);

// in_gradient at each pixel = sum of out_gradient over the windows it won; zero elsewhere. Every
// element is written.
absl::Status MaxPoolBackward(const PoolShape& shape, Layout layout, ElementType type,
                             const void* out_gradient, const void* positions, void* in_gradient);

// out = sum of the window's true pixels / cells, where cells counts the whole window
// (count_include_pad, PyTorch's default), or the true pixels only.
absl::Status AveragePoolForward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                ElementType type, const void* in, void* out);
absl::Status AveragePoolBackward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                 ElementType type, const void* out_gradient, void* in_gradient);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_POOL_H_
