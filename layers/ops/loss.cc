// The loss as an operation: its reference implementation, its derivatives and its kernel, for every
// loss of layers/ops/losses/. N is the number of images and K the number of classes. Targets [N, K]
// are shares of the classes (which usually sum to 1), or arbitrary numbers.

#include "layers/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <memory>
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
#include "layers/ops/loss_hessian.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/rules.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

namespace codegen = autodiff::codegen;
namespace symbolic = autodiff::symbolic;

// Returns the contribution of image n to the mean loss over a batch: its loss, divided by
// `divisor`. Writes the gradient [K] of that contribution by the image's predictions.
double LossOfImage(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets, int64_t n, double divisor, float* gradient,
                   std::vector<float>& scratch) {
  const int64_t classes = prediction.shape[1];
  const LossImage image{prediction.as<float>() + n * classes, classes, divisor, gradient,
                        attributes.class_weights};
  return targets.shares != nullptr
             ? attributes.image_loss->OfTargets(image, targets.shares + n * classes, scratch)
             : attributes.image_loss->OfLabel(image, targets.labels[n]);
}

// Returns the formula as a function of the prediction and the target.
absl::StatusOr<symbolic::Program> ProgramOf(const Expr& formula) {
  symbolic::Pool& pool = formula.pool();
  return symbolic::Program::Create({formula}, {pool.Variable("a0"), pool.Variable("a1")});
}

LossSums SumFormula(const LossAttributes& attributes, const Buffer& prediction,
                    const LossTargets& targets) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  const symbolic::Program program = ProgramOf(attributes.formula).value();  // LossOf() has tried
  double sum = 0;
  for (int64_t i = 0; i < batch * classes; ++i) {
    const double target = targets.shares != nullptr                    ? targets.shares[i]
                          : targets.labels[i / classes] == i % classes ? 1
                                                                       : 0;
    sum += program.Evaluate<double>(std::vector<double>{prediction.as<float>()[i], target})[0];
  }
  return {sum / static_cast<double>(classes), static_cast<double>(batch)};
}

class LossOperation : public OperationWithKernel<LossOperation> {
 public:
  const char* name() const override { return "loss"; }
  bool occurs_in_inference() const override { return false; }

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
    if (a.formula) {
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
      for (const int64_t label : labels) total_weight += WeightOf(a.class_weights, label);
      const T share(total_weight > 0 ? 1.0 / total_weight : 0.0);  // weights all 0: the loss is 0
      for (int64_t n = 0; n < batch; ++n) {
        const std::vector<T> row(x.begin() + n * classes, x.begin() + (n + 1) * classes);
        ReferenceImage<T> image{row, a.class_weights};
        if (has_targets) {
          image.targets.assign(targets.begin() + n * classes, targets.begin() + (n + 1) * classes);
        } else {
          image.label = labels[n];
        }
        a.image_loss->Compute(image);
        loss = loss + share * image.loss;
        for (const T& g : image.gradient) gradient.push_back(share * g);
      }
    }
    e.values[node.outputs[0]] = {loss};
    e.values[node.outputs[1]] = std::move(gradient);
    return absl::OkStatus();
  }

  // A loss given by a formula runs as one compiled loop over all predictions and targets. Any other
  // loss runs image by image.
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const LossAttributes attributes = kernel.node.as<LossAttributes>();
    const TensorId prediction = kernel.node.inputs[0], labels = kernel.node.inputs[1],
                   loss = kernel.node.outputs[0], gradient = kernel.node.outputs[1];
    const bool has_targets = HasTargets(kernel.graph, kernel.node);
    if (!attributes.formula) {
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

const LossOperation loss_operation;

}  // namespace

const Op kLoss = &loss_operation;

void MeanLoss(const LossAttributes& attributes, const Buffer& prediction,
              const LossTargets& targets, float* loss, const Buffer& gradient) {
  const int64_t batch = prediction.shape[0];
  std::vector<float> scratch;
  const bool has_targets = targets.shares != nullptr;
  const double divisor =
      has_targets ? static_cast<double>(batch)
                  : SumOfWeights(attributes, {targets.labels, static_cast<size_t>(batch)});
  double total = 0;
  if (divisor > 0) {
    for (int64_t n = 0; n < batch; ++n)
      total += LossOfImage(attributes, prediction, targets, n, divisor,
                           gradient.as<float>() + n * prediction.shape[1], scratch);
  } else {
    SetToZero(gradient);
  }
  *loss = static_cast<float>(total);
}

double SumOfWeights(const LossAttributes& attributes, absl::Span<const int32_t> labels) {
  double sum = 0;
  for (const int32_t label : labels) sum += WeightOf(attributes.class_weights, label);
  return sum;
}

LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  if (attributes.formula) return SumFormula(attributes, prediction, targets);
  std::vector<float> gradient(classes), scratch;
  LossSums sums;
  for (int64_t n = 0; n < batch; ++n) {
    sums.loss += LossOfImage(attributes, prediction, targets, n, 1, gradient.data(), scratch);
    sums.weight +=
        targets.shares != nullptr ? 1 : WeightOf(attributes.class_weights, targets.labels[n]);
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
  if (has_targets && !loss.class_weights.empty() &&
      !(loss.image_loss != nullptr && loss.image_loss->weights_targets())) {
    return Invalid(name, "this loss does not weight the classes of targets that are shares");
  }
  LossAttributes attributes = loss;
  if (loss.formula) {
    attributes.formula = graph.pool().Import(loss.formula);
    RETURN_IF_ERROR(ProgramOf(attributes.formula).status());
  }
  return graph.AddNode(kLoss, name, {prediction, labels}, attributes,
                       {{"", Shape()}, {".gradient", predicted}})[0];
}

}  // namespace cotangent::layers
