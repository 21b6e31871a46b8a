// Helpers for the derivative rules of operations (reverse mode: layers/graph/vjp.h, forward mode:
// layers/graph/jvp.h), above all of operations that are gradients themselves.
//
// A rule builds derivatives from existing operations, so a derivative is a graph like any other and
// can be differentiated again. Layer norm, softmax and the losses need sums over each image and
// operands with one value per image, but existing operations sum over each channel and broadcast
// one value per channel. PerImage reshapes [N, ...], for N images of K elements each, to [1, N, K,
// 1], so that an image becomes a channel.
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

// Adds operations that belong to the layer `name`, and returns their results. REQUIRES: the shapes
// of the operands fit each other. After a first error every function returns kNoTensor or its
// argument, so checking status() once at the end is enough.
class RuleBuilder {
 public:
  RuleBuilder(Graph& graph, std::string name) : graph_(graph), name_(std::move(name)) {}

  Graph& graph() { return graph_; }
  const std::string& name() const { return name_; }
  const absl::Status& status() const { return status_; }
  Expr a(int i) const { return graph_.Operand(i); }

  // Applies the formula in a0, a1, ... at every element of `shape`. Smaller operands ([C] or [])
  // are broadcast to `shape`.
  TensorId Elementwise(const Expr& formula, std::vector<TensorId> operands, const Shape& shape);
  TensorId ChannelSum(TensorId x) { return Kept(layers::ChannelSum(graph_, name_, x)); }
  // Returns the sum of all elements of x, a scalar [].
  TensorId Sum(TensorId x);
  TensorId Reshape(TensorId x, const Shape& shape) {
    return Kept(layers::Reshape(graph_, name_, x, shape));
  }
  TensorId Add(std::vector<TensorId> terms) {
    return Kept(layers::Add(graph_, name_, std::move(terms)));
  }
  // Returns the result, of the given shape, of an operation of kind `op` with these inputs and the
  // attributes of `node`.
  TensorId Like(Op op, const Node& node, std::vector<TensorId> inputs, const Shape& shape);

 private:
  TensorId Kept(absl::StatusOr<TensorId> made);

  Graph& graph_;
  const std::string name_;
  absl::Status status_;
};

// Applies formulas to tensors [N, ...] of one shape and to vectors [N], which hold one value per
// image.
class PerImage {
 public:
  PerImage(RuleBuilder& rules, const Shape& shape)
      : rules_(rules), shape_(shape), rows_({1, shape[0], shape.NumElements() / shape[0], 1}) {}

  // Returns the sums [N] of the formula over all elements of each image.
  TensorId Sum(const Expr& formula, const std::vector<TensorId>& operands) {
    return rules_.ChannelSum(Rows(formula, operands));
  }
  // Returns the formula applied at every element, of shape [N, ...].
  TensorId Map(const Expr& formula, const std::vector<TensorId>& operands) {
    return rules_.Reshape(Rows(formula, operands), shape_);
  }
  // Returns the number of elements of one image.
  double count() const { return static_cast<double>(rows_[2]); }

 private:
  TensorId Rows(const Expr& formula, std::vector<TensorId> operands);

  RuleBuilder& rules_;
  const Shape shape_, rows_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_RULES_H_
