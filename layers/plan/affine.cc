#include "layers/plan/affine.h"

#include "absl/strings/str_cat.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {

namespace symbolic = autodiff::symbolic;

std::optional<Affine> AffineIn(const Expr& e, const Expr& y) {
  symbolic::Pool& pool = y.pool();
  if (e == y) return Affine{pool.Constant(1), pool.Constant(0)};
  if (!symbolic::Contains(e, y)) return Affine{pool.Constant(0), e};
  if (e.op() == symbolic::Op::kAdd) {
    Affine sum{pool.Constant(0), pool.Constant(0)};
    for (const Expr& argument : e.args()) {
      const std::optional<Affine> part = AffineIn(argument, y);
      if (!part) return std::nullopt;
      sum = {sum.slope + part->slope, sum.offset + part->offset};
    }
    return sum;
  }
  if (e.op() != symbolic::Op::kMul) return std::nullopt;
  Expr factor = pool.Constant(1);
  std::optional<Affine> part;
  for (const Expr& argument : e.args()) {
    if (!symbolic::Contains(argument, y)) {
      factor = factor * argument;
    } else if (part) {
      return std::nullopt;
    } else if (part = AffineIn(argument, y); !part) {
      return std::nullopt;
    }
  }
  return Affine{part->slope * factor, part->offset * factor};
}

std::optional<Expr> Expanded(const Graph& graph, const Node& node,
                             const std::function<std::optional<Expr>(TensorId t)>& of) {
  symbolic::Substitutions operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Expr> operand = of(node.inputs[i]);
    if (!operand) return std::nullopt;
    operands[graph.Operand(static_cast<int>(i))] = *operand;
  }
  return symbolic::Substitute(node.as<Expr>(), operands);
}

std::optional<Expr> ChannelExpressions::Of(TensorId t) {
  const Node& node = graph_.producer(t);
  if (graph_.shape(t).rank() > 1) return std::nullopt;
  if (node.op == kParameter || node.op == kState) {
    const Expr variable = graph_.pool().Variable(absl::StrCat("t", t));
    tensors_[variable] = t;
    return variable;
  }
  if (node.op == kConstant) return graph_.pool().Constant(node.as<double>());
  if (node.op != kElementwise) return std::nullopt;
  return Expanded(graph_, node, [this](TensorId input) { return Of(input); });
}

}  // namespace cotangent::layers
