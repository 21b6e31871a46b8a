// Writes quantised networks (layers/plan/quantise.h) in ONNX. A quantised convolution becomes an
// ONNX convolution of real numbers between DequantizeLinear and QuantizeLinear; inference engines
// recognise the three and compute one convolution of integers.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "inference/onnx/onnx_rules.h"
#include "layers/graph/graph.h"
#include "layers/plan/quantise.h"

namespace cotangent::inference {

// Returns the scale of a tensor that holds integers (number = scale * integer); nullopt for others.
std::optional<layers::TensorScale> ScaleOf(const layers::Graph& graph, layers::TensorId t);

// Adds the ONNX operators of the graph operation "quantise", which rounds real numbers to integers.
// The table of onnx_rules.cc lists this function.
absl::Status QuantiseRule(const layers::Node& node, OnnxNetwork& network);

// Adds an operator that turns a tensor of integers into real numbers; returns the name of the
// result.
std::string Dequantised(layers::TensorId t, OnnxNetwork& network);
// Add an integer convolution's weights or bias as constant integers, and an operator that turns
// them into real numbers; return the name of its result.
std::string DequantisedWeight(const layers::Node& node, OnnxNetwork& network);
std::string DequantisedBias(const layers::Node& node, OnnxNetwork& network);
// Adds an operator that rounds real numbers to integers with this scale; returns the name of the
// result.
std::string Quantised(const layers::TensorScale& scale, const std::string& value,
                      OnnxNetwork& network);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_INT8_H_
