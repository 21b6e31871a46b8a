// Describes elementwise operations of a graph as affine functions of a tensor, y -> slope * y +
// offset with a slope and an offset per channel. For inference, fold.h and branches.h move ("fold")
// such operations into the weights and the bias of a convolution.
#ifndef COTANGENT_LAYERS_PLAN_AFFINE_H_
#define COTANGENT_LAYERS_PLAN_AFFINE_H_

#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The affine function slope * y + offset of y.
struct Affine {
  Expr slope, offset;
};

// Returns `e` as an affine function of y, if `e` is built from y and expressions without y by sums
// and by products in which at most one factor contains y; otherwise nullopt.
std::optional<Affine> AffineIn(const Expr& e, const Expr& y);

// Returns the result of the elementwise operation `node` as an expression, where of(t) gives the
// expression of its input t. Returns nullopt if of(t) is nullopt for an input.
std::optional<Expr> Expanded(const Graph& graph, const Node& node,
                             const std::function<std::optional<Expr>(TensorId t)>& of);

// Expresses channel vectors [C] and scalars [] of a graph by variables that stand for the graph's
// parameters and states.
class ChannelExpressions {
 public:
  explicit ChannelExpressions(const Graph& graph) : graph_(graph) {}

  // Returns t as an expression in such variables; nullopt unless t has rank 0 or 1 and is computed
  // from parameters, states and constants of rank 0 or 1 by elementwise operations alone.
  std::optional<Expr> Of(TensorId t);
  // Returns the parameter or state for which a variable in a result of Of() stands.
  TensorId TensorOf(const Expr& variable) const { return tensors_.at(variable); }

 private:
  const Graph& graph_;
  absl::flat_hash_map<Expr, TensorId> tensors_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_AFFINE_H_
