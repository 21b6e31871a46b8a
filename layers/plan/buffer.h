// Describes where a tensor is stored while a plan (a graph compiled for this machine, plan.h) runs,
// and in which format.
#ifndef COTANGENT_LAYERS_PLAN_BUFFER_H_
#define COTANGENT_LAYERS_PLAN_BUFFER_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "base/element_type.h"
#include "base/round_up.h"
#include "tensor/layout.h"
#include "tensor/shape.h"

namespace cotangent::layers {

// How a tensor's elements are stored. The layouts are those of images; a tensor of rank 2 counts as
// images of one pixel. Tensors of other ranks use kNchw, which means row-major.
struct Format {
  tensor::Layout layout = tensor::Layout::kNchw;
  ElementType type = ElementType::kF32;

  friend bool operator==(const Format&, const Format&) = default;
  std::string ToString() const {
    return absl::StrCat(std::string(Name(layout)), "/", std::string(Name(type)));
  }
};

// The memory of one tensor in one format.
struct Buffer {
  char* data = nullptr;
  tensor::Shape shape;
  Format format;
  // If not 0, the tensor consists of some consecutive channels of a wider NHWC tensor and is stored
  // inside that tensor. of_channels is then the number of channels of the wider tensor, and so the
  // number of elements from one pixel to the next. Only fused passes (loops over memory that
  // compute several operations, fusion.h) and operations with Views() (layers/graph/operation.h)
  // get such buffers.
  int64_t of_channels = 0;

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  // Returns the number of elements from one pixel to the next, in NHWC.
  int64_t pixel_elements() const { return of_channels > 0 ? of_channels : shape[1]; }
  int64_t bytes() const {
    if (shape.rank() == 4) return tensor::StorageBytes(shape, format.layout, format.type);
    if (shape.rank() == 2)
      return tensor::StorageBytes({shape[0], shape[1], 1, 1}, format.layout, format.type);
    return shape.NumElements() * Bytes(format.type);
  }
};

// Returns the shape of an image tensor [N, C, H, W] with the same elements in the same order.
// Tensors of lower rank become images of one pixel.
inline tensor::Shape AsImage(const tensor::Shape& shape) {
  if (shape.rank() == 4) return shape;
  return shape.rank() == 2 ? tensor::Shape({shape[0], shape[1], 1, 1})
                           : tensor::Shape({shape.NumElements(), 1, 1, 1});
}

// Parameters, states and the sums per channel of passes begin at multiples of this many floats,
// which fill a cache line (64 bytes).
inline constexpr int64_t kFloatAlignment = 16;
inline int64_t AlignFloats(int64_t count) { return RoundUp(count, kFloatAlignment); }

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_BUFFER_H_
