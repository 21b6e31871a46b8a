// What a graph's elementwise operations do to a tensor, channel by channel, as far as it is affine:
// for rewrites that move it into a convolution's weights.
#ifndef COTANGENT_LAYERS_PLAN_AFFINE_H_
#define COTANGENT_LAYERS_PLAN_AFFINE_H_

#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// slope * y + offset.
struct Affine {
  Expr slope, offset;
};

// The expression as an affine function of y, if it is written as one.
std::optional<Affine> AffineIn(const Expr& e, const Expr& y);

// The result of the elementwise operation `node` as an expression, where of(t) gives the expression
// of its input t; none if it gives none for one of them.
std::optional<Expr> Expanded(const Graph& graph, const Node& node,
                             const std::function<std::optional<Expr>(TensorId t)>& of);

// Channel vectors and numbers of a graph as expressions in variables that stand for its parameters
// and states.
class ChannelExpressions {
 public:
  explicit ChannelExpressions(const Graph& graph) : graph_(graph) {}

  // None if t is made of anything else.
  std::optional<Expr> Of(TensorId t);
  // What a variable stands for.
  TensorId TensorOf(const Expr& variable) const { return tensors_.at(variable); }

 private:
  const Graph& graph_;
  absl::flat_hash_map<Expr, TensorId> tensors_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_AFFINE_H_
