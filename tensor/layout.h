// How a tensor's elements are ordered in memory.
//
// An image tensor's logical shape is always [batch, channels, height, width]; its layout says where
// element (n, c, h, w) lies:
//
//   kNchw       n, c, h, w               row-major; the only layout of tensors that are not 4-D
//   kNhwc       n, h, w, c               channels last
//   kBlocked8   n, c / 8, h, w, c % 8    oneDNN's nChw8c: a register of 8 channels (AVX2)
//   kBlocked16  n, c / 16, h, w, c % 16  oneDNN's nChw16c (AVX-512)
//
// In the blocked layouts channels are padded up to a multiple of the block, and the padding holds
// zeros: whoever writes such a tensor writes them too (oneDNN's primitives and this package's
// kernels do), whoever reads it may rely on them.
#ifndef COTANGENT_TENSOR_LAYOUT_H_
#define COTANGENT_TENSOR_LAYOUT_H_

#include <cstdint>
#include <string_view>

#include "base/element_type.h"
#include "tensor/shape.h"

namespace cotangent::tensor {

using cotangent::Bf16;
using cotangent::ElementType;

enum class Layout : uint8_t { kNchw, kNhwc, kBlocked8, kBlocked16 };

// "nchw", "nhwc", "nChw8c", "nChw16c".
std::string_view Name(Layout layout);

// Channels rounded up to a multiple of the block in the blocked layouts; unchanged otherwise.
int64_t PaddedChannels(int64_t channels, Layout layout);

// Elements in memory, padding included.
int64_t StorageElements(const Shape& shape, Layout layout);
int64_t StorageBytes(const Shape& shape, Layout layout, ElementType type);

// Whether the two layouts put every element of this shape in the same place without padding, so
// that one may be taken for the other (a 1x1 image is the same in NCHW and NHWC; with channels
// divisible by 16, in kBlocked16 too).
bool SameStorage(const Shape& shape, Layout a, Layout b);

// Offsets, in elements: Offset(n, c, h, w) = n Sn + (c / block) Sc + h Sh + w Sw + c % block.
// NCHW has block 1; NHWC has block C. In every layout h = width * w, so that pixels p = h * width +
// w lie evenly spaced.
struct Strides {
  int64_t n, c_block, h, w;
  int64_t block;

  int64_t Offset(int64_t n_index, int64_t c_index, int64_t h_index, int64_t w_index) const {
    return n_index * n + (c_index / block) * c_block + h_index * h + w_index * w + c_index % block;
  }
};
Strides StridesOf(const Shape& shape4d, Layout layout);

// Copies a 4-D tensor from one layout and element type to another, in parallel. f32 and bf16
// convert into each other; any other type only changes its layout. The destination's padding is set
// to zero. source and destination must not overlap. Tensors that are not 4-D: give them as
// [elements, 1, 1, 1].
void Reorder(const Shape& shape4d, const void* source, Layout source_layout,
             ElementType source_type, void* destination, Layout destination_layout,
             ElementType destination_type);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_LAYOUT_H_
