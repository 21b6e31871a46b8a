#include "tensor/own_kernels.h"

#include "base/cpu.h"

namespace cotangent::tensor {

bool HaveOwnKernels(ElementType type) {
  return type == ElementType::kBf16 ? HasAvx512Bf16() : type == ElementType::kF32 && HasAvx2();
}

bool HaveOwnInt8Kernels() { return HasAvx2(); }

const product_kernels::Kernels& ProductKernels() {
  return HasAvx512() ? product_kernels::kAvx512 : product_kernels::kAvx2;
}

const winograd::Kernels& WinogradKernels() {
  return HasAvx512() ? winograd::kAvx512 : winograd::kAvx2;
}

const depthwise_kernels::Kernels& DepthwiseKernels() {
  return HasAvx512() ? depthwise_kernels::kAvx512 : depthwise_kernels::kAvx2;
}

const int8_kernels::Kernels& Int8Kernels() { return int8_kernels::kAvx2; }
const pixel_kernels::Kernels& PixelKernels() { return pixel_kernels::kAvx2; }

const tile_kernels::Kernels& TileKernels() { return tile_kernels::kAmx; }

std::string OwnKernelsName(ElementType type) {
  return std::string(ProductKernels().isa) + (type == ElementType::kBf16 ? "_bf16" : "");
}

}  // namespace cotangent::tensor
