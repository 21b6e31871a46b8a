// Convolutions and their gradients by the input and by the weights. The derivatives of each of the
// three operations are built from the other two.
#ifndef COTANGENT_LAYERS_OPS_CONVOLUTION_H_
#define COTANGENT_LAYERS_OPS_CONVOLUTION_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// x, w -> y = w * x, where * is the convolution. In a graph folded for inference
// (layers/plan/fold.h), the convolution also does what follows it: x, w, bias[, addend] -> y = w *
// x + bias + addend, where the addend is the other tensor of a residual sum. See also the
// attributes below.
extern const Op kConvolution;
// dy, w -> dx, the gradient by the input. It also serves as the transposed convolution.
extern const Op kConvolutionInputGradient;
// x, dy -> dw, the gradient by the weights.
extern const Op kConvolutionWeightGradient;

// The attributes of all three operations. Fields marked "forward" concern kConvolution only.
struct ConvolutionAttributes {
  tensor::ConvolutionShape shape;  // sizes of the tensors and the kernel, stride, ...
  bool relu = false;               // forward, in a folded graph: the result is max(0, y)
  // If true, the convolution is fused with a max pooling in windows of 2x2 (layers/plan/pooling.h):
  // the output of kConvolution is the pooled tensor, and a second output has the positions of the
  // maxima. The two gradients take the positions as their last input.
  bool pooled = false;
  // Forward, in a quantised graph (layers/plan/quantise.h): not null if the convolution computes
  // with 8-bit integers. The input is then a quantised tensor; so are the result and the addend,
  // unless int8->out_type is kF32.
  std::shared_ptr<const tensor::Int8Convolution> int8 = nullptr;
};

struct ConvolutionOptions {
  int64_t stride_height = 1, stride_width = 1, dilation_height = 1, dilation_width = 1, groups = 1;
  Padding padding;  // with zeros; for other modes, apply Pad() (pad.h) first
};
// Adds a convolution and returns y: x [N, C, H, W], w [O, C / groups, KH, KW] -> y [N, O, H', W'].
// The N images have C channels (O in y), and the kernel has KH rows and KW columns.
absl::StatusOr<TensorId> Convolution(Graph& graph, absl::string_view name, TensorId x, TensorId w,
                                     const ConvolutionOptions& options);
// Adds a transposed convolution and returns y: x [N, C, H, W], w [C, O / groups, KH, KW] -> y [N,
// O, H', W'], as in PyTorch, with H' = (H - 1) stride - padding + dilation (KH - 1) +
// output_padding + 1, where `padding` is the sum of both sides; W' likewise.
absl::StatusOr<TensorId> TransposedConvolution(Graph& graph, absl::string_view name, TensorId x,
                                               TensorId w, const ConvolutionOptions& options,
                                               int64_t output_padding_height,
                                               int64_t output_padding_width);
// Adds a linear layer and returns y: x [N, C, H, W] or [N, K], w [O, C H W] or [O, K] -> y [N, O].
// It is a convolution whose kernel is the whole image, so an image need not be flattened first.
absl::StatusOr<TensorId> Linear(Graph& graph, absl::string_view name, TensorId x, TensorId w);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CONVOLUTION_H_
