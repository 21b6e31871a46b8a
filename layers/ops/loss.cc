// Losses: their kernels, their reference implementation, and their second derivatives. N is the
// number of images and K that of classes. Targets [N, K] are shares of the classes, or numbers.

#include "layers/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/lower.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/rules.h"
#include "layers/ops/softmax.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

namespace codegen = autodiff::codegen;
namespace symbolic = autodiff::symbolic;

// labels [N] or targets [N, K] -> [N, K]. A label becomes a row with 1 in the column of its class
// and 0 elsewhere; targets stay as they are. Each column is then multiplied by the weight of its
// class. The attribute is the LossAttributes of the loss.
extern const Op kWeightedTargets;

// Whether the loss compares predictions with targets [N, K] rather than labels [N].
bool HasTargets(const Graph& graph, const Node& loss) {
  return graph.shape(loss.inputs[1]).rank() == 2;
}

// ---- Second derivatives of losses, as graphs ----

// Returns `quotient` where `divisor`, a sum of weights, is above 0, and 0 elsewhere. The loss of a
// batch whose weights are all 0 is defined to be 0.
Expr WhereWeighted(RuleBuilder& rules, const Expr& divisor, const Expr& quotient) {
  symbolic::Pool& pool = rules.graph().pool();
  return symbolic::Select(pool.Constant(0), divisor, quotient, pool.Constant(0));
}

// The targets [N, K] of the loss: given ones, or one-hot rows made from labels.
TensorId TargetsOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  if (HasTargets(rules.graph(), loss)) return loss.inputs[1];
  return rules.graph().AddNode(kWeightedTargets, rules.name(), {loss.inputs[1]}, LossAttributes{},
                               Shape(shape));
}

// The weight of each image in the mean loss, [N]. With labels: the weight of the label's class,
// divided by the sum of these weights over the batch. With targets: 1 / N.
TensorId SharesOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  if (loss.as<LossAttributes>().class_weights.empty() || HasTargets(rules.graph(), loss))
    return Constant(rules.graph(), 1.0 / shape[0], {shape[0]});
  const TensorId weighted = rules.Like(kWeightedTargets, loss, {loss.inputs[1]}, shape);
  const TensorId weights = PerImage(rules, shape).Sum(rules.a(0), {weighted});
  return rules.Elementwise(WhereWeighted(rules, rules.a(1), rules.a(0) / rules.a(1)),
                           {weights, rules.Sum(weighted)}, {shape[0]});
}

// The Hessian of softmax cross-entropy by the prediction, times t [N, K]. The gradient of an image
// is its share (SharesOf) times (T p - q), where p is the softmax, q the smoothed target weighted
// by class, and T the sum of q. So the Hessian is share T times the Jacobian of the softmax.
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

// The Hessian of the focal loss by the prediction x, times t [N, K]. Per class, let y be the target
// (one-hot for a label), p the softmax, r = 1 - p and l = ln p; S is the sum over the classes. The
// gradient of an image is its share (SharesOf) times
//   u - p S(u),  u = y (gamma r^(gamma - 1) p l - r^gamma),
// and its derivative along x' = t, with a prime for derivatives, follows from p' = p l' and
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
  // Keeps x away from zero, where negative powers and logarithms are infinite. The factors that
  // multiply them are zero there.
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

// The Hessian of a loss by its prediction, times t [N, K]; kNoTensor if the Hessian is zero. A
// Hessian is symmetric, so reverse and forward mode both use this product.
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

// ---- Kernels: the losses of single images, and their gradients ----

double WeightOf(const LossAttributes& attributes, int32_t label) {
  return attributes.class_weights.empty() ? 1.0 : attributes.class_weights[label];
}

// Softmax cross-entropy with label smoothing s, as PyTorch's cross_entropy: ((1 - s) w_y (-log p_y)
// + s / K sum_k w_k (-log p_k)) / total_weight, for the label y, class weights w and softmax p.
// Writes the gradient by x. The other functions named ...Row do the same for their losses.
double CrossEntropyRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                       double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), s = a.label_smoothing;
  double loss = 0, target_sum = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double t = (s / classes) * WeightOf(a, static_cast<int32_t>(k)) +
                     (k == label ? (1 - s) * WeightOf(a, label) : 0);
    loss += t * (log_sum - x[k]);
    target_sum += t;
  }
  for (int64_t k = 0; k < classes; ++k) {
    const double t = (s / classes) * WeightOf(a, static_cast<int32_t>(k)) +
                     (k == label ? (1 - s) * WeightOf(a, label) : 0);
    gradient[k] = static_cast<float>((std::exp(x[k] - log_sum) * target_sum - t) / total_weight);
  }
  return loss / total_weight;
}

double HingeRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  double loss = 0, active = 0;
  const double weight = WeightOf(a, label) / total_weight;
  for (int64_t k = 0; k < classes; ++k) {
    const double slack = a.margin + x[k] - x[label];
    const bool counts = k != label && !(slack <= 0);
    if (counts) loss += slack, active += 1;
    gradient[k] = static_cast<float>(counts ? weight : 0);
  }
  gradient[label] = static_cast<float>(-active * weight);
  return loss * weight;
}

// The mean over the classes of (x - t)^2, where t is the one-hot vector of the label, as PyTorch's
// mse_loss; weighted by the label's class.
double MeanSquaredErrorRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                           double total_weight, float* gradient) {
  const double weight = WeightOf(a, label) / total_weight / classes;
  double loss = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double difference = x[k] - (k == label ? 1.0 : 0.0);
    loss += difference * difference;
    gradient[k] = static_cast<float>(2 * difference * weight);
  }
  return loss * weight;
}

// The focal loss (1 - p)^gamma (-log p), where p is the softmax probability of the label (Lin et
// al., "Focal loss for dense object detection", 2017); weighted by the label's class.
double FocalRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), weight = WeightOf(a, label) / total_weight;
  const double log_p = x[label] - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);
  const double power = std::pow(rest, a.gamma);
  // The derivative by log p: d loss / d log p = gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma.
  const double inner = rest > 0 ? a.gamma * std::pow(rest, a.gamma - 1) * p * log_p : 0;
  const double slope = (inner - power) * weight;
  for (int64_t k = 0; k < classes; ++k)
    gradient[k] = static_cast<float>(slope * ((k == label ? 1.0 : 0.0) - std::exp(x[k] - log_sum)));
  return -power * log_p * weight;
}

double LossRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
               double total_weight, float* gradient) {
  switch (a.kind) {
    case LossKind::kSoftmaxCrossEntropy:
      return CrossEntropyRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kHinge:
      return HingeRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kMeanSquaredError:
      return MeanSquaredErrorRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFocal:
      return FocalRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFormula:
      break;
  }
  return 0;
}

// The contribution of one image with targets [K] to the mean loss over `images` images; writes its
// gradient by x. `row` [K] is scratch memory.
double TargetRow(const LossAttributes& a, const float* x, int64_t classes, const float* targets,
                 double images, float* gradient, std::vector<float>& row) {
  double loss = 0;
  std::fill_n(gradient, classes, 0.0f);
  if (a.kind == LossKind::kMeanSquaredError) {
    const double share = 1 / (images * static_cast<double>(classes));
    for (int64_t k = 0; k < classes; ++k) {
      const double difference = static_cast<double>(x[k]) - targets[k];
      loss += share * difference * difference;
      gradient[k] = static_cast<float>(2 * share * difference);
    }
    return loss;
  }
  row.resize(classes);
  for (int64_t k = 0; k < classes; ++k) {
    if (targets[k] == 0) continue;
    const double of_class = LossRow(a, x, classes, static_cast<int32_t>(k), images, row.data());
    loss += targets[k] * of_class;
    for (int64_t j = 0; j < classes; ++j) gradient[j] += targets[k] * row[j];
  }
  return loss;
}

// ---- The reference implementation of losses ----

