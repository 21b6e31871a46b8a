// Winograd convolutions that max-pool their output side in windows of 2x2 while they write it. The
// unpooled output is never in memory: a tile of 4x4 outputs consists of four windows, and of each
// window the maximum and its position (which cell, 0 to 3, row by row) are written. For the
// gradients, the unpooled output gradient is reconstructed from the pooled one and the positions
// while tiles are read.
#ifndef COTANGENT_TENSOR_WINOGRAD_POOLING_H_
#define COTANGENT_TENSOR_WINOGRAD_POOLING_H_

#include <cstdint>

#include "tensor/winograd.h"

namespace cotangent::tensor {

// The output side after pooling: numbers of `element_bytes` bytes and positions (bytes; may be
// null), each [images, height, width, channels].
struct PooledImages {
  const char* values;
  const char* positions;
  int64_t channels, height, width;
  int64_t element_bytes;

  // Describes the buffers of Convolution::Run(); channels, height and width are those before
  // pooling.
  static PooledImages Of(const ConvolutionArguments& arguments, int64_t channels, int64_t height,
                         int64_t width, int64_t element_bytes) {
    return {.values = static_cast<const char*>(arguments.out),
            .positions = reinterpret_cast<const char*>(arguments.positions),
            .channels = channels,
            .height = height / 2,
            .width = width / 2,
            .element_bytes = element_bytes};
  }

  // Sets `windows` to the addresses of kSide x kSide windows of image number `image`, from channel
  // `channel` on. The first window has the coordinates (row, column) in the pooled image. Windows
  // outside the image get the address `outside`. If `positions` is null, so are the addresses of
  // all positions.
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
