// The order of a tensor's elements in memory.
//
// An image tensor's logical shape is always [batch, channels, height, width]; its layout says where
// element (n, c, h, w) lies:
//
//   kNchw       n, c, h, w               row-major; the only layout of tensors that are not 4-D
//   kNhwc       n, h, w, c               channels last
//   kBlocked8   n, c / 8, h, w, c % 8    oneDNN's nChw8c: a register of 8 channels (AVX2)
//   kBlocked16  n, c / 16, h, w, c % 16  oneDNN's nChw16c (AVX-512)
//
// The blocked layouts pad the channels to a multiple of the block, and the padding holds zeros.
// Code that writes such a tensor must write these zeros (oneDNN and this module's kernels do); code
// that reads it may rely on them.
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

// Returns "nchw", "nhwc", "nChw8c" or "nChw16c".
std::string_view Name(Layout layout);

// Returns the number of channels in memory: `channels` rounded up to a multiple of the block in
// blocked layouts, `channels` itself in the others.
int64_t PaddedChannels(int64_t channels, Layout layout);

// Returns the number of elements, or bytes, in memory, including padding.
int64_t StorageElements(const Shape& shape, Layout layout);
int64_t StorageBytes(const Shape& shape, Layout layout, ElementType type);

// Returns whether both layouts put every element of this shape in the same place, so that data in
// one layout can be read as the other: the layouts are equal, the shape is not 4-D, or neither
// layout has padding and both orders are the same. For example, a 1x1 image is the same in NCHW and
// NHWC, and in kBlocked16 if 16 divides the channels.
bool SameStorage(const Shape& shape, Layout a, Layout b);

// Offset() returns where an element lies, counted in elements. `n`, `c_block`, `h` and `w` are the
// distances, in elements, between neighbouring images, blocks of channels, rows and pixels. `block`
// is the number of channels that lie side by side: 1 in NCHW, all in NHWC, 8 or 16 in the blocked
// layouts. In every layout h = width * w, so an image's pixels, numbered row by row, are evenly
// spaced.
struct Strides {
  int64_t n, c_block, h, w;
  int64_t block;

  int64_t Offset(int64_t n_index, int64_t c_index, int64_t h_index, int64_t w_index) const {
    return n_index * n + (c_index / block) * c_block + h_index * h + w_index * w + c_index % block;
  }
};
Strides StridesOf(const Shape& shape4d, Layout layout);

// Copies a 4-D tensor to another layout and element type, in parallel. f32 and bf16 are converted
// into each other; tensors of other types keep their type, and destination_type is ignored. The
// destination's padding is set to zero (if the layouts are equal, it is copied from the source's).
// Source and destination must not overlap. Pass a tensor that is not 4-D as [elements, 1, 1, 1].
void Reorder(const Shape& shape4d, const void* source, Layout source_layout,
             ElementType source_type, void* destination, Layout destination_layout,
             ElementType destination_type);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_LAYOUT_H_
