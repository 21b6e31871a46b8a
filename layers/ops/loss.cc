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
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/rules.h"
#include "layers/ops/softmax.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

namespace codegen = autodiff::codegen;
namespace symbolic = autodiff::symbolic;

// labels [N] -> [N, K]: in the column of the label its class weight (1 without class weights), else
// 0. The attribute is that of a loss.
extern const Op kOneHot;

// ---- Second derivatives

// `quotient` where the divisor, a sum of weights, is above 0, else 0: a batch without weight has
// the loss 0.
Expr WhereWeighted(RuleBuilder& rules, const Expr& divisor, const Expr& quotient) {
  symbolic::Pool& pool = rules.graph().pool();
  return symbolic::Select(pool.Constant(0), divisor, quotient, pool.Constant(0));
}

// Weights of the label's class, one an image, [N], divided by their sum over the batch: each
// image's share in the loss.
TensorId SharesOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  const LossAttributes& attributes = loss.as<LossAttributes>();
  if (attributes.class_weights.empty()) return Constant(rules.graph(), 1.0 / shape[0], {shape[0]});
  const TensorId weighted = rules.Like(kOneHot, loss, {loss.inputs[1]}, shape);
  const TensorId weights = PerImage(rules, shape).Sum(rules.a(0), {weighted});
  return rules.Elementwise(WhereWeighted(rules, rules.a(1), rules.a(0) / rules.a(1)),
                           {weights, rules.Sum(weighted)}, {shape[0]});
}

// 1 in the column of the label's class.
TensorId TargetsOf(RuleBuilder& rules, const Node& loss, const Shape& shape) {
  return rules.graph().AddNode(kOneHot, rules.name(), {loss.inputs[1]}, LossAttributes{},
                               Shape(shape));
}

// The gradient is share T (p - t), where t is the smoothed target and T its sum, weighted by class.
TensorId CrossEntropyHessianProduct(RuleBuilder& rules, const Node& loss, const Shape& shape,
                                    TensorId t) {
  const LossAttributes& attributes = loss.as<LossAttributes>();
  const TensorId probabilities = rules.Like(kSoftmax, loss, {loss.inputs[0]}, shape);
  const TensorId along = rules.Like(kSoftmaxGradient, loss, {t, probabilities}, shape);
  PerImage image(rules, shape);
  const TensorId share = SharesOf(rules, loss, shape);
  const std::vector<double>& weights = attributes.class_weights;
  if (weights.empty()) return image.Map(rules.a(0) * rules.a(1), {along, share});
  const double smoothing = attributes.label_smoothing;
  const double spread = smoothing / shape[1] * std::accumulate(weights.begin(), weights.end(), 0.0);
  const TensorId total = rules.Sum(rules.Like(kOneHot, loss, {loss.inputs[1]}, shape));
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
  const double gamma = loss.as<LossAttributes>().gamma;
  const Shape batch = {shape[0]};
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4),
             a5 = rules.a(5);
  const TensorId p = rules.Like(kSoftmax, loss, {loss.inputs[0]}, shape),
                 o = TargetsOf(rules, loss, shape);
  const TensorId p_along = rules.Like(kSoftmaxGradient, loss, {t, p}, shape);
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

// The second derivative of a loss by its prediction, times t [N, K]; it is its own adjoint.
// kNoTensor: it is zero.
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

// ---- Kernels

// The sum of values in double, of every row of f32 [N, K], scaled: mean over the batch of weights.
double WeightOf(const LossAttributes& attributes, int32_t label) {
  return attributes.class_weights.empty() ? 1.0 : attributes.class_weights[label];
}

// PyTorch's cross_entropy with label smoothing s: (1 - s) w_y (-log p_y) + s / K sum_k w_k (-log
// p_k), over sum of w_y.
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

// Against the one-hot target, mean over classes too, as PyTorch's mse_loss.
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

// (1 - p)^gamma (-log p) for p the probability of the label (Lin et al., "Focal loss for dense
// object detection", 2017).
double FocalRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), weight = WeightOf(a, label) / total_weight;
  const double log_p = x[label] - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);
  const double power = std::pow(rest, a.gamma);
  // d loss / d log p = gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma.
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

