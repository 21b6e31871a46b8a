// Of processors that are not x86-64: oneDNN's kernels do all.
#include <cstdlib>

#include "tensor/own_kernels.h"

namespace cotangent::tensor {

bool HaveOwnKernels(ElementType) { return false; }

// Nobody may ask for what HaveOwnKernels() denies.
const product_kernels::Kernels& ProductKernels() { std::abort(); }
const winograd::Kernels& WinogradKernels() { std::abort(); }
const depthwise_kernels::Kernels& DepthwiseKernels() { std::abort(); }
std::string OwnKernelsName(ElementType) { std::abort(); }

}  // namespace cotangent::tensor
