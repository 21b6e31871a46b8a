// How a quantised network (layers/plan/quantise.h) is written in ONNX: with QuantizeLinear and
// DequantizeLinear around its convolutions, which engines turn into convolutions of integers.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "inference/onnx/onnx_rules.h"
#include "layers/graph/graph.h"
#include "layers/plan/quantise.h"

namespace cotangent::inference {

// What a tensor's integers stand for, if it holds such.
std::optional<layers::TensorScale> ScaleOf(const layers::Graph& graph, layers::TensorId t);

// The rule of the operation "quantise".
absl::Status QuantiseRule(const layers::Node& node, OnnxNetwork& network);

// Real numbers from a tensor of integers.
std::string Dequantised(layers::TensorId t, OnnxNetwork& network);
// Weights and bias of a convolution of integers, as an operator of real numbers reads them.
std::string DequantisedWeight(const layers::Node& node, OnnxNetwork& network);
std::string DequantisedBias(const layers::Node& node, OnnxNetwork& network);
// Integers from the real numbers that a convolution with such a result made.
std::string Quantised(const layers::TensorScale& scale, const std::string& value,
                      OnnxNetwork& network);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_
