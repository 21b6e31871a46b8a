#include "layers/graph/vjp.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "layers/graph/derivative_rules.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

#define RETURN_IF_ERROR(expression) \
  if (absl::Status status = (expression); !status.ok()) return status

// Cotangents of a graph's tensors while they are gathered, from the last operation to the first.
class Reverse {
 public:
  Reverse(Graph& graph, const ReverseOptions& options) : graph_(graph) {
    if (options.recompute) FindRecomputable();
  }

  absl::StatusOr<std::vector<TensorId>> Run(absl::Span<const TensorId> outputs,
                                            absl::Span<const TensorId> cotangents,
                                            absl::Span<const TensorId> with_respect_to);

 private:
  void FindRecomputable();
  // The value of t for a gradient by weights: t itself, or the same computed again.
  TensorId Again(TensorId t);
  void MarkNeeded(absl::Span<const TensorId> with_respect_to);
  void Contribute(TensorId to, TensorId cotangent) {
    if (needed_[to]) terms_[to].push_back(cotangent);
  }
  // Sum of what was contributed to t; kNoTensor if nothing was.
  absl::StatusOr<TensorId> CotangentOf(TensorId t);
  absl::Status Visit(int node);
  absl::Status VisitElementwise(const Node& node, TensorId dy);
  absl::Status VisitMoments(const Node& node, TensorId d_mean, TensorId d_variance);
  absl::Status VisitConcat(const Node& node, TensorId dy);
  absl::Status VisitLayerNorm(const Node& node, TensorId dy, TensorId d_mean, TensorId d_inverse);
  absl::Status VisitLayerNormGradient(const Node& node, TensorId d_dx);
  absl::Status VisitSoftmaxGradient(const Node& node, TensorId d_dx);
  absl::Status VisitLoss(const Node& node, TensorId d_loss, TensorId d_gradient);
  absl::StatusOr<TensorId> SumToChannels(const std::string& name, Expr integrand,
                                         const std::vector<TensorId>& operands);

  TensorId Like(Op op, const Node& node, std::vector<TensorId> inputs, TensorId like) {
    return graph_.AddNode(op, node.name, std::move(inputs), node.attributes,
                          Shape(graph_.shape(like)));
  }

  Graph& graph_;
  std::vector<bool> recomputable_;  // by tensor of the graph as it was given; empty: none
  std::vector<bool> needed_;
  std::vector<std::vector<TensorId>> terms_;
};

// What other operations than convolutions read, their own derivatives will most likely read again,
// so that it is kept anyway.
void Reverse::FindRecomputable() {
  recomputable_.assign(graph_.num_tensors(), false);
  for (const Node& node : graph_.nodes()) {
    if (node.op == Op::kElementwise)
      recomputable_[node.outputs[0]] = graph_.shape(node.outputs[0]).rank() == 4;
  }
  for (const Node& node : graph_.nodes()) {
    if (node.op == Op::kConvolution) continue;
    for (TensorId input : node.inputs) recomputable_[input] = false;
  }
}

TensorId Reverse::Again(TensorId t) {
  if (t >= static_cast<TensorId>(recomputable_.size()) || !recomputable_[t]) return t;
  const Node& node = graph_.producer(t);
  Attributes attributes = node.attributes;
  attributes.recomputed = true;
  return graph_.AddNode(Op::kElementwise, node.name, node.inputs, std::move(attributes),
                        Shape(graph_.shape(t)));
}

void Reverse::MarkNeeded(absl::Span<const TensorId> with_respect_to) {
  needed_.assign(graph_.num_tensors(), false);
  for (TensorId t : with_respect_to) needed_[t] = true;
  for (const Node& node : graph_.nodes()) {
    bool reached = false;
    for (TensorId input : node.inputs) reached = reached || needed_[input];
    if (!reached) continue;
    for (TensorId output : node.outputs) needed_[output] = true;
  }
}

absl::StatusOr<TensorId> Reverse::CotangentOf(TensorId t) {
  std::vector<TensorId>& terms = terms_[t];
  if (terms.empty()) return kNoTensor;
  if (terms.size() > 1) {
    absl::StatusOr<TensorId> sum = graph_.Add(graph_.tensor(t).name, terms);
    if (!sum.ok()) return sum;
    terms = {*sum};
  }
  return terms[0];
}