// The loss of one image with a label, weighted by class but not divided by the weight of the batch,
// and its gradient by x.
template <class T>
std::pair<T, std::vector<T>> LossOfRow(const LossAttributes& a, const std::vector<T>& x,
                                       int64_t label) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself
  const int64_t classes = static_cast<int64_t>(x.size());
  const auto weight = [&](int64_t k) { return a.class_weights.empty() ? 1.0 : a.class_weights[k]; };
  const auto target = [&](int64_t k) { return k == label ? 1.0 : 0.0; };
  T loss(0.0);
  std::vector<T> gradient(classes, T(0.0));
  switch (a.kind) {
    case LossKind::kSoftmaxCrossEntropy: {
      // The loss is -sum_k t_k w_k ln p_k for the smoothed target t and class weights w.
      const std::vector<T> p = Probabilities(x), log_p = LogProbabilities(x);
      for (int64_t k = 0; k < classes; ++k) {
        const double t =
            weight(k) * ((1 - a.label_smoothing) * target(k) + a.label_smoothing / classes);
        loss = loss - T(t) * log_p[k];
        for (int64_t j = 0; j < classes; ++j)
          gradient[j] = gradient[j] + T(t) * (p[j] - T(k == j ? 1.0 : 0.0));
      }
      break;
    }
    case LossKind::kHinge:
      for (int64_t k = 0; k < classes; ++k) {
        const T slack = T(a.margin) + x[k] - x[label];
        if (k == label || !(T(0.0) < slack)) continue;
        loss = loss + T(weight(label)) * slack;
        gradient[k] = gradient[k] + T(weight(label));
        gradient[label] = gradient[label] - T(weight(label));
      }
      break;
    case LossKind::kMeanSquaredError:
      for (int64_t k = 0; k < classes; ++k) {
        const T difference = x[k] - T(target(k));
        loss = loss + T(weight(label) / classes) * difference * difference;
        gradient[k] = T(2 * weight(label) / classes) * difference;
      }
      break;
    case LossKind::kFocal: {
      const std::vector<T> p = Probabilities(x);
      const T rest = T(1.0) - p[label], log_p = LogProbabilities(x)[label];
      loss = -(T(weight(label)) * pow(rest, T(a.gamma)) * log_p);
      // The derivative by ln p of the label, of which d ln p / d x_k = [k = label] - p_k.
      const T slope =
          T(weight(label)) *
          (T(a.gamma) * pow(rest, T(a.gamma - 1)) * log_p * p[label] - pow(rest, T(a.gamma)));
      for (int64_t k = 0; k < classes; ++k) gradient[k] = slope * (T(target(k)) - p[k]);
      break;
    }
    case LossKind::kFormula:
      break;  // Compute() handles it, for all predictions at once
  }
  return {loss, gradient};
}

// The loss of one image with targets [K], and its gradient by x.
template <class T>
std::pair<T, std::vector<T>> LossOfTargets(const LossAttributes& a, const std::vector<T>& x,
                                           const T* targets) {
  const auto classes = static_cast<int64_t>(x.size());
  T loss(0.0);
  std::vector<T> gradient(classes, T(0.0));
  for (int64_t k = 0; k < classes; ++k) {
    if (a.kind == LossKind::kMeanSquaredError) {
      const T difference = x[k] - targets[k], share(1.0 / static_cast<double>(classes));
      loss = loss + share * difference * difference;
      gradient[k] = T(2.0) * share * difference;
      continue;
    }
    const auto [of_class, along] = LossOfRow(a, x, k);
    loss = loss + targets[k] * of_class;
    for (int64_t j = 0; j < classes; ++j) gradient[j] = gradient[j] + targets[k] * along[j];
  }
  return {loss, gradient};
}

// ---- The operations weighted_targets and loss ----

class WeightedTargetsOperation : public OperationWithKernel<WeightedTargetsOperation> {
 public:
  const char* name() const override { return "weighted_targets"; }
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

class LossOperation : public OperationWithKernel<LossOperation> {
 public:
  const char* name() const override { return "loss"; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId prediction = rule.in(0);
    if (HasTargets(rule.graph, rule.node) && rule.Needs(rule.in(1)))
      return absl::UnimplementedError("a loss has no derivative by its targets");
    RuleBuilder rules(rule.graph, rule.node.name);
    if (rule.d[0] != kNoTensor) {
      ASSIGN_OR_RETURN(TensorId scaled,
                       Elementwise(rule.graph, rule.node.name, rules.a(0) * rules.a(1),
                                   {rule.out(1), rule.d[0]}));
      rule.Contribute(prediction, scaled);
    }
    if (rule.d[1] == kNoTensor || !rule.Needs(prediction)) return absl::OkStatus();
    const TensorId along = LossHessianProduct(rules, rule.node, rule.d[1]);
    if (along != kNoTensor) rule.Contribute(prediction, along);
    return rules.status();
  }

