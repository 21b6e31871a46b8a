#include <vector>

#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

absl::Status Reshape(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const layers::Shape& y = network.shape(node.outputs[0]);
  std::vector<int64_t> shape(y.begin(), y.end());
  // Constant tensors have no batch dimension, so a constant is added in its new shape.
  if (const std::vector<float> known = network.Constant(node.inputs[0]); !known.empty()) {
    network.Set(
        node.outputs[0],
        onnx.Tensor(onnx.Unique(network.graph().tensor(node.inputs[0]).name), shape, known));
    return absl::OkStatus();
  }
  shape[0] = 0;  // the batch, as in the input
  const std::string x = network.Value(node.inputs[0]);
  network.Set(node.outputs[0], shape.size() == 2 ? onnx.Add("Flatten", {x})
                                                 : onnx.Add("Reshape", {x, onnx.Integers(shape)}));
  return absl::OkStatus();
}

const RegisterOnnxRule reshape("reshape", Reshape);

const RegisterOnnxCases cases{
    {"flatten", "layer { flatten {} } layer { linear { features: 7 } }"},
};

}  // namespace
}  // namespace cotangent::inference
