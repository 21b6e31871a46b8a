// Second derivatives of losses, as graphs. N is the number of images and K the number of classes.
// "The Hessian of a loss" is that by the prediction [N, K].

#include "layers/ops/loss_hessian.h"

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "autodiff/symbolic/differentiate.h"
#include "layers/graph/operation.h"
#include "layers/ops/loss.h"
#include "layers/ops/rules.h"
#include "layers/ops/softmax.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// Computes labels [N] or targets [N, K] -> [N, K]. A label becomes a row with 1 in the column of
// its class and 0 elsewhere; targets stay as they are. Each column is then multiplied by the weight
// of its class. The attribute is the LossAttributes of the loss.
class WeightedTargetsOperation : public OperationWithKernel<WeightedTargetsOperation> {
 public:
  const char* name() const override { return "weighted_targets"; }
  bool occurs_in_inference() const override { return false; }
  absl::Status Vjp(ReverseRule&) const override { return absl::OkStatus(); }
  absl::Status Jvp(ForwardRule&) const override { return absl::OkStatus(); }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<double>& weights = node.as<LossAttributes>().class_weights;
    const int64_t classes = e.Channels(node.outputs[0]);
    std::vector<T> y = e.Zeros(node.outputs[0]);
    const auto weight = [&](int64_t k) { return T(weights.empty() ? 1.0 : weights[k]); };
    if (e.graph.shape(node.inputs[0]).rank() == 2) {
      for (size_t i = 0; i < y.size(); ++i)
        y[i] = e.values[node.inputs[0]][i] * weight(static_cast<int64_t>(i) % classes);
    } else {
      const std::vector<int64_t>& labels = e.indices[node.inputs[0]];
      for (size_t n = 0; n < labels.size(); ++n) y[n * classes + labels[n]] = weight(labels[n]);
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const std::vector<double>& weights = node.as<LossAttributes>().class_weights;
      const Buffer from = buffer(node.inputs[0]), y = buffer(node.outputs[0]);
      const int64_t classes = y.shape[1];
      const auto weight = [&](int64_t k) {
        return weights.empty() ? 1.0f : static_cast<float>(weights[k]);
      };
      if (from.shape.rank() == 2) {
        for (int64_t i = 0; i < y.shape.NumElements(); ++i)
          y.as<float>()[i] = from.as<float>()[i] * weight(i % classes);
        return;
      }
      SetToZero(y);
      for (int64_t n = 0; n < y.shape[0]; ++n) {
        const int32_t label = from.as<int32_t>()[n];
        y.as<float>()[n * classes + label] = weight(label);
      }
    };
  }
};

const WeightedTargetsOperation weighted_targets;
const Op kWeightedTargets = &weighted_targets;

// Returns the formula that is `quotient` where `divisor`, a sum of weights, is above 0, and 0
// elsewhere, because the loss of a batch whose weights are all 0 is defined to be 0.
Expr WhereWeighted(RuleBuilder& rules, const Expr& divisor, const Expr& quotient) {
  symbolic::Pool& pool = rules.graph().pool();
  return symbolic::Select(pool.Constant(0), divisor, quotient, pool.Constant(0));
}

// Returns the targets [N, K] of the loss, without class weights: the given ones, or one-hot rows
// made from the labels.
TensorId TargetsOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  if (HasTargets(rules.graph(), loss)) return loss.inputs[1];
  return rules.graph().AddNode(kWeightedTargets, rules.name(), {loss.inputs[1]}, LossAttributes{},
                               Shape(shape));
}

// Returns the weight of each image in the mean loss, [N]. With labels it is the weight of the
// label's class divided by the sum of these weights over the batch. With targets it is 1 / N.
TensorId SharesOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  if (loss.as<LossAttributes>().class_weights.empty() || HasTargets(rules.graph(), loss))
    return Constant(rules.graph(), 1.0 / shape[0], {shape[0]});
  const TensorId weighted = rules.Like(kWeightedTargets, loss, {loss.inputs[1]}, shape);
  const TensorId weights = PerImage(rules, shape).Sum(rules.a(0), {weighted});
  return rules.Elementwise(WhereWeighted(rules, rules.a(1), rules.a(0) / rules.a(1)),
                           {weights, rules.Sum(weighted)}, {shape[0]});
}