// ---- The reference

// Loss of one row of predictions, unweighted by the batch, and its gradient.
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
      // -sum_k t_k w_k ln p_k for the smoothed target t.
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
      // By ln p of the label: d ln p / d x_k = [k = label] - p_k.
      const T slope =
          T(weight(label)) *
          (T(a.gamma) * pow(rest, T(a.gamma - 1)) * log_p * p[label] - pow(rest, T(a.gamma)));
      for (int64_t k = 0; k < classes; ++k) gradient[k] = slope * (T(target(k)) - p[k]);
      break;
    }
    case LossKind::kFormula:
      break;  // of all predictions at once: Compute()
  }
  return {loss, gradient};
}

// ---- The operations

class OneHotOperation : public OperationWithKernel<OneHotOperation> {
 public:
  const char* name() const override { return "one_hot"; }
  absl::Status Vjp(ReverseRule&) const override { return absl::OkStatus(); }
  absl::Status Jvp(ForwardRule&) const override { return absl::OkStatus(); }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<double>& weights = node.as<LossAttributes>().class_weights;
    const std::vector<int64_t>& labels = e.indices[node.inputs[0]];
    std::vector<T> y = e.Zeros(node.outputs[0]);
    for (size_t n = 0; n < labels.size(); ++n)
      y[n * e.Channels(node.outputs[0]) + labels[n]] =
          T(weights.empty() ? 1.0 : weights[labels[n]]);
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const std::vector<double>& weights = node.as<LossAttributes>().class_weights;
      const int32_t* labels = buffer(node.inputs[0]).as<int32_t>();
      const Buffer y = buffer(node.outputs[0]);
      SetToZero(y);
      for (int64_t n = 0; n < y.shape[0]; ++n)
        y.as<float>()[n * y.shape[1] + labels[n]] =
            weights.empty() ? 1.0f : static_cast<float>(weights[labels[n]]);
    };
  }
};

