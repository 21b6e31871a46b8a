#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/pool_window.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::Shape;
using layers::TensorId;

absl::Status AveragePool(const Node& node, OnnxNetwork& network) {
  const TensorId x = node.inputs[0], y = node.outputs[0];
  const layers::PoolWindow& window = node.as<layers::PoolWindow>();
  if (IsGlobal(window, network.shape(x), network.shape(y))) {
    network.Set(y, network.onnx().Add("GlobalAveragePool", {network.Value(x)}));
    return absl::OkStatus();
  }
  std::vector<OnnxGraph::Attribute> attributes = WindowAttributes(window);
  attributes.push_back(OnnxGraph::Int("count_include_pad", window.count_padding ? 1 : 0));
  network.Set(y, network.onnx().Add("AveragePool", {network.Value(x)}, attributes));
  return absl::OkStatus();
}

// Divides the one value of each image and channel evenly among the pixels of the image.
absl::Status AverageUnpool(const Node& node, OnnxNetwork& network) {
  const Shape& y = network.shape(node.outputs[0]);
  OnnxGraph& onnx = network.onnx();
  const std::string shares =
      onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".shares")), {1, 1, y[2], y[3]},
                  std::vector<float>(y[2] * y[3], 1.0f / static_cast<float>(y[2] * y[3])));
  network.Set(node.outputs[0], onnx.Add("Mul", {network.Value(node.inputs[0]), shares}));
  return absl::OkStatus();
}

const RegisterOnnxRule average_pool("average_pool", AveragePool);
const RegisterOnnxRule average_unpool("average_unpool", AverageUnpool);

const RegisterOnnxCases cases{
    {"average_pool", "layer { average_pool { kernel: [2, 3] stride: [1, 2] pad: 1 } }"},
    {"average_pool_inside",
     "layer { average_pool { kernel: 3 stride: 2 pad: 1 count_padding: false } }"},
    {"global_pools",
     "layer { name: \"a\" global_average_pool {} } layer { name: \"b\" input: \"input\" "
     "global_max_pool {} } "
     "layer { input: \"a\" input: \"b\" concat {} }"},
};

}  // namespace
}  // namespace cotangent::inference
