#include "layers/ops/layer_norm.h"

#include <vector>

#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

// Computes y = (x - mean) / sqrt(variance + epsilon), with the mean and the variance over all axes
// but the first or, with by_pixel, over the channels.
absl::Status LayerNorm(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const std::string x = network.Value(node.inputs[0]);
  std::vector<int64_t> axes;
  const layers::LayerNormAttributes& attributes = node.as<layers::LayerNormAttributes>();
  const int last =
      attributes.by_pixel ? 1 : static_cast<int>(network.shape(node.inputs[0]).rank()) - 1;
  for (int i = 1; i <= last; ++i) axes.push_back(i);
  const std::string centred = onnx.Add("Sub", {x, onnx.Add("ReduceMean", {x}, {{"axes", axes}})});
  const std::string squares = onnx.Add("Mul", {centred, centred});
  const std::string variance = onnx.Add("ReduceMean", {squares}, {{"axes", axes}});
  const std::string deviation = onnx.Add(
      "Sqrt", {onnx.Add("Add", {variance, onnx.Number(static_cast<float>(attributes.epsilon))})});
  network.Set(node.outputs[0], onnx.Add("Div", {centred, deviation}));
  return absl::OkStatus();
}

const RegisterOnnxRule layer_norm("layer_norm", LayerNorm);

const RegisterOnnxCases cases{
    {"layer_norm", "layer { layer_norm {} } layer { layer_norm { scale: false shift: false } }"},
    {"layer_norm_channels",
     "layer { convolution { channels: 6 kernel: 1 } } layer { layer_norm { axes: CHANNELS } }"},
};

}  // namespace
}  // namespace cotangent::inference
