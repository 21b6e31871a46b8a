#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::TensorId;

absl::Status Concat(const Node& node, OnnxNetwork& network) {
  std::vector<std::string> parts;
  for (TensorId t : node.inputs) parts.push_back(network.Value(t));
  network.Set(node.outputs[0], network.onnx().Add("Concat", parts, {OnnxGraph::Int("axis", 1)}));
  return absl::OkStatus();
}

absl::Status Slice(const Node& node, OnnxNetwork& network) {
  const int64_t begin = node.as<int64_t>();
  network.Set(node.outputs[0], network.onnx().AddSlice(network.Value(node.inputs[0]), 1, begin,
                                                       begin + network.shape(node.outputs[0])[1]));
  return absl::OkStatus();
}

const RegisterOnnxRule concat("concat", Concat), slice("slice", Slice);

const RegisterOnnxCases cases{
    {"concat",
     "layer { name: \"c\" convolution { channels: 4 kernel: 3 pad: 1 } } "
     "layer { input: \"input\" input: \"c\" input: \"input\" concat {} }"},
};

}  // namespace
}  // namespace cotangent::inference
