#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

// Replaces each value by the mean of the values at the same pixel over its group of channels, by a
// grouped 1x1 convolution.
absl::Status GroupMean(const Node& node, OnnxNetwork& network) {
  const int64_t groups = node.as<int64_t>(), channels = network.shape(node.inputs[0])[1];
  const int64_t size = channels / groups;
  OnnxGraph& onnx = network.onnx();
  const std::string weight =
      onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".mean")), {channels, size, 1, 1},
                  std::vector<float>(channels * size, 1.0f / static_cast<float>(size)));
  network.Set(node.outputs[0], onnx.Add("Conv", {network.Value(node.inputs[0]), weight},
                                        {OnnxGraph::Int("group", groups)}));
  return absl::OkStatus();
}

const RegisterOnnxRule group_mean("group_mean", GroupMean);

const RegisterOnnxCases cases{
    {"group_norm",
     "layer { convolution { channels: 6 kernel: 1 } } layer { group_norm { groups: 3 } }"},
};

}  // namespace
}  // namespace cotangent::inference
