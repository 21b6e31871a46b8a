// Who makes and who reads a tensor, of all that some results need: the one traversal that fusion,
// pooling, folding, forward mode and the reference share.
#ifndef COTANGENT_LAYERS_GRAPH_USES_H_
#define COTANGENT_LAYERS_GRAPH_USES_H_

#include <vector>

#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

class Uses {
 public:
  // Nodes that `is_known` says of need not be computed, nor what only they read. Results may be
  // kNoTensor.
  template <class IsKnown>
  Uses(const Graph& graph, absl::Span<const TensorId> results, IsKnown is_known)
      : needed_(graph.nodes().size(), false),
        is_result_(graph.num_tensors(), false),
        readers_(graph.num_tensors()) {
    for (TensorId t : results) {
      if (t != kNoTensor) is_result_[t] = needed_[graph.tensor(t).node] = true;
    }
    for (int i = static_cast<int>(needed_.size()) - 1; i >= 0; --i) {
      const Node& node = graph.node(i);
      needed_[i] = needed_[i] && !is_known(node);
      if (!needed_[i]) continue;
      for (TensorId t : node.inputs) {
        readers_[t].push_back(i);
        needed_[graph.tensor(t).node] = true;
      }
    }
  }
  Uses(const Graph& graph, absl::Span<const TensorId> results)
      : Uses(graph, results, [](const Node&) { return false; }) {}

  bool IsNeeded(int node) const { return needed_[node]; }
  bool IsResult(TensorId t) const { return is_result_[t]; }
  // The needed nodes that read t, the last first; twice what reads it twice.
  const std::vector<int>& readers(TensorId t) const { return readers_[t]; }
  // Whether anybody wants t itself, rather than another output of its node.
  bool IsWanted(TensorId t) const { return is_result_[t] || !readers_[t].empty(); }
  // Whether that node, and nobody else, wants t.
  bool IsOnlyFor(int node, TensorId t) const {
    return !is_result_[t] && readers_[t].size() == 1 && readers_[t][0] == node;
  }

 private:
  std::vector<bool> needed_, is_result_;
  std::vector<std::vector<int>> readers_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_USES_H_
