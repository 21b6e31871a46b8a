#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::Shape;

// Writes the reordering of channels as Reshape, Transpose, Reshape: the channels are regarded as a
// matrix [groups, channels / groups], which is transposed.
absl::Status ChannelShuffle(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const Shape& shape = network.shape(node.inputs[0]);
  const int64_t groups = node.as<int64_t>(), channels = shape[1];
  const std::string rows =
      onnx.Add("Reshape", {network.Value(node.inputs[0]),
                           onnx.Integers({0, groups, channels / groups, shape[2], shape[3]})});
  const std::string columns = onnx.Add("Transpose", {rows}, {{"perm", {0, 2, 1, 3, 4}}});
  network.Set(node.outputs[0],
              onnx.Add("Reshape", {columns, onnx.Integers({0, channels, shape[2], shape[3]})}));
  return absl::OkStatus();
}

const RegisterOnnxRule channel_shuffle("channel_shuffle", ChannelShuffle);

const RegisterOnnxCases cases{
    {"channel_shuffle",
     "layer { convolution { channels: 6 kernel: 1 } } layer { channel_shuffle { groups: 3 } } "
     "layer { slice { begin: 1 channels: 4 } }"},
};

}  // namespace
}  // namespace cotangent::inference