class LossOperation : public OperationWithKernel<LossOperation> {
 public:
  const char* name() const override { return "loss"; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId prediction = rule.in(0);
    RuleBuilder rules(rule.graph, rule.node.name);
    if (rule.d[0] != kNoTensor) {
      absl::StatusOr<TensorId> scaled = Elementwise(
          rule.graph, rule.node.name, rules.a(0) * rules.a(1), {rule.out(1), rule.d[0]});
      if (!scaled.ok()) return scaled.status();
      rule.Contribute(prediction, *scaled);
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
    const std::vector<int64_t>& labels = e.indices[node.inputs[1]];
    const int64_t batch = static_cast<int64_t>(labels.size()), classes = e.Channels(node.inputs[0]);
    T loss(0.0);
    std::vector<T> gradient;
    if (a.kind == LossKind::kFormula) {
      const Expr prediction = e.graph.Operand(0), target = e.graph.Operand(1);
      const absl::StatusOr<autodiff::symbolic::Program> program =
          autodiff::symbolic::Program::Create(
              {a.formula, autodiff::symbolic::Differentiate(a.formula, prediction)},
              {prediction, target});
      if (!program.ok()) return program.status();
      const T share(1.0 / x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        const std::vector<T> both = program->template Evaluate<T>(std::vector<T>{
            x[i], T(labels[i / classes] == static_cast<int64_t>(i) % classes ? 1.0 : 0.0)});
        loss = loss + share * both[0];
        gradient.push_back(share * both[1]);
      }
    } else {
      double total_weight = 0;
      for (int64_t label : labels)
        total_weight += a.class_weights.empty() ? 1.0 : a.class_weights[label];
      const T share(total_weight > 0 ? 1.0 / total_weight
                                     : 0.0);  // without any weight the loss is 0
      for (int64_t n = 0; n < batch; ++n) {
        const auto [row_loss, row_gradient] = LossOfRow(
            a, std::vector<T>(x.begin() + n * classes, x.begin() + (n + 1) * classes), labels[n]);
        loss = loss + share * row_loss;
        for (const T& g : row_gradient) gradient.push_back(share * g);
      }
    }
    e.values[node.outputs[0]] = {loss};
    e.values[node.outputs[1]] = std::move(gradient);
    return absl::OkStatus();
  }

  // A loss by formula runs as one flat kernel over predictions and one-hot targets.
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const LossAttributes attributes = kernel.node.as<LossAttributes>();
    const TensorId prediction = kernel.node.inputs[0], labels = kernel.node.inputs[1],
                   loss = kernel.node.outputs[0], gradient = kernel.node.outputs[1];
    if (attributes.kind != LossKind::kFormula) {
      return [buffer = kernel.buffer, attributes, prediction, labels, loss, gradient](int64_t) {
        MeanLoss(attributes, buffer(prediction), buffer(labels).as<int32_t>(),
                 buffer(loss).as<float>(), buffer(gradient));
      };
    }
    const int64_t count = kernel.graph.shape(prediction).NumElements(),
                  classes = kernel.graph.shape(prediction)[1];
    codegen::VectorProgram program;
    const absl::flat_hash_map<std::string, codegen::Value> operands = {
        {"a0", program.Load(ElementType::kF32)}, {"a1", program.Load(ElementType::kF32)}};
    absl::StatusOr<codegen::Value> value = symbolic::Lower(attributes.formula, operands, program);
    if (!value.ok()) return value.status();
    absl::StatusOr<codegen::Value> slope = symbolic::Lower(
        symbolic::Plain(symbolic::Differentiate(attributes.formula, kernel.graph.Operand(0))) *
            (1.0 / count),
        operands, program);
    if (!slope.ok()) return slope.status();
    program.Store(*slope, ElementType::kF32);
    program.Sum(*value);
    absl::StatusOr<std::unique_ptr<codegen::VectorKernel>> compiled =
        codegen::VectorKernel::Compile(program);
    if (!compiled.ok()) return compiled.status();
    std::shared_ptr<codegen::VectorKernel> compiled_kernel = *std::move(compiled);
    auto target = std::make_shared<std::vector<float>>(count);
    return [buffer = kernel.buffer, compiled_kernel, target, prediction, labels, loss, gradient,
            count, classes](int64_t) {
      std::fill(target->begin(), target->end(), 0.0f);
      for (int64_t n = 0; n < count / classes; ++n)
        (*target)[n * classes + buffer(labels).as<int32_t>()[n]] = 1;
      const void* loads[] = {buffer(prediction).data, target->data()};
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

const OneHotOperation one_hot;
const LossOperation loss_operation;
const Op kOneHot = &one_hot;

}  // namespace

const Op kLoss = &loss_operation;

void MeanLoss(const LossAttributes& attributes, const Buffer& prediction, const int32_t* labels,
              float* loss, const Buffer& gradient) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  double total_weight = 0, total = 0;
  for (int64_t n = 0; n < batch; ++n) total_weight += WeightOf(attributes, labels[n]);
  if (total_weight > 0) {
    for (int64_t n = 0; n < batch; ++n)
      total += LossRow(attributes, prediction.as<float>() + n * classes, classes, labels[n],
                       total_weight, gradient.as<float>() + n * classes);
  } else {
    SetToZero(gradient);
  }
  *loss = static_cast<float>(total);
}

LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const int32_t* labels) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  std::vector<float> gradient(classes);
  LossSums sums;
  for (int64_t n = 0; n < batch; ++n) {
    sums.loss += LossRow(attributes, prediction.as<float>() + n * classes, classes, labels[n], 1,
                         gradient.data());
    sums.weight += WeightOf(attributes, labels[n]);
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
  if (graph.shape(labels) != Shape({predicted[0]}))
    return Invalid(name, absl::StrCat("labels ", graph.shape(labels).ToString(),
                                      " do not fit predictions ", predicted.ToString()));
  if (!loss.class_weights.empty() &&
      static_cast<int64_t>(loss.class_weights.size()) != predicted[1]) {
    return Invalid(name, absl::StrCat(loss.class_weights.size(), " class weights for ",
                                      predicted[1], " classes"));
  }
  LossAttributes attributes = loss;
  if (loss.formula) attributes.formula = graph.pool().Import(loss.formula);
  return graph.AddNode(kLoss, name, {prediction, labels}, attributes,
                       {{"", Shape()}, {".gradient", predicted}})[0];
}

}  // namespace cotangent::layers
