// Which kernels of our own (product_kernels.h, winograd_kernels.h, depthwise_kernels.h) this
// processor runs: those of its widest instruction set.
#ifndef COTANGENT_TENSOR_OWN_KERNELS_H_
#define COTANGENT_TENSOR_OWN_KERNELS_H_

#include <string>

#include "base/element_type.h"
#include "tensor/depthwise_kernels.h"
#include "tensor/product_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

// f32 from AVX2 on, bf16 where AVX-512 has products of it.
bool HaveOwnKernels(ElementType type);

// Require HaveOwnKernels(kF32).
const product_kernels::Kernels& ProductKernels();
const winograd::Kernels& WinogradKernels();
const depthwise_kernels::Kernels& DepthwiseKernels();

// What implementations in `type` are called after: "avx2", "avx512", "avx512_bf16".
std::string OwnKernelsName(ElementType type);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_OWN_KERNELS_H_
