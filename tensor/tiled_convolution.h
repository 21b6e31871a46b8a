// Functions that all convolutions by products of tiles (tile_kernels.h) use.
#ifndef COTANGENT_TENSOR_TILED_CONVOLUTION_H_
#define COTANGENT_TENSOR_TILED_CONVOLUTION_H_

#include <algorithm>
#include <cstdint>

#include "base/cpu.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {

// Returns whether this processor has AMX and its tiles suit the shape: shape.groups is 1, the
// convolution is not a linear layer, and it has enough channels. The kernels pad channels with
// zeros to multiples of 16 (of 32 where they sum over channels); with few channels, most products
// would be products with these zeros.
inline bool SuitsTiles(const ConvolutionShape& shape) {
  constexpr int64_t kLeastChannels = 8;
  return HasAmx() && shape.groups == 1 && !shape.IsLinear() &&
         std::min(shape.in_channels, shape.out_channels) >= kLeastChannels;
}

// Returns the largest number of groups of columns (tile_kernels.h) for which the sums of 128 rows
// (0.3 MiB for 32 groups) and the factors stay in a core's second-level cache.
inline int64_t MostColumnGroups() { return SecondCacheBytes() > 1 << 20 ? 32 : 16; }

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_TILED_CONVOLUTION_H_
