#include "layers/graph/jvp.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/graph/uses.h"

namespace cotangent::layers {
namespace {

// Adds nodes to the graph that will compute the tangents of `outputs` along `given`, and returns
// these tangents (kNoTensor for a tangent that is zero). given[i] is the tangent of
// with_respect_to[i]. Applies the derivative rule (Jvp()) of each node in the order of the graph;
// skips a node if all tangents of its inputs are zero, or if no tensor in `outputs` depends on any
// of its outputs except those whose tangent is given.
absl::StatusOr<std::vector<TensorId>> Forward(Graph& graph, absl::Span<const TensorId> outputs,
                                              absl::Span<const TensorId> with_respect_to,
                                              absl::Span<const TensorId> given) {
  const Uses uses(graph, outputs);
  std::vector<TensorId> tangents(graph.num_tensors(), kNoTensor);  // kNoTensor: the tangent is zero
  std::vector<bool> is_given(graph.num_tensors(), false);
  for (size_t i = 0; i < with_respect_to.size(); ++i)
    tangents[with_respect_to[i]] = given[i], is_given[with_respect_to[i]] = true;
  const int count = static_cast<int>(graph.nodes().size());
  for (int i = 0; i < count; ++i) {
    const Node node = graph.node(i);  // a copy, because the rules add nodes to the graph
    std::vector<TensorId> inputs;
    std::vector<bool> wanted;
    bool reached = false, needed = false;
    for (TensorId input : node.inputs) {
      inputs.push_back(tangents[input]);
      reached = reached || inputs.back() != kNoTensor;
    }
    for (TensorId output : node.outputs) {
      wanted.push_back(uses.IsWanted(output));
      needed = needed || (wanted.back() && !is_given[output]);
    }
    if (!reached || !needed) continue;
    ForwardRule rule(graph, node, std::move(inputs), std::move(wanted));
    RETURN_IF_ERROR(node.op->Jvp(rule));
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      if (!is_given[node.outputs[k]]) tangents[node.outputs[k]] = rule.made[k];
    }
  }
  std::vector<TensorId> results;
  for (TensorId t : outputs) results.push_back(t == kNoTensor ? kNoTensor : tangents[t]);
  return results;
}

}  // namespace

absl::StatusOr<std::vector<TensorId>> JacobianVectorProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> with_respect_to,
    absl::Span<const TensorId> tangents) {
  if (with_respect_to.size() != tangents.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        with_respect_to.size(), " tensors need as many tangents; found ", tangents.size()));
  }
  for (size_t i = 0; i < tangents.size(); ++i) {
    if (graph.shape(tangents[i]) == graph.shape(with_respect_to[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the tangent of '", graph.tensor(with_respect_to[i]).name, "' ",
                     graph.shape(with_respect_to[i]).ToString(), " has shape ",
                     graph.shape(tangents[i]).ToString()));
  }
  return Forward(graph, outputs, with_respect_to, tangents);
}

}  // namespace cotangent::layers
