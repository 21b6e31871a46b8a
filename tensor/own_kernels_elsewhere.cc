// Implements own_kernels.h for processors that are not x86-64. There are no own kernels (kernels of
// this module) for such processors; oneDNN's kernels compute everything.
#include <cstdlib>

#include "tensor/own_kernels.h"

namespace cotangent::tensor {

bool HaveOwnKernels(ElementType) { return false; }
bool HaveOwnInt8Kernels() { return false; }

// These functions are never called, since there are no kernels.
const product_kernels::Kernels& ProductKernels() { std::abort(); }
const winograd::Kernels& WinogradKernels() { std::abort(); }
const depthwise_kernels::Kernels& DepthwiseKernels() { std::abort(); }
const int8_kernels::Kernels& Int8Kernels() { std::abort(); }
const pixel_kernels::Kernels& PixelKernels() { std::abort(); }
const tile_kernels::Kernels& TileKernels() { std::abort(); }
std::string OwnKernelsName(ElementType) { std::abort(); }

}  // namespace cotangent::tensor
