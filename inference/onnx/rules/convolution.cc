#include "layers/ops/convolution.h"

#include "inference/onnx/rules/quantise.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::TensorId;

// Returns the name of a tensor's value as real numbers, even if it holds integers.
std::string RealValue(TensorId t, OnnxNetwork& network) {
  return ScaleOf(network.graph(), t).has_value() ? Dequantised(t, network) : network.Value(t);
}

// Adds operators for what a convolution does with the sum of its products, `value`: it adds another
// tensor (the addend), applies relu, and rounds to integers, each only if that was folded into it
// (layers/plan/fold.h, layers/plan/quantise.h).
void FinishConvolution(const Node& node, std::string value, OnnxNetwork& network) {
  constexpr size_t kAddend = 3;
  if (node.inputs.size() > kAddend)
    value = network.onnx().Add("Add", {value, RealValue(node.inputs[kAddend], network)});
  if (node.as<layers::ConvolutionAttributes>().relu) value = network.onnx().Add("Relu", {value});
  if (const auto scale = ScaleOf(network.graph(), node.outputs[0]))
    value = Quantised(*scale, value, network);
  network.Set(node.outputs[0], std::move(value));
}

absl::Status Convolution(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const TensorId x = node.inputs[0], weight = node.inputs[1];
  const bool is_int8 = node.as<layers::ConvolutionAttributes>().int8 != nullptr;
  std::vector<std::string> inputs = {
      RealValue(x, network), is_int8 ? DequantisedWeight(node, network) : network.Value(weight)};
  if (node.inputs.size() > 2)
    inputs.push_back(is_int8 ? DequantisedBias(node, network) : network.Value(node.inputs[2]));
  if (network.shape(weight).rank() == 2) {  // a linear layer
    if (network.shape(x).rank() != 2) inputs[0] = onnx.Add("Flatten", {inputs[0]});
    FinishConvolution(node, onnx.Add("Gemm", inputs, {OnnxGraph::Int("transB", 1)}), network);
    return absl::OkStatus();
  }
  const tensor::ConvolutionShape& s = node.as<layers::ConvolutionAttributes>().shape;
  FinishConvolution(node,
                    onnx.Add("Conv", inputs,
                             {{"kernel_shape", {s.kernel_height, s.kernel_width}},
                              {"strides", {s.stride_height, s.stride_width}},
                              {"dilations", {s.dilation_height, s.dilation_width}},
                              {"pads", {s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}},
                              OnnxGraph::Int("group", s.groups)}),
                    network);
  return absl::OkStatus();
}

// Computes the input gradient of a convolution, which is also what a transposed convolution does.
// The shape in the node's attributes is that of the convolution: the node reads a tensor of the
// convolution's output size.
absl::Status TransposedConvolution(const Node& node, OnnxNetwork& network) {
  const tensor::ConvolutionShape& s = node.as<layers::ConvolutionAttributes>().shape;
  const auto beyond = [](int64_t in, int64_t out, int64_t stride, int64_t kernel, int64_t dilation,
                         int64_t pads) {
    return in - ((out - 1) * stride - pads + dilation * (kernel - 1) + 1);
  };
  network.Set(node.outputs[0],
              network.onnx().Add(
                  "ConvTranspose", {network.Value(node.inputs[0]), network.Value(node.inputs[1])},
                  {{"kernel_shape", {s.kernel_height, s.kernel_width}},
                   {"strides", {s.stride_height, s.stride_width}},
                   {"dilations", {s.dilation_height, s.dilation_width}},
                   {"pads", {s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}},
                   {"output_padding",
                    {beyond(s.in_height, s.out_height(), s.stride_height, s.kernel_height,
                            s.dilation_height, s.pad_top + s.pad_bottom),
                     beyond(s.in_width, s.out_width(), s.stride_width, s.kernel_width,
                            s.dilation_width, s.pad_left + s.pad_right)}},
                   OnnxGraph::Int("group", s.groups)}));
  return absl::OkStatus();
}

const RegisterOnnxRule convolution("convolution", Convolution);
const RegisterOnnxRule transposed("convolution_input_gradient", TransposedConvolution);

const RegisterOnnxCases cases{
    {"convolution",
     "layer { convolution { channels: 8 kernel: [3, 5] stride: [2, 1] dilation: [1, 2] pad: [1, 0, "
     "2, 3] } }"},
    {"convolution_same", "layer { convolution { channels: 4 kernel: 3 stride: 2 padding: SAME } }"},
    {"convolution_groups",
     "layer { convolution { channels: 6 kernel: 3 groups: 3 } } "
     "layer { convolution { channels: 6 kernel: 5 pad: 2 groups: 6 } }"},
    {"convolution_circular",
     "layer { convolution { channels: 4 kernel: 3 pad: 1 padding_mode: CIRCULAR } }"},
    {"convolution_reflect",
     "layer { convolution { channels: 4 kernel: 3 pad: 1 padding_mode: REFLECT } }"},
    {"transposed_convolution",
     "layer { transposed_convolution { channels: 4 kernel: 3 stride: 2 pad: 1 output_padding: 1 } "
     "}"},
    {"transposed_convolution_groups",
     "layer { transposed_convolution { channels: 6 kernel: [2, 3] stride: [1, 3] groups: 3 "
     "dilation: 2 } }"},
    {"branches",
     "layer { name: \"stem\" convolution { channels: 5 kernel: 3 pad: 1 } } "
     "layer { name: \"a\" convolution { channels: 5 kernel: 3 pad: 1 } } layer { name: \"bn\" "
     "batch_norm {} } "
     "layer { name: \"b\" input: \"stem\" convolution { channels: 5 kernel: 1 } } "
     "layer { input: \"bn\" input: \"b\" input: \"stem\" add {} }"},
};

}  // namespace
}  // namespace cotangent::inference
