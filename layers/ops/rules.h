// What the rules of reverse mode (vjp.h) and forward mode (jvp.h) share: a way to add operations to
// a graph, and the derivatives of operations that are gradients themselves.
//
// Those are written with the operations that are there already, so that a gradient's derivative is
// a graph as any other and has derivatives in its turn. What is one value an image, which layer
// norm, softmax and the losses need, is one value a channel of the same numbers reshaped to [1, N,
// K, 1].
#ifndef COTANGENT_LAYERS_OPS_RULES_H_
#define COTANGENT_LAYERS_OPS_RULES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "layers/graph/graph.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/reshape.h"
#include "layers/ops/sums.h"

namespace cotangent::layers {

// Adds operations for the layer `name`, whose shapes are known to fit. The first error is kept:
// look at status() in the end; what is made after it is kNoTensor.
class RuleBuilder {
 public:
  RuleBuilder(Graph& graph, std::string name) : graph_(graph), name_(std::move(name)) {}

  Graph& graph() { return graph_; }
  const std::string& name() const { return name_; }
  const absl::Status& status() const { return status_; }
  Expr a(int i) const { return graph_.Operand(i); }

  // The formula in a0, a1, ... at every element of `shape`; operands that are smaller are spread
  // over it.
  TensorId Elementwise(const Expr& formula, std::vector<TensorId> operands, const Shape& shape);
  TensorId ChannelSum(TensorId x) { return Kept(layers::ChannelSum(graph_, name_, x)); }
  // The sum of all elements, [].
  TensorId Sum(TensorId x);
  TensorId Reshape(TensorId x, const Shape& shape) {
    return Kept(layers::Reshape(graph_, name_, x, shape));
  }
  TensorId Add(std::vector<TensorId> terms) {
    return Kept(layers::Add(graph_, name_, std::move(terms)));
  }
  // An operation with these inputs and, but for those, all that `node` has.
  TensorId Like(Op op, const Node& node, std::vector<TensorId> inputs, const Shape& shape);

 private:
  TensorId Kept(absl::StatusOr<TensorId> made);

  Graph& graph_;
  const std::string name_;
  absl::Status status_;
};

// Formulas over tensors [N, ...] of one shape and vectors [N], one value an image.
class PerImage {
 public:
  PerImage(RuleBuilder& rules, const Shape& shape)
      : rules_(rules), shape_(shape), rows_({1, shape[0], shape.NumElements() / shape[0], 1}) {}

  // The sum of the formula over each image: [N].
  TensorId Sum(const Expr& formula, const std::vector<TensorId>& operands) {
    return rules_.ChannelSum(Rows(formula, operands));
  }
  // The formula at every element.
  TensorId Map(const Expr& formula, const std::vector<TensorId>& operands) {
    return rules_.Reshape(Rows(formula, operands), shape_);
  }
  // Elements of an image.
  double count() const { return static_cast<double>(rows_[2]); }

 private:
  TensorId Rows(const Expr& formula, std::vector<TensorId> operands);

  RuleBuilder& rules_;
  const Shape shape_, rows_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_RULES_H_
