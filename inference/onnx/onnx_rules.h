// How each operation of a network's graph is written in ONNX.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_RULES_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_RULES_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/onnx/onnx_graph.h"
#include "layers/graph/graph.h"
#include "layers/plan/parameters.h"

namespace cotangent::inference {

// A graph on its way to ONNX: which value each of its tensors has become.
class OnnxNetwork {
 public:
  OnnxNetwork(const layers::Graph& graph, const layers::ParameterStore& store, OnnxGraph& onnx)
      : graph_(graph), store_(store), onnx_(onnx) {}

  const layers::Graph& graph() const { return graph_; }
  OnnxGraph& onnx() { return onnx_; }
  const layers::Shape& shape(layers::TensorId t) const { return graph_.shape(t); }

  // The name of a tensor's value. REQUIRES: it was set, or is a parameter or state.
  std::string Value(layers::TensorId t);
  void Set(layers::TensorId t, std::string value) { values_[t] = std::move(value); }

  // Numbers that need no picture: of parameters, states, constants, and what is computed elementwise
  // from such of rank 0 and 1. Empty for others.
  std::vector<float> Constant(layers::TensorId t) const;
  // A tensor of one number a channel (or of one number) that broadcasts against rank `rank`.
  std::string ChannelTensor(absl::string_view name, std::vector<float> values, int rank);

 private:
  const layers::Graph& graph_;
  const layers::ParameterStore& store_;
  OnnxGraph& onnx_;
  absl::flat_hash_map<layers::TensorId, std::string> values_;
};

// Adds the operators of one node, whose inputs' values are set, and sets those of its outputs.
absl::Status AddOnnxOperators(const layers::Node& node, OnnxNetwork& network);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_RULES_H_
