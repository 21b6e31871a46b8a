#include "layers/graph/derivative_rules.h"

#include <numeric>
#include <utility>

#include "autodiff/symbolic/differentiate.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// `quotient` where the divisor, a sum of weights, is above 0, else 0: a batch without weight has
// the loss 0.
Expr WhereWeighted(RuleBuilder& rules, const Expr& divisor, const Expr& quotient) {
  symbolic::Pool& pool = rules.graph().pool();
  return symbolic::Select(pool.Constant(0), divisor, quotient, pool.Constant(0));
}

// Weights of the label's class, one an image, [N], divided by their sum over the batch: each
// image's share in the loss.
TensorId SharesOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  const LossAttributes& attributes = loss.attributes.loss;
  if (attributes.class_weights.empty()) return rules.graph().Constant(1.0 / shape[0], {shape[0]});
  const TensorId weighted = rules.Like(Op::kOneHot, loss, {loss.inputs[1]}, shape);
  const TensorId weights = PerImage(rules, shape).Sum(rules.a(0), {weighted});
  return rules.Elementwise(WhereWeighted(rules, rules.a(1), rules.a(0) / rules.a(1)),
                           {weights, rules.Sum(weighted)}, {shape[0]});
}

// 1 in the column of the label's class.
TensorId TargetsOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  return rules.graph().AddNode(Op::kOneHot, rules.name(), {loss.inputs[1]}, {}, Shape(shape));
}

// The gradient is share T (p - t), where t is the smoothed target and T its sum, weighted by class.
TensorId CrossEntropyHessianProduct(RuleBuilder& rules, const Node& loss, const Shape& shape,
                                    TensorId t) {
  const LossAttributes& attributes = loss.attributes.loss;
  const TensorId probabilities = rules.Like(Op::kSoftmax, loss, {loss.inputs[0]}, shape);
  const TensorId along = rules.Like(Op::kSoftmaxGradient, loss, {t, probabilities}, shape);
  PerImage image(rules, shape);
  const TensorId share = SharesOf(rules, loss, shape);
  const std::vector<double>& weights = attributes.class_weights;
  if (weights.empty()) return image.Map(rules.a(0) * rules.a(1), {along, share});
  const double smoothing = attributes.label_smoothing;
  const double spread = smoothing / shape[1] * std::accumulate(weights.begin(), weights.end(), 0.0);
  const TensorId total = rules.Sum(rules.Like(Op::kOneHot, loss, {loss.inputs[1]}, shape));
  const TensorId factor = rules.Elementwise(
      WhereWeighted(rules, rules.a(1), (1 - smoothing) * rules.a(0) + spread / rules.a(1)),
      {share, total}, {shape[0]});
  return image.Map(rules.a(0) * rules.a(1), {along, factor});
}

