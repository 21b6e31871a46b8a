// Finds which nodes some tensors of a graph, the results, depend on (the needed nodes), and which
// of those nodes read each tensor. Code that rewrites or schedules graphs (layers/plan/), forward
// mode (jvp.h) and the reference evaluator (reference.h) share this traversal.
#ifndef COTANGENT_LAYERS_GRAPH_USES_H_
#define COTANGENT_LAYERS_GRAPH_USES_H_

#include <vector>

#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

class Uses {
 public:
  // `is_known(node)` returns whether a node's outputs are available already. If they are, that node
  // is not needed, nor are the nodes whose outputs are no results and are read only by nodes that
  // are not needed. `results` may contain kNoTensor.
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
        // A leaf (an operation without inputs, such as a parameter) may have a higher index than a
        // node that reads it, because Graph::ReplaceNode() allows that. The loop has passed such a
        // leaf already, so is_known() is asked here.
        const int maker = graph.tensor(t).node;
        needed_[maker] = maker < i || !is_known(graph.node(maker));
      }
    }
  }
  Uses(const Graph& graph, absl::Span<const TensorId> results)
      : Uses(graph, results, [](const Node&) { return false; }) {}

  bool IsNeeded(int node) const { return needed_[node]; }
  bool IsResult(TensorId t) const { return is_result_[t]; }
  // Returns the indices of the needed nodes that read t, in descending order. A node that reads t
  // twice appears twice.
  const std::vector<int>& readers(TensorId t) const { return readers_[t]; }
  // Returns whether t itself is a result or read by a needed node, and not only another output of
  // the same node.
  bool IsWanted(TensorId t) const { return is_result_[t] || !readers_[t].empty(); }
  // Returns whether t is no result, and the node with index `node` reads t exactly once and no
  // other needed node reads it.
  bool IsOnlyFor(int node, TensorId t) const {
    return !is_result_[t] && readers_[t].size() == 1 && readers_[t][0] == node;
  }

 private:
  std::vector<bool> needed_, is_result_;
  std::vector<std::vector<int>> readers_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_USES_H_
