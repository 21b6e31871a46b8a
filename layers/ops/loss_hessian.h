// Second derivatives of losses, as graphs.
#ifndef COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
#define COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_

#include "layers/graph/graph.h"
#include "layers/ops/rules.h"

namespace cotangent::layers {

// Returns whether the node `loss` compares predictions with targets [N, K] rather than labels [N],
// for N images and K classes.
bool HasTargets(const Graph& graph, const Node& loss);

// Returns the product with t [N, K] of the Hessian of the loss by its prediction, or kNoTensor if
// the Hessian is zero. The Hessian is symmetric, so reverse and forward mode both use this product.
TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
