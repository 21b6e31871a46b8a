#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

absl::Status Softmax(const Node& node, OnnxNetwork& network) {
  network.Set(node.outputs[0], network.onnx().Add("Softmax", {network.Value(node.inputs[0])},
                                                  {OnnxGraph::Int("axis", 1)}));
  return absl::OkStatus();
}

const RegisterOnnxRule softmax("softmax", Softmax);

const RegisterOnnxCases cases{
    {"softmax",
     "input { height: 6 width: 5 channels: 1 } layer { linear {} } layer { softmax {} } "
     "loss { mean_squared_error {} }",
     /*is_whole=*/true},
};

}  // namespace
}  // namespace cotangent::inference
