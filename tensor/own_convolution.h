// What convolutions of our own (winograd.h, winograd_rows.h, product_convolution.h,
// linear_product.h) have in common, as Convolution runs them.
#ifndef COTANGENT_TENSOR_OWN_CONVOLUTION_H_
#define COTANGENT_TENSOR_OWN_CONVOLUTION_H_

#include <cstdint>
#include <string>

#include "tensor/convolution.h"

namespace cotangent::tensor {

// As in Convolution. A bias and an addend are added where Run() is given them.
class OwnConvolution {
 public:
  virtual ~OwnConvolution() = default;
  virtual std::string implementation() const = 0;
  virtual int64_t packed_weight_bytes() const = 0;
  virtual int64_t scratch_bytes() const = 0;
  virtual bool weights_are_plain() const { return false; }
  virtual void PackWeights(const float* oihw, void* packed) const = 0;
  virtual void UnpackWeightGradient(const void* packed, float* oihw) const = 0;
  virtual void Run(const ConvolutionArguments& arguments) const = 0;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_OWN_CONVOLUTION_H_
