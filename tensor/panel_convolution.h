// The base class of forward convolutions that multiply NHWC images by panels of weights (panels.h).
#ifndef COTANGENT_TENSOR_PANEL_CONVOLUTION_H_
#define COTANGENT_TENSOR_PANEL_CONVOLUTION_H_

#include <cstdint>

#include "base/element_type.h"
#include "base/parallel.h"
#include "tensor/convolution_family.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"
#include "tensor/product_kernels.h"

namespace cotangent::tensor {

// The largest number of output pixels, over all images, for which these convolutions are offered.
// With more pixels, each weight is used so often that algorithms with fewer multiplications or
// fewer gathered inputs are faster.
inline constexpr int64_t kMostPanelPixels = 1100;

class PanelConvolution : public ConvolutionImplementation {
 protected:
  // `type` is the type of both sides, f32 or bf16. If relu, results are max(0, y).
  PanelConvolution(const ConvolutionShape& shape, ElementType type, bool relu)
      : products_(ProductKernels()),
        panels_(products_, shape.out_channels),
        shape_(shape),
        bf16_(type == ElementType::kBf16),
        relu_(relu),
        threads_(Threads()) {}

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  // Returns the number of steps of a product over the input channels. A step reads 4 bytes of each
  // row of inputs: one f32, or a pair of bf16.
  int64_t channel_steps() const {
    return bf16_ ? (shape_.in_channels + 1) / 2 : shape_.in_channels;
  }

  const product_kernels::Kernels& products_;
  const Panels panels_;  // of output channels
  const ConvolutionShape shape_;
  const bool bf16_, relu_;
  const int threads_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_PANEL_CONVOLUTION_H_
