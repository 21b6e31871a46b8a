// Max and average pooling with any window, stride and padding. Global pooling has a window as large
// as the image.
//
// Input and output have the same layout (kNchw, kNhwc or blocked) and the same element type (f32,
// or bf16 summed in f32). The work runs in parallel over images, blocks of channels and rows, and
// is vectorised over the channels of a block (one in kNchw, all in kNhwc), so it is fastest in
// kNhwc and the blocked layouts. Channels that pad a blocked layout are written as zero.
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

  // Returns an error unless every size is positive, the padding is not negative and less than the
  // window (each window then holds a true pixel), the window fits into the padded image and has at
  // most 2^31 - 1 cells, and Shape::Validate() accepts in().
  absl::Status Validate() const;
  std::string ToString() const;  // "128x64x32x32 -> 16x16 window 2x2 s2x2 p0,0,0,0"
};

// Returns the type in which max pooling stores positions. The position of an output element is the
// cell of its window that holds the maximum, row * window_width + column. Windows of up to 256
// cells fit into u8.
constexpr ElementType PositionType(int64_t window_height, int64_t window_width) {
  return window_height * window_width <= 256 ? ElementType::kU8 : ElementType::kS32;
}

// Computes out[n, c, y, x] = maximum over the pixels of the window; padding does not count.
// `positions` (shape and layout of `out`, type PositionType()) receives the cell of the maximum:
// the first in row-major order among equal ones. If a window holds a NaN, the result is NaN, and
// the position that of the last NaN. `positions` may be null if no backward pass follows. Errors,
// here and below: an invalid shape, or a type other than f32 and bf16.
absl::Status MaxPoolForward(const PoolShape& shape, Layout layout, ElementType type, const void* in,
                            void* out, void* positions);

// Computes in_gradient[pixel] = sum of out_gradient over the windows whose maximum was at this
// pixel. Every element of in_gradient is written.
absl::Status MaxPoolBackward(const PoolShape& shape, Layout layout, ElementType type,
                             const void* out_gradient, const void* positions, void* in_gradient);

// AveragePoolForward() computes out = sum of the window's pixels / cells. `cells` counts the whole
// window if count_include_pad (PyTorch's default), otherwise only the cells that are not padding.
// AveragePoolBackward() computes the gradient by the input.
absl::Status AveragePoolForward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                ElementType type, const void* in, void* out);
absl::Status AveragePoolBackward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                 ElementType type, const void* out_gradient, void* in_gradient);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_POOL_H_
