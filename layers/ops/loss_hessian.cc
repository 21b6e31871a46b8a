// Second derivatives of losses, as graphs. N is the number of images and K the number of classes.
// "The Hessian of a loss" is that by the prediction [N, K].

#include "layers/ops/loss_hessian.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "autodiff/symbolic/differentiate.h"
#include "layers/graph/operation.h"
#include "layers/ops/loss.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/rules.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// Computes labels [N] or targets [N, K] -> [N, K]. A label becomes a row with 1 in the column of
// its class and 0 elsewhere; targets stay as they are. Each column is then multiplied by the weight
// of its class. The attribute is a LossAttributes, of which only class_weights is used:
// LossHessian::WeightedTargets() passes those of the loss; LossHessian::Targets() passes none, so
// that all weights are 1.
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
    const auto weight = [&](int64_t k) { return T(WeightOf(weights, k)); };
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
      const auto weight = [&](int64_t k) { return static_cast<float>(WeightOf(weights, k)); };
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

}  // namespace

bool HasTargets(const Graph& graph, const Node& loss) {
  return graph.shape(loss.inputs[1]).rank() == 2;
}

const std::vector<double>& LossHessian::class_weights() const {
  return loss.as<LossAttributes>().class_weights;
}

Expr LossHessian::WhereWeighted(const Expr& divisor, const Expr& quotient) const {
  symbolic::Pool& pool = rules.graph().pool();
  return symbolic::Select(pool.Constant(0), divisor, quotient, pool.Constant(0));
}

TensorId LossHessian::Targets() {
  if (has_targets()) return targets();
  return rules.graph().AddNode(kWeightedTargets, rules.name(), {targets()}, LossAttributes{},
                               Shape(shape));
}

TensorId LossHessian::WeightedTargets() {
  return rules.Like(kWeightedTargets, loss, {targets()}, shape);
}

TensorId LossHessian::ImageShares() {
  if (class_weights().empty() || has_targets())
    return Constant(rules.graph(), 1.0 / shape[0], {shape[0]});
  const TensorId weighted = WeightedTargets();
  const TensorId weights = PerImage(rules, shape).Sum(rules.a(0), {weighted});
  return rules.Elementwise(WhereWeighted(rules.a(1), rules.a(0) / rules.a(1)),
                           {weights, rules.Sum(weighted)}, {shape[0]});
}

TensorId LossHessianProduct(RuleBuilder& rules, const Node& loss, TensorId t) {
  const LossAttributes& attributes = loss.as<LossAttributes>();
  LossHessian hessian(rules, loss);
  if (!attributes.formula) return attributes.image_loss->HessianProduct(hessian, t);
  const Expr second = symbolic::Plain(symbolic::Differentiate(
      symbolic::Plain(symbolic::Differentiate(attributes.formula, rules.a(0))), rules.a(0)));
  if (second.IsZero()) return kNoTensor;
  return rules.Elementwise(second * rules.a(2) * (1.0 / hessian.shape.NumElements()),
                           {hessian.prediction(), hessian.Targets(), t}, hessian.shape);
}

}  // namespace cotangent::layers
