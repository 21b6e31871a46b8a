// Computes a graph with plain loops over any scalar type. Tests compare its results with those of
// plans: graphs compiled for this machine (layers/plan/plan.h).
//
// This reference implementation shares no code with the plans that it checks: no kernels, no
// fusion, no layouts. With double it checks the values that a plan computes. With dual numbers or
// reverse-mode variables it differentiates the loops themselves, which checks the derivative graphs
// of vjp.h and jvp.h.
//
//   ReferenceEvaluator<double> reference(graph);
//   reference.Give(images, pixels);
//   reference.GiveLabels(labels, {3, 1});
//   reference.Give(weight, values);
//   absl::Status status = reference.Compute({loss});
//   double value = reference.values(loss)[0];
//
// T is double, or one of the types Dual and Tape::Var of layers/graph/operation.h.
#ifndef COTANGENT_LAYERS_GRAPH_REFERENCE_H_
#define COTANGENT_LAYERS_GRAPH_REFERENCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "layers/graph/operation.h"
#include "layers/graph/uses.h"

namespace cotangent::layers {

// Evaluates a graph. The values of all tensors are row-major; images are [N, C, H, W].
template <class T>
class ReferenceEvaluator {
 public:
  using Values = std::vector<T>;

  explicit ReferenceEvaluator(const Graph& graph)
      : graph_(graph),
        evaluation_{.graph = graph,
                    .values = std::vector<Values>(graph.num_tensors()),
                    .indices = std::vector<std::vector<int64_t>>(graph.num_tensors())} {}

  // Sets the values of a tensor. Inputs, parameters, states and dropout masks that the results
  // depend on must be set. If the first output of any other node is set, the node is not computed,
  // so all its outputs that are read must be set.
  void Give(TensorId t, Values values) { evaluation_.values[t] = std::move(values); }
  // Sets the class numbers, from 0, of a label tensor.
  void GiveLabels(TensorId t, const std::vector<int64_t>& labels) {
    evaluation_.indices[t] = labels;
  }

  // Computes those of `results`, and of the tensors from which they are computed, that were not
  // set. Returns an error if a leaf that is needed (a tensor whose values are given from outside)
  // has no values, or if a tensor that an operation reads has the wrong number of values.
  absl::Status Compute(absl::Span<const TensorId> results);

  // Returns the values of a tensor that was given or computed.
  const Values& values(TensorId t) const { return evaluation_.values[t]; }
  // If t is the second output of a max pooling, returns for each element of the pooled tensor the
  // row-major index (from 0) within its window of the cell that holds the maximum.
  const std::vector<int64_t>& positions(TensorId t) const { return evaluation_.indices[t]; }

 private:
  // Returns the number of values that tensor t has so far; 0 if it was neither given nor computed.
  int64_t Count(TensorId t) const {
    return static_cast<int64_t>(evaluation_.values[t].size() + evaluation_.indices[t].size());
  }

  const Graph& graph_;
  Evaluation<T> evaluation_;
};

template <class T>
absl::Status ReferenceEvaluator<T>::Compute(absl::Span<const TensorId> results) {
  const Uses uses(graph_, results, [&](const Node& node) { return Count(node.outputs[0]) > 0; });
  for (int i = 0; i < static_cast<int>(graph_.nodes().size()); ++i) {
    if (!uses.IsNeeded(i)) continue;
    const Node& node = graph_.node(i);
    for (TensorId t : node.inputs) {
      if (Count(t) == graph_.shape(t).NumElements()) continue;
      return absl::InvalidArgumentError(absl::StrCat("'", graph_.tensor(t).name, "' has ", Count(t),
                                                     " values; its shape is ",
                                                     graph_.shape(t).ToString()));
    }
    if (absl::Status status = node.op->Evaluate(node, evaluation_); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_REFERENCE_H_