absl::StatusOr<std::vector<TensorId>> Reverse::Run(absl::Span<const TensorId> outputs,
                                                   absl::Span<const TensorId> cotangents,
                                                   absl::Span<const TensorId> with_respect_to) {
  MarkNeeded(with_respect_to);
  terms_.resize(graph_.num_tensors());
  const int last = static_cast<int>(graph_.nodes().size()) - 1;
  for (size_t i = 0; i < outputs.size(); ++i) Contribute(outputs[i], cotangents[i]);
  for (int node = last; node >= 0; --node) RETURN_IF_ERROR(Visit(node));
  std::vector<TensorId> results;
  for (TensorId t : with_respect_to) {
    absl::StatusOr<TensorId> cotangent = CotangentOf(t);
    if (!cotangent.ok()) return cotangent.status();
    results.push_back(*cotangent);
  }
  return results;
}

absl::Status Reverse::Visit(int index) {
  const Node node = graph_.node(index);  // a copy: the rules add nodes
  std::vector<TensorId> d;
  bool any = false;
  for (TensorId output : node.outputs) {
    absl::StatusOr<TensorId> cotangent = CotangentOf(output);
    if (!cotangent.ok()) return cotangent.status();
    d.push_back(*cotangent);
    any = any || *cotangent != kNoTensor;
  }
  if (!any) return absl::OkStatus();
  const std::vector<TensorId>& in = node.inputs;
  const TensorId dy = d[0];
  switch (node.op) {
    case Op::kInput:
    case Op::kParameter:
    case Op::kState:
    case Op::kConstant:
    case Op::kDropoutMask:
    case Op::kOneHot:
      return absl::OkStatus();
    case Op::kElementwise:
      return VisitElementwise(node, dy);
    case Op::kChannelSum: {
      // The adjoint of summing is spreading: an elementwise copy whose shape is given by x.
      Attributes attributes;
      attributes.formula = graph_.Operand(0);
      Contribute(in[0], graph_.AddNode(Op::kElementwise, node.name, {dy}, attributes,
                                       Shape(graph_.shape(in[0]))));
      return absl::OkStatus();
    }
    case Op::kMoments:
      return VisitMoments(node, d[0], d[1]);
    case Op::kConvolution:
      if (needed_[in[0]])
        Contribute(in[0], Like(Op::kConvolutionInputGradient, node, {dy, in[1]}, in[0]));
      if (needed_[in[1]])
        Contribute(in[1], Like(Op::kConvolutionWeightGradient, node, {Again(in[0]), dy}, in[1]));
      return absl::OkStatus();
    case Op::kConvolutionInputGradient:
      if (needed_[in[0]]) Contribute(in[0], Like(Op::kConvolution, node, {dy, in[1]}, in[0]));
      if (needed_[in[1]])
        Contribute(in[1], Like(Op::kConvolutionWeightGradient, node, {dy, in[0]}, in[1]));
      return absl::OkStatus();
    case Op::kConvolutionWeightGradient:
      if (needed_[in[0]])
        Contribute(in[0], Like(Op::kConvolutionInputGradient, node, {in[1], dy}, in[0]));
      if (needed_[in[1]]) Contribute(in[1], Like(Op::kConvolution, node, {in[0], dy}, in[1]));
      return absl::OkStatus();
    case Op::kMaxPool:
      Contribute(in[0], Like(Op::kMaxUnpool, node, {dy, node.outputs[1]}, in[0]));
      return absl::OkStatus();
    case Op::kMaxPoolGather:
      Contribute(in[0], Like(Op::kMaxUnpool, node, {dy, in[1]}, in[0]));
      return absl::OkStatus();
    case Op::kMaxUnpool:
      Contribute(in[0], Like(Op::kMaxPoolGather, node, {dy, in[1]}, in[0]));
      return absl::OkStatus();
    case Op::kAveragePool:
      Contribute(in[0], Like(Op::kAverageUnpool, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kAverageUnpool:
      Contribute(in[0], Like(Op::kAveragePool, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kPad:
      Contribute(in[0], Like(Op::kUnpad, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kUnpad:
      Contribute(in[0], Like(Op::kPad, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kConcat:
      return VisitConcat(node, dy);
    case Op::kSlice:
      Contribute(in[0], Like(Op::kUnslice, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kUnslice:
      Contribute(in[0], Like(Op::kSlice, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kReshape:
      Contribute(in[0], Like(Op::kReshape, node, {dy}, in[0]));
      return absl::OkStatus();
    case Op::kLayerNorm:
      return VisitLayerNorm(node, dy, d[1], d[2]);
    case Op::kSoftmax:
      Contribute(in[0], Like(Op::kSoftmaxGradient, node, {dy, node.outputs[0]}, in[0]));
      return absl::OkStatus();
    case Op::kLayerNormGradient:
      return VisitLayerNormGradient(node, dy);
    case Op::kSoftmaxGradient:
      return VisitSoftmaxGradient(node, dy);
    case Op::kLoss:
      return VisitLoss(node, dy, d[1]);
  }
  return absl::OkStatus();
}

absl::Status Reverse::VisitElementwise(const Node& node, TensorId dy) {
  const Shape result = graph_.shape(node.outputs[0]);
  std::vector<TensorId> operands = node.inputs;
  const Expr seed = graph_.Operand(static_cast<int>(operands.size()));
  operands.push_back(dy);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorId input = node.inputs[i];
    if (!needed_[input]) continue;
    const Expr derivative = symbolic::Plain(
        symbolic::Differentiate(node.attributes.formula, graph_.Operand(static_cast<int>(i))));
    if (derivative.IsZero()) continue;
    absl::StatusOr<TensorId> cotangent;
    if (graph_.shape(input) == result) {
      cotangent = graph_.Elementwise(node.name, derivative * seed, operands);
    } else if (graph_.shape(input).rank() == 1) {
      cotangent = SumToChannels(node.name, derivative * seed, operands);
    } else {
      RuleBuilder rules(graph_, node.name);
      cotangent = rules.Sum(rules.Elementwise(derivative * seed, operands, result));
      RETURN_IF_ERROR(rules.status());
    }
    if (!cotangent.ok()) return cotangent.status();
    Contribute(input, *cotangent);
  }
  return absl::OkStatus();
}

// ChannelSum of an integrand, with the factors that are constant over each channel taken out of the
// sum: the reductions of batch normalisation's gradient then turn out to be the same two, whatever
// they are multiplied with.
absl::StatusOr<TensorId> Reverse::SumToChannels(const std::string& name, Expr integrand,
                                                const std::vector<TensorId>& operands) {
  const TensorId full = operands.back();  // the cotangent has the full shape
  const auto varies = [&](Expr e) {
    for (Expr variable : symbolic::Variables(e)) {
      for (size_t i = 0; i < operands.size(); ++i) {
        if (variable == graph_.Operand(static_cast<int>(i)) &&
            graph_.shape(operands[i]) == graph_.shape(full))
          return true;
      }
    }
    return false;
  };
  std::vector<Expr> outside, inside;
  if (integrand.op() == symbolic::Op::kMul) {
    for (Expr factor : integrand.args()) (varies(factor) ? inside : outside).push_back(factor);
  } else {
    inside.push_back(integrand);
  }
  if (inside.empty())
    return absl::InternalError(absl::StrCat(name, ": a cotangent vanished from its own product"));
  absl::StatusOr<TensorId> summand = graph_.Elementwise(name, symbolic::Mul(inside), operands);
  if (!summand.ok()) return summand;
  absl::StatusOr<TensorId> sum = graph_.ChannelSum(name, *summand);
  if (!sum.ok() || outside.empty()) return sum;
  // The full tensors are not in what stands outside; were they among its operands, it would have
  // their shape.
  std::vector<TensorId> channel_operands = operands;
  for (TensorId& t : channel_operands) {
    if (graph_.shape(t).rank() >= 2) t = *sum;
  }
  const Expr sum_variable = graph_.Operand(static_cast<int>(operands.size()));
  channel_operands.push_back(*sum);
  outside.push_back(sum_variable);
  const Expr product = symbolic::Mul(outside);
  return graph_.Elementwise(name, product, channel_operands);
}

absl::Status Reverse::VisitMoments(const Node& node, TensorId d_mean, TensorId d_variance) {
  const TensorId x = node.inputs[0];
  const double count = static_cast<double>(graph_.shape(x).NumElements() / graph_.shape(x)[1]);
  const Expr a0 = graph_.Operand(0), a1 = graph_.Operand(1), a2 = graph_.Operand(2),
             a3 = graph_.Operand(3);
  absl::StatusOr<TensorId> dx;
  if (d_variance == kNoTensor) {
    Attributes attributes;
    attributes.formula = a0 / count;
    dx = graph_.AddNode(Op::kElementwise, node.name, {d_mean}, attributes, Shape(graph_.shape(x)));
  } else if (d_mean == kNoTensor) {
    dx = graph_.Elementwise(node.name, (a0 - a1) * a2 * (2 / count),
                            {x, node.outputs[0], d_variance});
  } else {
    dx = graph_.Elementwise(node.name, (a0 - a1) * a2 * (2 / count) + a3 / count,
                            {x, node.outputs[0], d_variance, d_mean});
  }
  if (!dx.ok()) return dx.status();
  Contribute(x, *dx);
  return absl::OkStatus();
}

absl::Status Reverse::VisitConcat(const Node& node, TensorId dy) {
  int64_t begin = 0;
  for (TensorId x : node.inputs) {
    const int64_t channels = graph_.shape(x)[1];
    if (needed_[x]) {
      absl::StatusOr<TensorId> dx = graph_.Slice(node.name, dy, begin, channels);
      if (!dx.ok()) return dx.status();
      Contribute(x, *dx);
    }
    begin += channels;
  }
  return absl::OkStatus();
}

// With r the inverse deviation: dx = r (dy - M(dy) - y M(dy y)) + d_mean / K - r^2 y d_r / K.
absl::Status Reverse::VisitLayerNorm(const Node& node, TensorId dy, TensorId d_mean,
                                     TensorId d_inverse) {
  const TensorId x = node.inputs[0], y = node.outputs[0], inverse = node.outputs[2];
  const Shape shape = graph_.shape(x);
  RuleBuilder rules(graph_, node.name);
  PerImage image(rules, shape);
  if (dy != kNoTensor) Contribute(x, Like(Op::kLayerNormGradient, node, {dy, y, inverse}, x));
  if (d_mean != kNoTensor) Contribute(x, image.Map(rules.a(0) / image.count(), {d_mean}));
  if (d_inverse != kNoTensor)
    Contribute(x, image.Map(-rules.a(0) * rules.a(1) * rules.a(1) * rules.a(2) / image.count(),
                            {y, inverse, d_inverse}));
  return rules.status();
}

absl::Status Reverse::VisitLayerNormGradient(const Node& node, TensorId d_dx) {
  const TensorId g = node.inputs[0], y = node.inputs[1], inverse = node.inputs[2],
                 dx = node.outputs[0];
  RuleBuilder rules(graph_, node.name);
  // In g the operation is its own adjoint.
  if (needed_[g]) Contribute(g, Like(Op::kLayerNormGradient, node, {d_dx, y, inverse}, g));
  if (needed_[y]) Contribute(y, GradientByOutput(rules, node, d_dx, true));
  if (needed_[inverse]) {
    const TensorId along =
        PerImage(rules, graph_.shape(y)).Sum(rules.a(0) * rules.a(1), {dx, d_dx});
    Contribute(inverse, rules.Elementwise(rules.a(0) / rules.a(1), {along, inverse},
                                          Shape(graph_.shape(inverse))));
  }
  return rules.status();
}

absl::Status Reverse::VisitSoftmaxGradient(const Node& node, TensorId d_dx) {
  const TensorId g = node.inputs[0], y = node.inputs[1];
  RuleBuilder rules(graph_, node.name);
  if (needed_[g]) Contribute(g, Like(Op::kSoftmaxGradient, node, {d_dx, y}, g));
  if (needed_[y]) Contribute(y, GradientByOutput(rules, node, d_dx, true));
  return rules.status();
}

absl::Status Reverse::VisitLoss(const Node& node, TensorId d_loss, TensorId d_gradient) {
  const TensorId prediction = node.inputs[0];
  if (d_loss != kNoTensor) {
    absl::StatusOr<TensorId> scaled = graph_.Elementwise(
        node.name, graph_.Operand(0) * graph_.Operand(1), {node.outputs[1], d_loss});
    if (!scaled.ok()) return scaled.status();
    Contribute(prediction, *scaled);
  }
  if (d_gradient == kNoTensor || !needed_[prediction]) return absl::OkStatus();
  RuleBuilder rules(graph_, node.name);
  const TensorId along = LossHessianProduct(rules, node, d_gradient);
  if (along != kNoTensor) Contribute(prediction, along);
  return rules.status();
}

}  // namespace

absl::StatusOr<std::vector<TensorId>> VectorJacobianProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> cotangents,
    absl::Span<const TensorId> with_respect_to, const ReverseOptions& options) {
  if (outputs.size() != cotangents.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        outputs.size(), " outputs need as many cotangents; found ", cotangents.size()));
  }
  return Reverse(graph, options).Run(outputs, cotangents, with_respect_to);
}

absl::StatusOr<std::vector<TensorId>> Gradient(Graph& graph, TensorId scalar,
                                               absl::Span<const TensorId> with_respect_to,
                                               const ReverseOptions& options) {
  const TensorId one = graph.Constant(1, Shape());
  return VectorJacobianProduct(graph, {scalar}, {one}, with_respect_to, options);
}

}  // namespace cotangent::layers
