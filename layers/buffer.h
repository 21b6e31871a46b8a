// Where a tensor lies while a plan runs, and how.
#ifndef COTANGENT_LAYERS_BUFFER_H_
#define COTANGENT_LAYERS_BUFFER_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "tensor/element_type.h"
#include "tensor/layout.h"
#include "tensor/shape.h"

namespace cotangent::layers {

// How a tensor's elements are stored. Tensors that are not 4-D are kNchw, plain row-major.
struct Format {
  tensor::Layout layout = tensor::Layout::kNchw;
  tensor::ElementType type = tensor::ElementType::kF32;

  friend bool operator==(const Format&, const Format&) = default;
  std::string ToString() const { return absl::StrCat(std::string(Name(layout)), "/", std::string(Name(type))); }
};

struct Buffer {
  char* data = nullptr;
  tensor::Shape shape;
  Format format;

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  int64_t bytes() const {
    return shape.rank() == 4 ? tensor::StorageBytes(shape, format.layout, format.type) : shape.NumElements() * tensor::Bytes(format.type);
  }
};

// Per-channel vectors are followed by zeros up to a multiple of this many floats, so that a kernel may take them in whole
// blocks of channels.
inline constexpr int64_t kChannelPadding = 16;
inline int64_t PaddedToChannelBlock(int64_t channels) { return (channels + kChannelPadding - 1) / kChannelPadding * kChannelPadding; }

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_BUFFER_H_
