#include "layers/plan/pooling.h"

#include <algorithm>
#include <utility>

namespace cotangent::layers {
namespace {

bool IsTwoByTwo(const PoolWindow& w) {
  return w.height == 2 && w.width == 2 && w.stride_height == 2 && w.stride_width == 2 &&
         w.padding.top == 0 && w.padding.bottom == 0 && w.padding.left == 0 && w.padding.right == 0;
}

// The nodes that read each tensor, of those that the results need; -1 stands for whoever wants a
// result.
std::vector<std::vector<int>> ReadersOf(const Graph& graph, absl::Span<const TensorId> results) {
  std::vector<std::vector<int>> readers(graph.num_tensors());
  std::vector<bool> needed(graph.nodes().size());
  for (TensorId t : results) {
    readers[t].push_back(-1);
    needed[graph.tensor(t).node] = true;
  }
  for (int i = static_cast<int>(graph.nodes().size()) - 1; i >= 0; --i) {
    if (!needed[i]) continue;
    for (TensorId t : graph.node(i).inputs) {
      readers[t].push_back(i);
      needed[graph.tensor(t).node] = true;
    }
  }
  return readers;
}

// The pooling's node becomes the convolution, which is needed no more where it was.
void PoolForward(int pool, Graph& graph) {
  Node node = graph.producer(graph.node(pool).inputs[0]);
  node.outputs = graph.node(pool).outputs;
  node.attributes.pooled = true;
  graph.ReplaceNode(pool, std::move(node));
}

// A gradient that read dy reads what dy is made from.
void PoolBackward(const Node& unpool, int reader, Graph& graph) {
  Node node = graph.node(reader);
  std::replace(node.inputs.begin(), node.inputs.end(), unpool.outputs[0], unpool.inputs[0]);
  node.inputs.push_back(unpool.inputs[1]);
  node.attributes.pooled = true;
  graph.ReplaceNode(reader, std::move(node));
}

}  // namespace

void PoolInConvolutions(absl::Span<const TensorId> results,
                        const std::function<bool(const Node&)>& can_pool, Graph& graph) {
  const std::vector<std::vector<int>> readers = ReadersOf(graph, results);
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node node = graph.node(i);
    if ((node.op != Op::kMaxPool && node.op != Op::kMaxUnpool) ||
        !IsTwoByTwo(node.attributes.window))
      continue;
    if (node.op == Op::kMaxPool) {
      const Node& before = graph.producer(node.inputs[0]);
      if (before.op == Op::kConvolution && readers[node.inputs[0]] == std::vector<int>{i} &&
          can_pool(before))
        PoolForward(i, graph);
      continue;
    }
    const auto is_gradient = [&](int reader) {
      if (reader < 0) return false;
      const Node& r = graph.node(reader);
      const bool reads_it =
          (r.op == Op::kConvolutionInputGradient && r.inputs[0] == node.outputs[0]) ||
          (r.op == Op::kConvolutionWeightGradient && r.inputs[1] == node.outputs[0] &&
           r.inputs[0] != node.outputs[0]);
      return reads_it && can_pool(r);
    };
    const std::vector<int>& uses = readers[node.outputs[0]];
    if (!std::all_of(uses.begin(), uses.end(), is_gradient)) continue;
    for (int reader : uses) PoolBackward(node, reader, graph);
  }
}

}  // namespace cotangent::layers
