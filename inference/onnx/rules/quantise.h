// Writes quantised networks (layers/plan/quantise.h) in ONNX. A quantised convolution becomes an
// ONNX convolution of real numbers between DequantizeLinear and QuantizeLinear; inference engines
// recognise the three and compute one convolution of integers.
#ifndef COTANGENT_INFERENCE_ONNX_RULES_QUANTISE_H_
#define COTANGENT_INFERENCE_ONNX_RULES_QUANTISE_H_

#include <optional>
#include <string>

#include "inference/onnx/onnx_network.h"
#include "layers/graph/graph.h"
#include "layers/plan/quantise.h"

namespace cotangent::inference {

// Returns the scale of a tensor that holds integers (number = scale * integer); nullopt for others.
std::optional<layers::TensorScale> ScaleOf(const layers::Graph& graph, layers::TensorId t);

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

#endif  // COTANGENT_INFERENCE_ONNX_RULES_QUANTISE_H_
