// Checks the arguments of convolutions of 8-bit integers (Int8Convolution in convolution.h), for
// the families that compute them.
#ifndef COTANGENT_TENSOR_INT8_CONVOLUTION_H_
#define COTANGENT_TENSOR_INT8_CONVOLUTION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "tensor/convolution_family.h"

namespace cotangent::tensor {

// Returns an error unless `choice` computes what epilogue.int8 describes: both sides are NHWC and
// have the types of epilogue.int8 (where its out_type is kF32, the output may also be bf16), there
// is a weight scale for each output channel, and nothing is pooled.
absl::Status CheckInt8Choice(const ConvolutionShape& shape, const ConvolutionChoice& choice,
                             const Epilogue& epilogue);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_INT8_CONVOLUTION_H_
