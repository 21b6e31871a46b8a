// Convolutions and their two gradients, each of which is made of the other two.
#ifndef COTANGENT_LAYERS_OPS_CONVOLUTION_H_
#define COTANGENT_LAYERS_OPS_CONVOLUTION_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// x, w -> y; in a folded graph (plan/fold.h) x, w, bias[, addend] -> w * x + bias + addend.
extern const Op kConvolution;
// dy, w -> dx; also the transposed convolution.
extern const Op kConvolutionInputGradient;
// x, dy -> dw.
extern const Op kConvolutionWeightGradient;

// The attributes of all three.
struct ConvolutionAttributes {
  tensor::ConvolutionShape shape;  // the whole geometry
  bool relu = false;               // forward, in a folded graph: max(0, y) instead of y
  // Max-pooled in windows of 2x2 (plan/pooling.h): forward has a second output, the positions of the
  // maxima; the gradients take it as their last input.
  bool pooled = false;
  // Forward, in a quantised graph (plan/quantise.h): input, and addend if any, are quantised
  // tensors, and so is the result unless int8->out_type is kF32.
  std::shared_ptr<const tensor::Int8Convolution> int8 = nullptr;
};

struct ConvolutionOptions {
  int64_t stride_height = 1, stride_width = 1, dilation_height = 1, dilation_width = 1, groups = 1;
  Padding padding;  // of zeros; other modes are a Pad before
};
// x [N, C, H, W], w [O, C / groups, KH, KW] -> [N, O, H', W'].
absl::StatusOr<TensorId> Convolution(Graph& graph, absl::string_view name, TensorId x, TensorId w,
                                     const ConvolutionOptions& options);
// Transposed convolution: x [N, C, H, W], w [C, O / groups, KH, KW] (as PyTorch's) -> [N, O, H', W']
// with H' = (H - 1) stride - padding + dilation (KH - 1) + output_padding + 1.
absl::StatusOr<TensorId> TransposedConvolution(Graph& graph, absl::string_view name, TensorId x,
                                               TensorId w, const ConvolutionOptions& options,
                                               int64_t output_padding_height,
                                               int64_t output_padding_width);
// The convolution whose kernel is the whole image: x [N, C, H, W] or [N, K], w [O, C H W] -> [N, O].
// A flattening before it is not needed.
absl::StatusOr<TensorId> Linear(Graph& graph, absl::string_view name, TensorId x, TensorId w);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CONVOLUTION_H_
