#include "layers/ops/local_response_norm.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

// Sums over neighbouring channels by a 1x1 convolution with weights 0 and 1.
absl::Status ChannelWindowSum(const Node& node, OnnxNetwork& network) {
  const auto& window = node.as<layers::ChannelWindow>();
  const int64_t channels = network.shape(node.inputs[0])[1];
  std::vector<float> weights(channels * channels, 0.0f);
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t last = std::min(channels - 1, c + window.after);
    for (int64_t k = std::max<int64_t>(0, c - window.before); k <= last; ++k)
      weights[c * channels + k] = 1;
  }
  OnnxGraph& onnx = network.onnx();
  const std::string band = onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".window")),
                                       {channels, channels, 1, 1}, weights);
  network.Set(node.outputs[0], onnx.Add("Conv", {network.Value(node.inputs[0]), band}));
  return absl::OkStatus();
}

const RegisterOnnxRule channel_window_sum("channel_window_sum", ChannelWindowSum);

const RegisterOnnxCases cases{
    {"local_response_norm", "layer { local_response_norm { size: 3 } }"},
};

}  // namespace
}  // namespace cotangent::inference
