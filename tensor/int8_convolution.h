// Forward convolutions of 8-bit integers (Int8Convolution in convolution.h) by oneDNN's kernels, in
// NHWC. A linear layer is the pointwise convolution of one image, a pixel of which is a row of
// features.
#ifndef COTANGENT_TENSOR_INT8_CONVOLUTION_H_
#define COTANGENT_TENSOR_INT8_CONVOLUTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tensor/onednn.h"
#include "tensor/own_convolution.h"

namespace cotangent::tensor {

class OneDnnInt8Convolution : public OwnConvolution {
 public:
  // Errors: a choice that is not of Int8Candidates(), or scales for another number of channels.
  static absl::StatusOr<std::unique_ptr<OneDnnInt8Convolution>> Create(
      const ConvolutionShape& shape, const ConvolutionChoice& choice, const Epilogue& epilogue);

  std::string implementation() const override { return primitive_->implementation(); }
  int64_t packed_weight_bytes() const override { return primitive_->weight_bytes(); }
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void*, float*) const override {}
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  OneDnnInt8Convolution(const ConvolutionShape& shape, const Epilogue& epilogue);

  const ConvolutionShape shape_;
  const std::vector<float> weight_scales_;
  std::vector<float> bias_factors_;  // from real numbers to what oneDNN adds; empty without a bias
  std::unique_ptr<onednn::Primitive> primitive_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_INT8_CONVOLUTION_H_
