// A graph computed by plain loops over any scalar type: the truth that compiled plans are held
// against.
//
// Nothing here is shared with what it checks: neither kernels nor fusion nor layouts. Run with
// double it checks the forward values of a plan; run with reverse-mode variables or dual numbers,
// its derivatives check the gradient that vjp.h builds as a graph, itself computed here in double
// or by a plan.
//
//   ReferenceEvaluator<double> reference(graph);
//   reference.Give(images, pixels);
//   reference.GiveLabels(labels, {3, 1});
//   reference.Give(weight, values);
//   absl::Status status = reference.Compute({loss});
//   double value = reference.values(loss)[0];
//
// T is double, Dual or Tape::Var of operation.h.
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

// All tensors are row-major: images [N, C, H, W].
template <class T>
class ReferenceEvaluator {
 public:
  using Values = std::vector<T>;

  explicit ReferenceEvaluator(const Graph& graph)
      : graph_(graph),
        evaluation_{.graph = graph,
                    .values = std::vector<Values>(graph.num_tensors()),
                    .indices = std::vector<std::vector<int64_t>>(graph.num_tensors())} {}

  // The value of a tensor from outside: of inputs, parameters, states and dropout masks it must be
  // given; any other that is given is not computed.
  void Give(TensorId t, Values values) { evaluation_.values[t] = std::move(values); }
  // Class numbers.
  void GiveLabels(TensorId t, std::vector<int64_t> labels) {
    evaluation_.indices[t] = std::move(labels);
  }

  // Computes the results and all they need. Errors: a leaf without a value, or with one of the wrong
  // size.
  absl::Status Compute(absl::Span<const TensorId> results);

  // Of a tensor that was given or computed.
  const Values& values(TensorId t) const { return evaluation_.values[t]; }
  // The cell of its window at which each maximum of a max pooling lies.
  const std::vector<int64_t>& positions(TensorId t) const { return evaluation_.indices[t]; }

 private:
  // How many values a tensor has so far.
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
