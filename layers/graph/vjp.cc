// Reverse-mode differentiation of graphs (see vjp.h). The cotangent of a tensor t is the derivative
// of sum_k <cotangents[k], outputs[k]> by t.

#include "layers/graph/vjp.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {
namespace {

// Collects the cotangents that the rules contribute to each tensor, visiting the nodes from the
// last to the first.
class Reverse {
 public:
  explicit Reverse(Graph& graph) : graph_(graph) {}

  absl::StatusOr<std::vector<TensorId>> Run(absl::Span<const TensorId> outputs,
                                            absl::Span<const TensorId> cotangents,
                                            absl::Span<const TensorId> with_respect_to);

 private:
  class Rule;

  void MarkNeeded(absl::Span<const TensorId> with_respect_to);
  void Contribute(TensorId to, TensorId cotangent) {
    if (needed_[to]) terms_[to].push_back(cotangent);
  }
  // Returns the sum of all cotangents contributed to t, or kNoTensor if there are none.
  absl::StatusOr<TensorId> CotangentOf(TensorId t);
  absl::Status Visit(int node);

  Graph& graph_;
  std::vector<bool> needed_;
  std::vector<std::vector<TensorId>> terms_;
};

void Reverse::MarkNeeded(absl::Span<const TensorId> with_respect_to) {
  needed_.assign(graph_.num_tensors(), false);
  for (TensorId t : with_respect_to) needed_[t] = true;
  for (const Node& node : graph_.nodes()) {
    bool reached = false;
    for (TensorId input : node.inputs) reached = reached || needed_[input];
    if (!reached) continue;
    for (TensorId output : node.outputs) needed_[output] = true;
  }
}

absl::StatusOr<TensorId> Reverse::CotangentOf(TensorId t) {
  std::vector<TensorId>& terms = terms_[t];
  if (terms.empty()) return kNoTensor;
  if (terms.size() > 1) {
    ASSIGN_OR_RETURN(TensorId sum, Add(graph_, graph_.tensor(t).name, terms));
    terms = {sum};
  }
  return terms[0];
}

absl::StatusOr<std::vector<TensorId>> Reverse::Run(absl::Span<const TensorId> outputs,
                                                   absl::Span<const TensorId> cotangents,
                                                   absl::Span<const TensorId> with_respect_to) {
  MarkNeeded(with_respect_to);
  terms_.resize(graph_.num_tensors());
  const int last = static_cast<int>(graph_.nodes().size()) - 1;
  for (size_t i = 0; i < outputs.size(); ++i) Contribute(outputs[i], cotangents[i]);
  for (int node = last; node >= 0; --node) RETURN_IF_ERROR(Visit(node));
  std::vector<TensorId> results;
  for (TensorId t : with_respect_to) {
    ASSIGN_OR_RETURN(TensorId cotangent, CotangentOf(t));
    results.push_back(cotangent);
  }
  return results;
}

// The ReverseRule that the rule of one node gets. It passes contributions on to the enclosing
// Reverse object.
class Reverse::Rule : public ReverseRule {
 public:
  Rule(Reverse& reverse, const Node& node, std::vector<TensorId> cotangents)
      : ReverseRule(reverse.graph_, node, std::move(cotangents)), reverse_(reverse) {}
  bool Needs(TensorId input) const override { return reverse_.needed_[input]; }
  void Contribute(TensorId input, TensorId cotangent) override {
    reverse_.Contribute(input, cotangent);
  }

 private:
  Reverse& reverse_;
};

absl::Status Reverse::Visit(int index) {
  const Node node = graph_.node(index);  // a copy, because the rules add nodes to the graph
  std::vector<TensorId> cotangents;
  bool any = false;
  for (TensorId output : node.outputs) {
    ASSIGN_OR_RETURN(TensorId cotangent, CotangentOf(output));
    cotangents.push_back(cotangent);
    any = any || cotangent != kNoTensor;
  }
  if (!any) return absl::OkStatus();
  Rule rule(*this, node, std::move(cotangents));
  return node.op->Vjp(rule);
}

}  // namespace

absl::StatusOr<std::vector<TensorId>> VectorJacobianProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> cotangents,
    absl::Span<const TensorId> with_respect_to) {
  if (outputs.size() != cotangents.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        outputs.size(), " outputs need as many cotangents; found ", cotangents.size()));
  }
  return Reverse(graph).Run(outputs, cotangents, with_respect_to);
}

absl::StatusOr<std::vector<TensorId>> Gradient(Graph& graph, TensorId scalar,
                                               absl::Span<const TensorId> with_respect_to) {
  const TensorId one = Constant(graph, 1, Shape());
  return VectorJacobianProduct(graph, {scalar}, {one}, with_respect_to);
}

}  // namespace cotangent::layers
