#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::Shape;
using layers::TensorId;

// Turns an image's pixels into the rows of one matrix per attention head: [batch, heads, pixels,
// channels / heads].
std::string Tokens(TensorId image, int64_t heads, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const Shape& s = network.shape(image);
  const std::string columns = onnx.Add(
      "Reshape", {network.Value(image), onnx.Integers({0, heads, s[1] / heads, s[2] * s[3]})});
  return onnx.Add("Transpose", {columns}, {{"perm", {0, 1, 3, 2}}});
}

absl::Status TokenScores(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const int64_t heads = node.as<int64_t>();
  const std::string b =
      onnx.Add("Transpose", {Tokens(node.inputs[1], heads, network)}, {{"perm", {0, 1, 3, 2}}});
  const std::string scores = onnx.Add("MatMul", {Tokens(node.inputs[0], heads, network), b});
  network.Set(
      node.outputs[0],
      onnx.Add("Reshape", {scores, onnx.Integers({-1, network.shape(node.outputs[0])[1]})}));
  return absl::OkStatus();
}

absl::Status TokenMix(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const int64_t heads = node.as<int64_t>(), pixels = network.shape(node.inputs[0])[1];
  const Shape& y = network.shape(node.outputs[0]);
  const std::string weights = onnx.Add(
      "Reshape", {network.Value(node.inputs[0]), onnx.Integers({-1, heads, pixels, pixels})});
  const std::string mixed = onnx.Add("MatMul", {weights, Tokens(node.inputs[1], heads, network)});
  const std::string columns = onnx.Add("Transpose", {mixed}, {{"perm", {0, 1, 3, 2}}});
  network.Set(node.outputs[0],
              onnx.Add("Reshape", {columns, onnx.Integers({0, y[1], y[2], y[3]})}));
  return absl::OkStatus();
}

const RegisterOnnxRule token_scores("token_scores", TokenScores);
const RegisterOnnxRule token_mix("token_mix", TokenMix);

const RegisterOnnxCases cases{
    {"attention",
     "layer { convolution { channels: 6 kernel: 3 stride: 2 } } layer { position {} } "
     "layer { attention { heads: 2 } } layer { drop_path { rate: 0.2 } }"},
};

}  // namespace
}  // namespace cotangent::inference
