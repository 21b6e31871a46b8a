#include "layers/ops/rules.h"

#include <utility>

namespace cotangent::layers {

TensorId RuleBuilder::Kept(absl::StatusOr<TensorId> made) {
  if (made.ok()) return *made;
  if (status_.ok()) status_ = made.status();
  return kNoTensor;
}

TensorId RuleBuilder::Elementwise(const Expr& formula, std::vector<TensorId> operands,
                                  const Shape& shape) {
  if (!status_.ok()) return kNoTensor;
  const TensorId made = Kept(layers::Elementwise(graph_, name_, formula, std::move(operands)));
  if (made == kNoTensor || graph_.shape(made) == shape) return made;
  return graph_.AddNode(kElementwise, name_, {made}, a(0), Shape(shape));
}

TensorId RuleBuilder::Sum(TensorId x) {
  if (!status_.ok() || graph_.shape(x).rank() == 0) return x;
  if (graph_.shape(x).rank() >= 2) x = ChannelSum(x);
  return Reshape(ChannelSum(Reshape(x, {graph_.shape(x)[0], 1})), Shape());
}

TensorId RuleBuilder::Like(Op op, const Node& node, std::vector<TensorId> inputs,
                           const Shape& shape) {
  if (!status_.ok()) return kNoTensor;
  return graph_.AddNode(op, name_, std::move(inputs), node.attributes, Shape(shape));
}

TensorId PerImage::Rows(const Expr& formula, std::vector<TensorId> operands) {
  if (!rules_.status().ok()) return kNoTensor;
  for (TensorId& t : operands) {
    if (rules_.graph().shape(t).rank() >= 2) t = rules_.Reshape(t, rows_);
  }
  return rules_.Elementwise(formula, std::move(operands), rows_);
}

}  // namespace cotangent::layers
