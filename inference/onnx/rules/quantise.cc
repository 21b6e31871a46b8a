#include "inference/onnx/rules/quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "layers/ops/quantise.h"
#include "tensor/convolution.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::TensorId;
using layers::TensorScale;

const tensor::Int8Convolution* Int8Of(const Node& node) {
  return node.op == layers::kConvolution ? node.as<layers::ConvolutionAttributes>().int8.get()
                                         : nullptr;
}

// Returns the name of a constant 0 of type INT8 (if `is_signed`) or UINT8: the zero point of all
// quantised tensors, since a number is scale * integer, without an offset.
std::string ZeroPoint(bool is_signed, OnnxNetwork& network) {
  const uint8_t zero = 0;
  return network.onnx().Typed(is_signed ? "zero.s8" : "zero.u8", {},
                              is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8, &zero,
                              sizeof(zero));
}

// Adds a DequantizeLinear operator for constant integers, with one scale per row (first dimension).
template <typename T>
std::string DequantisedRows(const std::string& name, const std::vector<int64_t>& shape, int type,
                            const std::vector<T>& integers, const std::vector<float>& scales,
                            OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const auto rows = static_cast<int64_t>(scales.size());
  const std::vector<T> zeros(scales.size(), 0);
  const std::string values =
      onnx.Typed(name, shape, type, integers.data(), integers.size() * sizeof(T));
  const std::string scale = onnx.Tensor(absl::StrCat(name, ".scale"), {rows}, scales);
  const std::string zero =
      onnx.Typed(absl::StrCat(name, ".zero"), {rows}, type, zeros.data(), zeros.size() * sizeof(T));
  return onnx.Add("DequantizeLinear", {values, scale, zero}, {OnnxGraph::Int("axis", 0)});
}

}  // namespace

std::optional<TensorScale> ScaleOf(const layers::Graph& graph, TensorId t) {
  const Node& node = graph.producer(t);
  if (node.op == layers::kQuantise) {
    const auto& attributes = node.as<layers::QuantiseAttributes>();
    return TensorScale{attributes.scale, attributes.is_signed};
  }
  const tensor::Int8Convolution* const int8 = Int8Of(node);
  if (int8 == nullptr || int8->out_type == ElementType::kF32) return std::nullopt;
  return TensorScale{int8->out_scale, int8->out_type == ElementType::kS8};
}

std::string Quantised(const TensorScale& scale, const std::string& value, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  return onnx.Add("QuantizeLinear",
                  {value, onnx.Number(scale.scale), ZeroPoint(scale.is_signed, network)});
}

std::string Dequantised(TensorId t, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const TensorScale scale = *ScaleOf(network.graph(), t);
  return onnx.Add("DequantizeLinear", {network.Value(t), onnx.Number(scale.scale),
                                       ZeroPoint(scale.is_signed, network)});
}

std::string DequantisedWeight(const Node& node, OnnxNetwork& network) {
  const TensorId weight = node.inputs[1];
  const std::vector<float> values = network.Constant(weight);
  const std::vector<float>& scales = Int8Of(node)->weight_scales;
  const size_t columns = values.size() / scales.size();
  std::vector<int8_t> integers;
  for (size_t i = 0; i < values.size(); ++i)
    integers.push_back(tensor::RoundedWeight(values[i], scales[i / columns]));
  const layers::Shape& shape = network.shape(weight);
  return DequantisedRows(network.graph().tensor(weight).name, {shape.begin(), shape.end()},
                         onnx::TensorProto::INT8, integers, scales, network);
}

std::string DequantisedBias(const Node& node, OnnxNetwork& network) {
  const std::vector<float> values = network.Constant(node.inputs[2]);
  const tensor::Int8Convolution& int8 = *Int8Of(node);
  // The bias is quantised with the scale of the sums of products, because inference engines add it
  // to these sums before they rescale them.
  std::vector<float> scales;
  std::vector<int32_t> integers;
  for (size_t o = 0; o < values.size(); ++o) {
    scales.push_back(int8.in_scale * int8.weight_scales[o]);
    const double limit = std::numeric_limits<int32_t>::max();
    integers.push_back(static_cast<int32_t>(
        std::clamp(std::nearbyint(double{values[o]} / scales[o]), -limit, limit)));
  }
  return DequantisedRows(absl::StrCat(node.name, ".bias"), {static_cast<int64_t>(values.size())},
                         onnx::TensorProto::INT32, integers, scales, network);
}

namespace {

// Rounds real numbers to integers.
absl::Status Quantise(const Node& node, OnnxNetwork& network) {
  network.Set(node.outputs[0], Quantised(*ScaleOf(network.graph(), node.outputs[0]),
                                         network.Value(node.inputs[0]), network));
  return absl::OkStatus();
}

const RegisterOnnxRule quantise("quantise", Quantise);

}  // namespace

}  // namespace cotangent::inference
