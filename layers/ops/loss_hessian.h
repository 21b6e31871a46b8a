// Second derivatives of losses, as graphs.
#ifndef COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
#define COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_

#include <vector>

#include "layers/graph/graph.h"
#include "layers/ops/rules.h"

namespace cotangent::layers {

// Returns whether the node `loss` compares predictions with targets [N, K] rather than labels [N],
// for N images and K classes.
bool HasTargets(const Graph& graph, const Node& loss);

// What the second derivatives of a loss are made of: "the Hessian" is that of the mean loss by the
// prediction [N, K]. Each function adds operations to the graph and returns their result.
struct LossHessian {
  LossHessian(RuleBuilder& rules, const Node& loss)
      : rules(rules), loss(loss), shape(rules.graph().shape(loss.inputs[0])) {}

  TensorId prediction() const { return loss.inputs[0]; }
  TensorId targets() const { return loss.inputs[1]; }  // labels [N] or targets [N, K]
  bool has_targets() const { return HasTargets(rules.graph(), loss); }
  const std::vector<double>& class_weights() const;

  // Returns the targets [N, K] of the loss, without class weights: the given ones, or one-hot rows
  // made from the labels.
  TensorId Targets();
  // Returns the same, each column multiplied by the weight of its class.
  TensorId WeightedTargets();
  // Returns the weight of each image in the mean loss, [N]. With labels it is the weight of the
  // label's class divided by the sum of these weights over the batch. With targets it is 1 / N.
  TensorId ImageShares();
  // Returns the formula that is `quotient` where `divisor`, a sum of weights, is above 0, and 0
  // elsewhere, because the loss of a batch whose weights are all 0 is defined to be 0.
  Expr WhereWeighted(const Expr& divisor, const Expr& quotient) const;

  RuleBuilder& rules;
  const Node& loss;
  const Shape shape;  // [N, K]
};

// Returns the product with t [N, K] of the Hessian of the loss by its prediction, or kNoTensor if
// the Hessian is zero. The Hessian is symmetric, so reverse and forward mode both use this product.
TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
