// Moves max poolings into convolutions. As in pooling.h, y is the convolution's result before
// pooling and z the pooled result; dy and dz are their cotangents.

#include "layers/plan/pooling.h"

#include <algorithm>
#include <utility>

#include "layers/graph/uses.h"
#include "layers/ops/convolution.h"
#include "layers/ops/max_pool.h"

namespace cotangent::layers {
namespace {

bool IsTwoByTwo(const PoolWindow& w) {
  return w.height == 2 && w.width == 2 && w.stride_height == 2 && w.stride_width == 2 &&
         w.padding.top == 0 && w.padding.bottom == 0 && w.padding.left == 0 && w.padding.right == 0;
}

// Puts the pooled convolution in the place of the pooling's node. The original convolution stays in
// the graph, but nothing reads its result.
void PoolForward(int pool, Graph& graph) {
  Node node = graph.producer(graph.node(pool).inputs[0]);
  node.outputs = graph.node(pool).outputs;
  ConvolutionAttributes attributes = node.as<ConvolutionAttributes>();
  attributes.pooled = true;
  node.attributes = attributes;
  graph.ReplaceNode(pool, std::move(node));
}

// Changes the gradient at node `reader`, which reads dy, so that it reads the inputs of `unpool`
// instead: dz and the positions of the maxima.
void PoolBackward(const Node& unpool, int reader, Graph& graph) {
  Node node = graph.node(reader);
  std::replace(node.inputs.begin(), node.inputs.end(), unpool.outputs[0], unpool.inputs[0]);
  node.inputs.push_back(unpool.inputs[1]);
  ConvolutionAttributes attributes = node.as<ConvolutionAttributes>();
  attributes.pooled = true;
  node.attributes = attributes;
  graph.ReplaceNode(reader, std::move(node));
}

}  // namespace

void PoolInConvolutions(absl::Span<const TensorId> results,
                        const std::function<bool(const Node&)>& can_pool, Graph& graph) {
  const Uses uses(graph, results);
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node node = graph.node(i);
    if ((node.op != kMaxPool && node.op != kMaxUnpool) || !IsTwoByTwo(node.as<PoolWindow>()))
      continue;
    if (node.op == kMaxPool) {
      const Node& before = graph.producer(node.inputs[0]);
      if (before.op == kConvolution && uses.IsOnlyFor(i, node.inputs[0]) && can_pool(before))
        PoolForward(i, graph);
      continue;
    }
    const auto is_gradient = [&](int reader) {
      const Node& r = graph.node(reader);
      const bool reads_it = (r.op == kConvolutionInputGradient && r.inputs[0] == node.outputs[0]) ||
                            (r.op == kConvolutionWeightGradient && r.inputs[1] == node.outputs[0] &&
                             r.inputs[0] != node.outputs[0]);
      return reads_it && can_pool(r);
    };
    const std::vector<int>& readers = uses.readers(node.outputs[0]);
    if (uses.IsResult(node.outputs[0]) || !std::all_of(readers.begin(), readers.end(), is_gradient))
      continue;
    for (int reader : readers) PoolBackward(node, reader, graph);
  }
}

}  // namespace cotangent::layers