// Returns the Hessian of softmax cross-entropy times t [N, K]. Let c be 1 / N with targets, and 1 /
// (sum of the weights of the labels' classes over the batch) with labels. The gradient of an image
// is c (T p - q), where p is the softmax, q the smoothed target weighted by class, and T the sum of
// q. So the Hessian is c T times the Jacobian of the softmax; `factor` is c T.
TensorId CrossEntropyHessianProduct(RuleBuilder& rules, const Node& loss, const Shape& shape,
                                    TensorId t) {
  const LossAttributes& attributes = loss.as<LossAttributes>();
  const TensorId probabilities = rules.Like(kSoftmax, loss, {loss.inputs[0]}, shape);
  const TensorId along = rules.Like(kSoftmaxGradient, loss, {t, probabilities}, shape);
  PerImage image(rules, shape);
  const TensorId share = SharesOf(rules, loss, shape);
  const std::vector<double>& weights = attributes.class_weights;
  const double smoothing = attributes.label_smoothing;
  const double all = weights.empty() ? static_cast<double>(shape[1])
                                     : std::accumulate(weights.begin(), weights.end(), 0.0);
  const double spread = smoothing / shape[1] * all;
  TensorId factor = share;
  if (HasTargets(rules.graph(), loss)) {
    const TensorId weighted = rules.Like(kWeightedTargets, loss, {loss.inputs[1]}, shape);
    const TensorId sums =
        image.Sum((1 - smoothing) * rules.a(0) + spread * rules.a(1), {weighted, loss.inputs[1]});
    factor = rules.Elementwise(rules.a(0) * rules.a(1), {share, sums}, {shape[0]});
  } else if (!weights.empty()) {
    const TensorId total = rules.Sum(rules.Like(kWeightedTargets, loss, {loss.inputs[1]}, shape));
    factor = rules.Elementwise(
        WhereWeighted(rules, rules.a(1), (1 - smoothing) * rules.a(0) + spread / rules.a(1)),
        {share, total}, {shape[0]});
  }
  return image.Map(rules.a(0) * rules.a(1), {along, factor});
}

// Returns the Hessian of the focal loss times t [N, K]. Per class, let x be the prediction, y the
// target (one-hot for a label), p the softmax, r = 1 - p and l = ln p; S is the sum over the
// classes. The gradient of an image is its share (SharesOf) times
//   u - p S(u),  u = y (gamma r^(gamma - 1) p l - r^gamma),
// and its derivative along x' = t (a prime denotes a derivative) follows from p' = p l' and
//   l' = x' - S(p x'),
//   u' = y (gamma r^(gamma - 1) p (2 + l) - gamma (gamma - 1) r^(gamma - 2) p^2 l) l'.
TensorId FocalHessianProduct(RuleBuilder& rules, const Node& loss, const Shape& shape, TensorId t) {
  const double gamma = loss.as<LossAttributes>().gamma;
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4),
             a5 = rules.a(5);
  symbolic::Pool& pool = rules.graph().pool();
  const TensorId p = rules.Like(kSoftmax, loss, {loss.inputs[0]}, shape),
                 targets = TargetsOf(rules, loss, shape);
  PerImage image(rules, shape);
  const TensorId mean_along = image.Sum(a0 * a1, {p, t});
  const TensorId log_along = image.Map(a0 - a1, {t, mean_along});
  // at_least(x, least) returns max(x, least), to keep x away from zero, where negative powers and
  // logarithms are infinite. The factors that multiply such powers and logarithms are zero there.
  const auto at_least = [&](const Expr& x, double least) {
    return symbolic::Max(x, pool.Constant(least));
  };
  const auto power = [&](const Expr& base, double exponent) {
    return symbolic::Pow(base, pool.Constant(exponent));
  };
  const Expr q = at_least(a1, 1e-30), r = at_least(1 - a1, 1e-12);
  const Expr log =
      symbolic::Select(pool.Constant(0.5), a1, symbolic::Log1p(a1 - 1), symbolic::Ln(q));
  const TensorId u = rules.Elementwise(
      a0 * (gamma * power(r, gamma - 1) * q * log - power(r, gamma)), {targets, p}, shape);
  const TensorId u_along =
      rules.Elementwise(a0 * a2 *
                            (gamma * power(r, gamma - 1) * q * (2 + log) -
                             gamma * (gamma - 1) * power(r, gamma - 2) * q * q * log),
                        {targets, p, log_along}, shape);
  const TensorId sum = image.Sum(a0, {u}), sum_along = image.Sum(a0, {u_along});
  return image.Map(a5 * (a0 - a1 * a2 - a1 * a3 * a4),
                   {u_along, p, sum_along, log_along, sum, SharesOf(rules, loss, shape)});
}

}  // namespace

bool HasTargets(const Graph& graph, const Node& loss) {
  return graph.shape(loss.inputs[1]).rank() == 2;
}

TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t) {
  const LossAttributes& attributes = loss.as<LossAttributes>();
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
