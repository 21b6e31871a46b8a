// What convolutions by products of tiles (tile_kernels.h) share.
#ifndef COTANGENT_TENSOR_TILED_CONVOLUTION_H_
#define COTANGENT_TENSOR_TILED_CONVOLUTION_H_

#include <algorithm>
#include <cstdint>

#include "base/cpu.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {

// Returns whether this processor multiplies tiles and they suit the shape: it has one group, is not
// a linear layer, and has enough channels that it does not mostly multiply the zeros that fill
// their groups.
inline bool SuitsTiles(const ConvolutionShape& shape) {
  constexpr int64_t kLeastChannels = 8;
  return HasAmx() && shape.groups == 1 && !shape.IsLinear() &&
         std::min(shape.in_channels, shape.out_channels) >= kLeastChannels;
}

// Returns the most groups of columns whose sums, with 128 rows (0.3 MiB for 32 groups), and what is
// multiplied for them stay in a core's second-level cache.
inline int64_t MostColumnGroups() { return SecondCacheBytes() > 1 << 20 ? 32 : 16; }

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_TILED_CONVOLUTION_H_
