#include "inference/onnx/rules/pool_window.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::TensorId;

absl::Status MaxPool(const Node& node, OnnxNetwork& network) {
  const TensorId x = node.inputs[0], y = node.outputs[0];
  const layers::PoolWindow& window = node.as<layers::PoolWindow>();
  const bool is_global = IsGlobal(window, network.shape(x), network.shape(y));
  network.Set(y, is_global
                     ? network.onnx().Add("GlobalMaxPool", {network.Value(x)})
                     : network.onnx().Add("MaxPool", {network.Value(x)}, WindowAttributes(window)));
  return absl::OkStatus();
}

const RegisterOnnxRule max_pool("max_pool", MaxPool);

const RegisterOnnxCases cases{
    {"max_pool", "layer { max_pool { kernel: 3 stride: 2 pad: 1 } }"},
    {"max_pool_same", "layer { max_pool { kernel: 2 stride: 2 padding: SAME } }"},
    {"ceil", "layer { max_pool { kernel: 2 stride: 2 ceil: true } }"},
};

}  // namespace
}  // namespace cotangent::inference
