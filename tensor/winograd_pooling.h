// Winograd convolutions whose output side is max-pooled at once, in windows of 2x2. The whole
// output never lies in memory: a tile of outputs is four windows, which leave a number and a
// position each; the gradients of the whole output are made from those while tiles are read.
#ifndef COTANGENT_TENSOR_WINOGRAD_POOLING_H_
#define COTANGENT_TENSOR_WINOGRAD_POOLING_H_

#include <cstdint>

#include "tensor/winograd.h"

namespace cotangent::tensor {

// The output side after pooling: numbers of `element_bytes` and, unless null, positions (bytes),
// each [images, height, width, channels].
struct PooledImages {
  const char* values;
  const char* positions;
  int64_t channels, height, width;
  int64_t element_bytes;

  // As Run() is told them, of an unpooled side of `channels`, `height` and `width`.
  static PooledImages Of(const ConvolutionArguments& arguments, int64_t channels, int64_t height,
                         int64_t width, int64_t element_bytes) {
    return {.values = static_cast<const char*>(arguments.out),
            .positions = reinterpret_cast<const char*>(arguments.positions),
            .channels = channels,
            .height = height / 2,
            .width = width / 2,
            .element_bytes = element_bytes};
  }

  // Points at the kSide x kSide windows of image `image` from (row, column) on, in windows, and
  // from `channel` on; at `outside` for those that are not in the image.
  template <int kSide>
  void PointAtWindows(int64_t image, int64_t row, int64_t column, int64_t channel,
                      const void* outside, winograd::Windows& windows) const {
    PointAt<kSide>(values + channel * element_bytes, image, height, width, channels * element_bytes,
                   row, column, outside, windows.value);
    if (positions != nullptr) {
      PointAt<kSide>(positions + channel, image, height, width, channels, row, column, outside,
                     windows.position);
    } else {
      windows.position = {};
    }
  }
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_WINOGRAD_POOLING_H_