// With q the probability of the label, r = 1 - q that of all others, l = ln q and o the target, the
// gradient is
//   share s (o - p),  s = gamma r^(gamma - 1) q l - r^gamma,
// and along t: l' = S((o - p) t), s' = (gamma r^(gamma - 1) q (2 + l) - gamma (gamma - 1) r^(gamma
// - 2) q^2 l) l'.
TensorId FocalHessianProduct(RuleBuilder& rules, const Node& loss, const Shape& shape, TensorId t) {
  const double gamma = loss.attributes.loss.gamma;
  const Shape batch = {shape[0]};
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4),
             a5 = rules.a(5);
  const TensorId p = rules.Like(Op::kSoftmax, loss, {loss.inputs[0]}, shape),
                 o = TargetsOf(rules, loss, shape);
  const TensorId p_along = rules.Like(Op::kSoftmaxGradient, loss, {t, p}, shape);
  PerImage image(rules, shape);
  // Kept from zero, where powers and logarithms end; what they are multiplied with is zero there.
  const auto positive = [&](TensorId x, double least) {
    return rules.Elementwise(symbolic::Max(a0, rules.graph().pool().Constant(least)), {x}, batch);
  };
  const TensorId q = positive(image.Sum(a0 * a1, {o, p}), 1e-30),
                 r = positive(image.Sum((1 - a0) * a1, {o, p}), 1e-12);
  const Expr half = rules.graph().pool().Constant(0.5);
  const TensorId l = rules.Elementwise(
      symbolic::Select(half, a0, symbolic::Log1p(-a1), symbolic::Ln(a0)), {q, r}, batch);
  const TensorId l_along = image.Sum((a0 - a1) * a2, {o, p, t});
  const auto power = [&](Expr base, double exponent) {
    return symbolic::Pow(base, rules.graph().pool().Constant(exponent));
  };
  const TensorId slope = rules.Elementwise(
      gamma * power(a1, gamma - 1) * a0 * a2 - power(a1, gamma), {q, r, l}, batch);
  const TensorId curvature =
      rules.Elementwise(gamma * power(a1, gamma - 1) * a0 * (2 + a2) -
                            gamma * (gamma - 1) * power(a1, gamma - 2) * a0 * a0 * a2,
                        {q, r, l}, batch);
  const TensorId factor = rules.Elementwise(a0 * a1, {curvature, l_along}, batch);
  return image.Map(a5 * (a2 * (a0 - a1) - a3 * a4),
                   {o, p, factor, slope, p_along, SharesOf(rules, loss, shape)});
}

}  // namespace

TensorId RuleBuilder::Kept(absl::StatusOr<TensorId> made) {
  if (made.ok()) return *made;
  if (status_.ok()) status_ = made.status();
  return kNoTensor;
}

TensorId RuleBuilder::Elementwise(const Expr& formula, std::vector<TensorId> operands,
                                  const Shape& shape) {
  if (!status_.ok()) return kNoTensor;
  const TensorId made = Kept(graph_.Elementwise(name_, formula, std::move(operands)));
  if (made == kNoTensor || graph_.shape(made) == shape) return made;
  Attributes attributes;
  attributes.formula = a(0);
  return graph_.AddNode(Op::kElementwise, name_, {made}, std::move(attributes), Shape(shape));
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

TensorId GradientByOutput(RuleBuilder& rules, const Node& node, TensorId t, bool adjoint) {
  const TensorId g = node.inputs[0], y = node.inputs[1];
  const TensorId inner = adjoint ? y : g, outer = adjoint ? g : y;
  PerImage image(rules, rules.graph().shape(y));
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4);
  const TensorId along_y = image.Sum(a0 * a1, {g, y}), along_t = image.Sum(a0 * a1, {inner, t});
  if (node.op == Op::kSoftmaxGradient)
    return image.Map(a0 * (a1 - a2) - a3 * a4, {t, g, along_y, outer, along_t});
  return image.Map(-a4 * (a0 * a1 + a2 * a3) / image.count(),
                   {t, along_y, outer, along_t, node.inputs[2]});
}

TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t) {
  const LossAttributes& attributes = loss.attributes.loss;
  const Shape shape = rules.graph().shape(loss.inputs[0]);
  switch (attributes.kind) {
    case LossKind::kSoftmaxCrossEntropy:
      return CrossEntropyHessianProduct(rules, loss, shape, t);
    case LossKind::kHinge:
      return kNoTensor;
    case LossKind::kMeanSquaredError:
      return PerImage(rules, shape)
          .Map(rules.a(0) * rules.a(1) * (2.0 / shape[1]), {t, SharesOf(rules, loss, shape)});
    case LossKind::kFocal:
      return FocalHessianProduct(rules, loss, shape, t);
    case LossKind::kFormula: {
      const Expr second = symbolic::Plain(symbolic::Differentiate(
          symbolic::Plain(symbolic::Differentiate(attributes.formula, rules.a(0))), rules.a(0)));
      if (second.IsZero()) return kNoTensor;
      return rules.Elementwise(second * rules.a(2) * (1.0 / shape.NumElements()),
                               {loss.inputs[0], TargetsOf(rules, loss, shape), t}, shape);
    }
  }
  return kNoTensor;
}

}  // namespace cotangent::layers
