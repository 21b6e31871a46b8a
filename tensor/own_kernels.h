// Picks, among product_kernels.h, winograd_kernels.h and depthwise_kernels.h, the kernels for the
// widest instruction set of this processor.
#ifndef COTANGENT_TENSOR_OWN_KERNELS_H_
#define COTANGENT_TENSOR_OWN_KERNELS_H_

#include <string>

#include "base/element_type.h"
#include "tensor/depthwise_kernels.h"
#include "tensor/product_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

// Whether there are kernels for numbers of `type` here: f32 from AVX2 on, bf16 with AVX512_BF16.
bool HaveOwnKernels(ElementType type);

// Require HaveOwnKernels(kF32).
const product_kernels::Kernels& ProductKernels();
const winograd::Kernels& WinogradKernels();
const depthwise_kernels::Kernels& DepthwiseKernels();

// The end of such an implementation's name: "avx2", "avx512", "avx512_bf16".
std::string OwnKernelsName(ElementType type);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_OWN_KERNELS_H_