  absl::Status Jvp(ForwardRule& rule) const override {
    RuleBuilder rules(rule.graph, rule.node.name);
    const TensorId gradient = rule.out(1), along = rule.d[0];
    if (along == kNoTensor) return absl::OkStatus();
    if (rule.wanted[0])
      rule.made[0] = rules.Sum(rules.Elementwise(rules.a(0) * rules.a(1), {gradient, along},
                                                 Shape(rule.shape(gradient))));
    if (rule.wanted[1]) rule.made[1] = LossHessianProduct(rules, rule.node, along);
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const LossAttributes& a = node.as<LossAttributes>();
    const std::vector<T>& x = e.values[node.inputs[0]];
    const bool has_targets = HasTargets(e.graph, node);
    const std::vector<int64_t>& labels = e.indices[node.inputs[1]];
    const std::vector<T>& targets = e.values[node.inputs[1]];
    const int64_t classes = e.Channels(node.inputs[0]);
    const int64_t batch = static_cast<int64_t>(x.size()) / classes;
    T loss(0.0);
    std::vector<T> gradient;
    if (a.kind == LossKind::kFormula) {
      const Expr prediction = e.graph.Operand(0), target = e.graph.Operand(1);
      ASSIGN_OR_RETURN(const autodiff::symbolic::Program program,
                       autodiff::symbolic::Program::Create(
                           {a.formula, autodiff::symbolic::Differentiate(a.formula, prediction)},
                           {prediction, target}));
      const T share(1.0 / x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        const T target =
            has_targets ? targets[i]
                        : T(labels[i / classes] == static_cast<int64_t>(i) % classes ? 1.0 : 0.0);
        const std::vector<T> both = program.template Evaluate<T>(std::vector<T>{x[i], target});
        loss = loss + share * both[0];
        gradient.push_back(share * both[1]);
      }
    } else {
      double total_weight = has_targets ? static_cast<double>(batch) : 0;
      for (int64_t label : labels)
        total_weight += a.class_weights.empty() ? 1.0 : a.class_weights[label];
      const T share(total_weight > 0 ? 1.0 / total_weight : 0.0);  // weights all 0: the loss is 0
      for (int64_t n = 0; n < batch; ++n) {
        const std::vector<T> row(x.begin() + n * classes, x.begin() + (n + 1) * classes);
        const auto [row_loss, row_gradient] =
            has_targets ? LossOfTargets(a, row, targets.data() + n * classes)
                        : LossOfRow(a, row, labels[n]);
        loss = loss + share * row_loss;
        for (const T& g : row_gradient) gradient.push_back(share * g);
      }
    }
    e.values[node.outputs[0]] = {loss};
    e.values[node.outputs[1]] = std::move(gradient);
    return absl::OkStatus();
  }

  // Losses given by a formula run as one compiled loop over all predictions and targets; the other
  // losses run image by image.
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const LossAttributes attributes = kernel.node.as<LossAttributes>();
    const TensorId prediction = kernel.node.inputs[0], labels = kernel.node.inputs[1],
                   loss = kernel.node.outputs[0], gradient = kernel.node.outputs[1];
    const bool has_targets = HasTargets(kernel.graph, kernel.node);
    if (attributes.kind != LossKind::kFormula) {
      return [buffer = kernel.buffer, attributes, prediction, labels, loss, gradient,
              has_targets](int64_t) {
        LossTargets targets;
        if (has_targets) {
          targets.shares = buffer(labels).as<float>();
        } else {
          targets.labels = buffer(labels).as<int32_t>();
        }
        MeanLoss(attributes, buffer(prediction), targets, buffer(loss).as<float>(),
                 buffer(gradient));
      };
    }
    const int64_t count = kernel.graph.shape(prediction).NumElements(),
                  classes = kernel.graph.shape(prediction)[1];
    codegen::VectorProgram program;
    const absl::flat_hash_map<std::string, codegen::Value> operands = {
        {"a0", program.Load(ElementType::kF32)}, {"a1", program.Load(ElementType::kF32)}};
    ASSIGN_OR_RETURN(codegen::Value value, symbolic::Lower(attributes.formula, operands, program));
    ASSIGN_OR_RETURN(codegen::Value slope,
                     symbolic::Lower(symbolic::Plain(symbolic::Differentiate(
                                         attributes.formula, kernel.graph.Operand(0))) *
                                         (1.0 / count),
                                     operands, program));
    program.Store(slope, ElementType::kF32);
    program.Sum(value);
    ASSIGN_OR_RETURN(std::unique_ptr<codegen::VectorKernel> compiled,
                     codegen::VectorKernel::Compile(program));
    std::shared_ptr<codegen::VectorKernel> compiled_kernel = std::move(compiled);
    auto one_hot = std::make_shared<std::vector<float>>(has_targets ? 0 : count);
    return [buffer = kernel.buffer, compiled_kernel, one_hot, prediction, labels, loss, gradient,
            count, classes, has_targets](int64_t) {
      std::fill(one_hot->begin(), one_hot->end(), 0.0f);
      for (int64_t n = 0; !has_targets && n < count / classes; ++n)
        (*one_hot)[n * classes + buffer(labels).as<int32_t>()[n]] = 1;
      const void* loads[] = {buffer(prediction).data,
                             has_targets ? buffer(labels).as<float>() : one_hot->data()};
      void* stores[] = {buffer(gradient).data};
      float sum = 0;
      float* sums[] = {&sum};
      const int64_t strides[] = {4, 4};
      (*compiled_kernel)({.rows = count,
                          .loads = loads,
                          .load_strides = strides,
                          .stores = stores,
                          .store_strides = strides,
                          .sums = sums});
      *buffer(loss).as<float>() = sum / static_cast<float>(count);
    };
  }
};

