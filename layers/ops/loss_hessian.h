// Second derivatives of losses, as graphs.
#ifndef COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
#define COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_

#include "layers/graph/graph.h"
#include "layers/ops/rules.h"

namespace cotangent::layers {

// Whether the loss compares predictions with targets [N, K] rather than labels [N].
bool HasTargets(const Graph& graph, const Node& loss);

// Adds the product of the Hessian of a loss by its prediction with t [N, K]; returns kNoTensor if
// the Hessian is zero. A Hessian is symmetric, so reverse and forward mode both use this product.
TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_HESSIAN_H_
