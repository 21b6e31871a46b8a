// Picks the kernels for this processor's widest instruction set from product_kernels.h,
// winograd_kernels.h, depthwise_kernels.h, pixel_kernels.h, int8_kernels.h and tile_kernels.h
// ("own" as opposed to oneDNN's).
#ifndef COTANGENT_TENSOR_OWN_KERNELS_H_
#define COTANGENT_TENSOR_OWN_KERNELS_H_

#include <string>

#include "base/element_type.h"
#include "tensor/depthwise_kernels.h"
#include "tensor/int8_kernels.h"
#include "tensor/pixel_kernels.h"
#include "tensor/product_kernels.h"
#include "tensor/tile_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

// Returns whether there are own kernels for numbers of `type` on this processor: for f32 with AVX2,
// for bf16 with AVX512_BF16.
bool HaveOwnKernels(ElementType type);

// Returns whether Int8Kernels() exist for this processor: it has AVX2.
bool HaveOwnInt8Kernels();

// Return the kernels for this processor's widest instruction set. REQUIRES: HaveOwnKernels(kF32).
const product_kernels::Kernels& ProductKernels();
const winograd::Kernels& WinogradKernels();
const depthwise_kernels::Kernels& DepthwiseKernels();
// Returns the kernels of int8_kernels.h. REQUIRES: HaveOwnInt8Kernels().
const int8_kernels::Kernels& Int8Kernels();
// Returns the kernels of pixel_kernels.h. REQUIRES: HaveOwnKernels(kF32) and not HasAvx512().
const pixel_kernels::Kernels& PixelKernels();
// Returns the kernels of tile_kernels.h. REQUIRES: HasAmx() (base/cpu.h).
const tile_kernels::Kernels& TileKernels();

// Returns the end of the names of own implementations for `type`: "avx2", "avx512" or, for bf16,
// "avx512_bf16".
std::string OwnKernelsName(ElementType type);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_OWN_KERNELS_H_
