#include <string_view>

#include "inference/onnx/rules/pool_window.h"
#include "inference/onnx/rules/rule.h"
#include "layers/ops/pad.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::TensorId;

bool PadsWithZeros(const Node& node) {
  return node.op->name() == std::string_view("pad") &&
         node.as<layers::PadAttributes>().mode == layers::PadMode::kZeros;
}

absl::Status MaxPool(const Node& node, OnnxNetwork& network) {
  const TensorId x = node.inputs[0], y = node.outputs[0];
  const layers::PoolWindow& window = node.as<layers::PoolWindow>();
  const bool is_global = IsGlobal(window, network.shape(x), network.shape(y));
  if (is_global) {
    network.Set(y, network.onnx().Add("GlobalMaxPool", {network.Value(x)}));
    return absl::OkStatus();
  }
  network.Set(y, network.onnx().Add("MaxPool", {network.Value(x)}, WindowAttributes(window)));
  // ONNX Runtime (1.18 to 1.30) makes zeros around an image the padding of the pooling that reads
  // it, where they count as minus infinity. It does not if the pooling also has the output Indices.
  if (PadsWithZeros(network.graph().producer(x))) network.onnx().AddUnreadOutput();
  return absl::OkStatus();
}

const RegisterOnnxRule max_pool("max_pool", MaxPool);

const RegisterOnnxCases cases{
    {"max_pool", "layer { max_pool { kernel: 3 stride: 2 pad: 1 } }"},
    {"max_pool_same", "layer { max_pool { kernel: 2 stride: 2 padding: SAME } }"},
    {"ceil", "layer { max_pool { kernel: 2 stride: 2 ceil: true } }"},
    {"max_pool_padded", "layer { pad { pad: 1 } } layer { max_pool { kernel: 2 stride: 2 } }"},
};

}  // namespace
}  // namespace cotangent::inference