const WeightedTargetsOperation weighted_targets;
const LossOperation loss_operation;
const Op kWeightedTargets = &weighted_targets;

}  // namespace

const Op kLoss = &loss_operation;

void MeanLoss(const LossAttributes& attributes, const Buffer& prediction,
              const LossTargets& targets, float* loss, const Buffer& gradient) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  const auto x = [&](int64_t n) { return prediction.as<float>() + n * classes; };
  const auto d = [&](int64_t n) { return gradient.as<float>() + n * classes; };
  double total = 0;
  if (targets.shares != nullptr) {
    std::vector<float> row;
    for (int64_t n = 0; n < batch; ++n)
      total += TargetRow(attributes, x(n), classes, targets.shares + n * classes,
                         static_cast<double>(batch), d(n), row);
    *loss = static_cast<float>(total);
    return;
  }
  double total_weight = 0;
  for (int64_t n = 0; n < batch; ++n) total_weight += WeightOf(attributes, targets.labels[n]);
  if (total_weight > 0) {
    for (int64_t n = 0; n < batch; ++n)
      total += LossRow(attributes, x(n), classes, targets.labels[n], total_weight, d(n));
  } else {
    SetToZero(gradient);
  }
  *loss = static_cast<float>(total);
}

LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  std::vector<float> gradient(classes), row;
  LossSums sums;
  for (int64_t n = 0; n < batch; ++n) {
    const float* const x = prediction.as<float>() + n * classes;
    if (targets.shares != nullptr) {
      sums.loss +=
          TargetRow(attributes, x, classes, targets.shares + n * classes, 1, gradient.data(), row);
      sums.weight += 1;
    } else {
      sums.loss += LossRow(attributes, x, classes, targets.labels[n], 1, gradient.data());
      sums.weight += WeightOf(attributes, targets.labels[n]);
    }
  }
  return sums;
}

absl::StatusOr<TensorId> LossOf(Graph& graph, absl::string_view name, TensorId prediction,
                                TensorId labels, const LossAttributes& loss) {
  const Shape predicted = graph.shape(prediction);
  if (predicted.rank() != 2) {
    return Invalid(
        name, absl::StrCat("needs predictions [batch, classes]; '", graph.tensor(prediction).name,
                           "' has shape ", predicted.ToString(),
                           ". End the network with a linear layer or a global pooling."));
  }
  const bool has_targets = graph.shape(labels) == predicted;
  if (!has_targets && graph.shape(labels) != Shape({predicted[0]}))
    return Invalid(name, absl::StrCat("labels ", graph.shape(labels).ToString(),
                                      " do not fit predictions ", predicted.ToString()));
  if (!loss.class_weights.empty() &&
      static_cast<int64_t>(loss.class_weights.size()) != predicted[1]) {
    return Invalid(name, absl::StrCat(loss.class_weights.size(), " class weights for ",
                                      predicted[1], " classes"));
  }
  if (has_targets && !loss.class_weights.empty() && loss.kind != LossKind::kSoftmaxCrossEntropy) {
    return Invalid(name, "only softmax cross-entropy weights classes of targets that are shares");
  }
  LossAttributes attributes = loss;
  if (loss.formula) attributes.formula = graph.pool().Import(loss.formula);
  return graph.AddNode(kLoss, name, {prediction, labels}, attributes,
                       {{"", Shape()}, {".gradient", predicted}})[0];
}

}  // namespace cotangent::layers
