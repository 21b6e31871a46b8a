// A forward convolution as one product of matrices, pixels by weights, for few pixels and many
// weights: inference of one image. Such a convolution waits for its weights, which here are read
// once, in the order in which they lie.
//
// Every output pixel's inputs are gathered into a row; a thread multiplies all rows by a panel of
// output channels at a time.
#ifndef COTANGENT_TENSOR_PRODUCT_CONVOLUTION_H_
#define COTANGENT_TENSOR_PRODUCT_CONVOLUTION_H_

#include <cstdint>
#include <string>

#include "tensor/own_convolution.h"
#include "tensor/panels.h"
#include "tensor/product_kernels.h"

namespace cotangent::tensor {

class ProductConvolution final : public OwnConvolution {
 public:
  // Whether this processor has the instructions and the convolution is of the kind. `type` is that
  // of both sides, NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type);
  // "product:avx2", "product:avx512", "product:avx512_bf16".
  static std::string ImplementationName(ElementType type);

  // Requires IsAvailable(). relu: results are max(0, y).
  ProductConvolution(const ConvolutionShape& shape, ElementType type, bool relu);

  std::string implementation() const override {
    return ImplementationName(bf16_ ? ElementType::kBf16 : ElementType::kF32);
  }
  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override {}
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // The inputs of output pixel `pixel`, tap by tap.
  void GatherRow(const char* in, int64_t pixel, char* row) const;
  // A panel's columns for output pixels [first, first + rows).
  void MultiplyPanel(const ConvolutionArguments& arguments, int64_t panel, const char* rows,
                     int64_t first, int64_t count, float* sums) const;

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  int64_t pixels() const { return shape_.batch * shape_.out_height() * shape_.out_width(); }
  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  // Steps of a product: one f32, or a pair of bf16, each.
  int64_t steps_a_tap() const { return bf16_ ? (shape_.in_channels + 1) / 2 : shape_.in_channels; }
  int64_t depth() const { return taps() * steps_a_tap(); }
  int64_t RowBytes() const { return depth() * 4; }
  int64_t RowsBytes() const;  // of all rows

  const product_kernels::Kernels& kernels_;
  const Panels panels_;  // of output channels
  const ConvolutionShape shape_;
  const bool bf16_, relu_;
  const int threads_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_PRODUCT_CONVOLUTION_H_
