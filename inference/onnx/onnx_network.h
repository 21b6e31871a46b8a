// A graph that is being written in ONNX: which ONNX value each of its tensors is.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_NETWORK_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_NETWORK_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "inference/onnx/onnx_graph.h"
#include "layers/graph/graph.h"
#include "layers/plan/parameters.h"

namespace cotangent::inference {

// A graph that is being written in ONNX, with the name of the ONNX value for each of its tensors.
class OnnxNetwork {
 public:
  OnnxNetwork(const layers::Graph& graph, const layers::ParameterStore& store, OnnxGraph& onnx)
      : graph_(graph), store_(store), onnx_(onnx) {}

  const layers::Graph& graph() const { return graph_; }
  OnnxGraph& onnx() { return onnx_; }
  const layers::Shape& shape(layers::TensorId t) const { return graph_.shape(t); }

  // Returns the name of a tensor's ONNX value; adds it to the ONNX graph if it is a constant not
  // added yet. REQUIRES: Set() was called for the tensor, or Constant() returns its numbers.
  std::string Value(layers::TensorId t);
  void Set(layers::TensorId t, std::string value) { values_[t] = std::move(value); }

  // Returns a tensor's numbers if they do not depend on the network's input: those of parameters,
  // states (running means and variances of batch normalisation) and constants, and those of tensors
  // of rank 0 or 1 that are computed elementwise from such tensors. Returns an empty vector for
  // other tensors.
  std::vector<float> Constant(layers::TensorId t) const;
  // Adds a constant tensor of one number per channel (or of one number) that broadcasts with
  // tensors of rank `rank`, 2 or more; returns its name.
  std::string ChannelTensor(absl::string_view name, const std::vector<float>& values, int rank);

 private:
  const layers::Graph& graph_;
  const layers::ParameterStore& store_;
  OnnxGraph& onnx_;
  absl::flat_hash_map<layers::TensorId, std::string> values_;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_NETWORK_H_
