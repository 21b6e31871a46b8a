#include "layers/ops/resample.h"

#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

// Computes row weights * image * column weights^T for each channel, where the two matrices hold the
// interpolation weights along each axis.
absl::Status Resample(const Node& node, OnnxNetwork& network) {
  const auto& weights = node.as<layers::ResampleAttributes>();
  OnnxGraph& onnx = network.onnx();
  const auto matrix = [&](const char* name, const layers::AxisWeights& axis, bool transposed) {
    const int64_t to = static_cast<int64_t>(axis.terms.size());
    std::vector<float> values(to * axis.from, 0.0f);
    for (int64_t i = 0; i < to; ++i) {
      for (const auto& term : axis.terms[i])
        values[transposed ? term.from * to + i : i * axis.from + term.from] +=
            static_cast<float>(term.weight);
    }
    return onnx.Tensor(
        onnx.Unique(absl::StrCat(node.name, name)),
        transposed ? std::vector<int64_t>{axis.from, to} : std::vector<int64_t>{to, axis.from},
        values);
  };
  const std::string wide = onnx.Add(
      "MatMul", {network.Value(node.inputs[0]), matrix(".columns", weights.columns, true)});
  network.Set(node.outputs[0], onnx.Add("MatMul", {matrix(".rows", weights.rows, false), wide}));
  return absl::OkStatus();
}

const RegisterOnnxRule resample("resample", Resample);

const RegisterOnnxCases cases{
    {"resize",
     "layer { resize { times: 2 } } layer { resize { size: [7, 13] mode: BILINEAR } } "
     "layer { adaptive_average_pool { size: [3, 4] } }"},
};

}  // namespace
}  // namespace cotangent::inference
