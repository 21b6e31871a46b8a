// A linear layer as a product of matrices by matrix_product.h. Weights are [out, features], with
// features in the order in which the input's layout has them:
//
//   forward           out [n, out]       = in [n, features] weights^T, then the epilogue
//   input gradient    in_gradient        = out_gradient [n, out] weights
//   weight gradient   [out, features]    = out_gradient^T in
#ifndef COTANGENT_TENSOR_LINEAR_PRODUCT_H_
#define COTANGENT_TENSOR_LINEAR_PRODUCT_H_

#include <cstdint>
#include <string>

#include "tensor/own_convolution.h"

namespace cotangent::tensor {

class LinearProduct final : public OwnConvolution {
 public:
  // Whether this processor has the instructions and the convolution is linear. `type` is that of
  // both sides.
  static bool IsAvailable(const ConvolutionShape& shape, ElementType type);
  // "product:avx2", "product:avx512".
  static std::string ImplementationName();

  // Requires IsAvailable(). relu: forward, results are max(0, y).
  LinearProduct(const ConvolutionShape& shape, Direction direction, Layout in_layout, bool relu);

  std::string implementation() const override { return ImplementationName(); }
  int64_t packed_weight_bytes() const override { return shape_.out_channels * features_ * 4; }
  int64_t scratch_bytes() const override { return 0; }
  bool weights_are_plain() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  void RunForward(const ConvolutionArguments& arguments) const;

  const ConvolutionShape shape_;
  const Direction direction_;
  const Layout in_layout_;
  const bool relu_;
  const int64_t features_;  // of an image, padding of its layout included
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_LINEAR_PRODUCT_H_
