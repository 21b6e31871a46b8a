#include "layers/graph/jvp.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "layers/graph/derivative_rules.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// Tangents of a graph's tensors while they are made, from the first operation to the last.
class Forward {
 public:
  explicit Forward(Graph& graph) : graph_(graph) {}

  absl::StatusOr<std::vector<TensorId>> Run(absl::Span<const TensorId> outputs,
                                            absl::Span<const TensorId> with_respect_to,
                                            absl::Span<const TensorId> tangents);

 private:
  void MarkNeeded(absl::Span<const TensorId> outputs);
  absl::Status Visit(const Node& node);
  // One rule for each kind of operation; those that are linear in their first input alone share
  // one.
  TensorId Linear(Op op, const Node& node, std::vector<TensorId> inputs, RuleBuilder& rules);
  TensorId Elementwise(const Node& node, RuleBuilder& rules);
  void Moments(const Node& node, RuleBuilder& rules);
  TensorId Bilinear(const Node& node, RuleBuilder& rules);
  TensorId Concat(const Node& node, RuleBuilder& rules);
  void LayerNorm(const Node& node, RuleBuilder& rules);
  TensorId LayerNormGradient(const Node& node, RuleBuilder& rules);
  TensorId SoftmaxGradient(const Node& node, RuleBuilder& rules);
  void Loss(const Node& node, RuleBuilder& rules);

  const Shape& ShapeOf(TensorId t) const { return graph_.shape(t); }
  // Of those that are not zero; kNoTensor where all are.
  static TensorId Sum(std::vector<TensorId> terms, RuleBuilder& rules) {
    terms.erase(std::remove(terms.begin(), terms.end(), kNoTensor), terms.end());
    return terms.empty() ? kNoTensor : rules.Add(std::move(terms));
  }

  Graph& graph_;
  std::vector<bool> needed_;        // by tensor
  std::vector<TensorId> tangents_;  // by tensor; kNoTensor: zero
};

void Forward::MarkNeeded(absl::Span<const TensorId> outputs) {
  needed_.assign(graph_.num_tensors(), false);
  for (TensorId t : outputs) {
    if (t != kNoTensor) needed_[t] = true;
  }
  for (int i = static_cast<int>(graph_.nodes().size()) - 1; i >= 0; --i) {
    const Node& node = graph_.node(i);
    bool needed = false;
    for (TensorId output : node.outputs) needed = needed || needed_[output];
    if (!needed) continue;
    for (TensorId input : node.inputs) needed_[input] = true;
  }
}

absl::StatusOr<std::vector<TensorId>> Forward::Run(absl::Span<const TensorId> outputs,
                                                   absl::Span<const TensorId> with_respect_to,
                                                   absl::Span<const TensorId> tangents) {
  MarkNeeded(outputs);
  tangents_.assign(graph_.num_tensors(), kNoTensor);
  std::vector<bool> is_given(graph_.num_tensors(), false);
  for (size_t i = 0; i < with_respect_to.size(); ++i)
    tangents_[with_respect_to[i]] = tangents[i], is_given[with_respect_to[i]] = true;
  const int count = static_cast<int>(graph_.nodes().size());
  for (int i = 0; i < count; ++i) {
    const Node node = graph_.node(i);  // a copy: the rules add nodes
    bool reached = false, needed = false;
    for (TensorId input : node.inputs) reached = reached || tangents_[input] != kNoTensor;
    for (TensorId output : node.outputs) needed = needed || (needed_[output] && !is_given[output]);
    if (!reached || !needed) continue;
    if (absl::Status status = Visit(node); !status.ok()) return status;
  }
  std::vector<TensorId> results;
  for (TensorId t : outputs) results.push_back(t == kNoTensor ? kNoTensor : tangents_[t]);
  return results;
}

absl::Status Forward::Visit(const Node& node) {
  RuleBuilder rules(graph_, node.name);
  const std::vector<TensorId>& in = node.inputs;
  TensorId& tangent = tangents_[node.outputs[0]];
  switch (node.op) {
    case Op::kInput:
    case Op::kParameter:
    case Op::kState:
    case Op::kConstant:
    case Op::kDropoutMask:
    case Op::kOneHot:
      break;
    case Op::kElementwise:
      tangent = Elementwise(node, rules);
      break;
    case Op::kMoments:
      Moments(node, rules);
      break;
    case Op::kConvolution:
    case Op::kConvolutionInputGradient:
    case Op::kConvolutionWeightGradient:
      tangent = Bilinear(node, rules);
      break;
    case Op::kMaxPool:
      tangent = Linear(Op::kMaxPoolGather, node, {tangents_[in[0]], node.outputs[1]}, rules);
      break;
    case Op::kMaxPoolGather:
    case Op::kMaxUnpool:
      tangent = Linear(node.op, node, {tangents_[in[0]], in[1]}, rules);
      break;
    case Op::kChannelSum:
    case Op::kAveragePool:
    case Op::kAverageUnpool:
    case Op::kPad:
    case Op::kUnpad:
    case Op::kSlice:
    case Op::kUnslice:
    case Op::kReshape:
      tangent = Linear(node.op, node, {tangents_[in[0]]}, rules);
      break;
    case Op::kConcat:
      tangent = Concat(node, rules);
      break;
    case Op::kLayerNorm:
      LayerNorm(node, rules);
      break;
    case Op::kLayerNormGradient:
      tangent = LayerNormGradient(node, rules);
      break;
    case Op::kSoftmax:
      // The Jacobian of softmax is symmetric.
      tangent = Linear(Op::kSoftmaxGradient, node, {tangents_[in[0]], node.outputs[0]}, rules);
      break;
    case Op::kSoftmaxGradient:
      tangent = SoftmaxGradient(node, rules);
      break;
    case Op::kLoss:
      Loss(node, rules);
      break;
  }
  return rules.status();
}

TensorId Forward::Linear(Op op, const Node& node, std::vector<TensorId> inputs,
                         RuleBuilder& rules) {
  return inputs[0] == kNoTensor
             ? kNoTensor
             : rules.Like(op, node, std::move(inputs), Shape(ShapeOf(node.outputs[0])));
}

TensorId Forward::Elementwise(const Node& node, RuleBuilder& rules) {
  std::vector<TensorId> operands = node.inputs;
  std::vector<Expr> terms;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (tangents_[node.inputs[i]] == kNoTensor) continue;
    const Expr derivative = symbolic::Plain(
        symbolic::Differentiate(node.attributes.formula, rules.a(static_cast<int>(i))));
    if (derivative.IsZero()) continue;
    terms.push_back(derivative * rules.a(static_cast<int>(operands.size())));
    operands.push_back(tangents_[node.inputs[i]]);
  }
  if (terms.empty()) return kNoTensor;
  return rules.Elementwise(symbolic::Add(terms), std::move(operands),
                           Shape(ShapeOf(node.outputs[0])));
}

// mean' = M(x'), variance' = 2 M((x - mean) x').
void Forward::Moments(const Node& node, RuleBuilder& rules) {
  const TensorId x = node.inputs[0], mean = node.outputs[0], variance = node.outputs[1],
                 dx = tangents_[x];
  const Shape shape = ShapeOf(x), channels = ShapeOf(mean);
  const double share = static_cast<double>(shape[1]) / static_cast<double>(shape.NumElements());
  if (needed_[mean])
    tangents_[mean] = rules.Elementwise(rules.a(0) * share, {rules.ChannelSum(dx)}, channels);
  if (!needed_[variance]) return;
  const TensorId product =
      rules.Elementwise((rules.a(0) - rules.a(1)) * rules.a(2), {x, mean, dx}, shape);
  tangents_[variance] =
      rules.Elementwise(rules.a(0) * (2 * share), {rules.ChannelSum(product)}, channels);
}

TensorId Forward::Bilinear(const Node& node, RuleBuilder& rules) {
  const TensorId a = node.inputs[0], b = node.inputs[1], da = tangents_[a], db = tangents_[b];
  const Shape shape = ShapeOf(node.outputs[0]);
  return Sum({da == kNoTensor ? kNoTensor : rules.Like(node.op, node, {da, b}, shape),
              db == kNoTensor ? kNoTensor : rules.Like(node.op, node, {a, db}, shape)},
             rules);
}

TensorId Forward::Concat(const Node& node, RuleBuilder& rules) {
  std::vector<TensorId> parts;
  for (TensorId x : node.inputs)
    parts.push_back(tangents_[x] != kNoTensor ? tangents_[x]
                                              : graph_.Constant(0, Shape(ShapeOf(x))));
  return rules.Like(Op::kConcat, node, std::move(parts), Shape(ShapeOf(node.outputs[0])));
}

// With r the inverse deviation: y' = r (x' - M(x') - y M(y x')), of the gradient's form since the
// Jacobian is symmetric; mean' = M(x'), r' = -r^2 M(y x').
void Forward::LayerNorm(const Node& node, RuleBuilder& rules) {
  const TensorId y = node.outputs[0], mean = node.outputs[1], inverse = node.outputs[2],
                 dx = tangents_[node.inputs[0]];
  const Shape shape = ShapeOf(y), batch = ShapeOf(mean);
  PerImage image(rules, shape);
  if (needed_[y]) tangents_[y] = rules.Like(Op::kLayerNormGradient, node, {dx, y, inverse}, shape);
  if (needed_[mean])
    tangents_[mean] =
        rules.Elementwise(rules.a(0) / image.count(), {image.Sum(rules.a(0), {dx})}, batch);
  if (!needed_[inverse]) return;
  const TensorId along = image.Sum(rules.a(0) * rules.a(1), {y, dx});
  tangents_[inverse] = rules.Elementwise(-rules.a(0) * rules.a(0) * rules.a(1) / image.count(),
                                         {inverse, along}, batch);
}

TensorId Forward::LayerNormGradient(const Node& node, RuleBuilder& rules) {
  const TensorId g = tangents_[node.inputs[0]], y = tangents_[node.inputs[1]],
                 r = tangents_[node.inputs[2]], dx = node.outputs[0];
  const Shape shape = ShapeOf(dx);
  std::vector<TensorId> terms;
  if (g != kNoTensor)
    terms.push_back(rules.Like(node.op, node, {g, node.inputs[1], node.inputs[2]}, shape));
  if (y != kNoTensor) terms.push_back(GradientByOutput(rules, node, y, false));
  if (r != kNoTensor)
    terms.push_back(
        PerImage(rules, shape).Map(rules.a(0) * rules.a(1) / rules.a(2), {dx, r, node.inputs[2]}));
  return Sum(std::move(terms), rules);
}

TensorId Forward::SoftmaxGradient(const Node& node, RuleBuilder& rules) {
  const TensorId g = tangents_[node.inputs[0]], y = tangents_[node.inputs[1]];
  return Sum({g == kNoTensor
                  ? kNoTensor
                  : rules.Like(node.op, node, {g, node.inputs[1]}, Shape(ShapeOf(node.outputs[0]))),
              y == kNoTensor ? kNoTensor : GradientByOutput(rules, node, y, false)},
             rules);
}

void Forward::Loss(const Node& node, RuleBuilder& rules) {
  const TensorId loss = node.outputs[0], gradient = node.outputs[1],
                 along = tangents_[node.inputs[0]];
  if (needed_[loss])
    tangents_[loss] = rules.Sum(
        rules.Elementwise(rules.a(0) * rules.a(1), {gradient, along}, Shape(ShapeOf(gradient))));
  if (needed_[gradient]) tangents_[gradient] = LossHessianProduct(rules, node, along);
}

}  // namespace

absl::StatusOr<std::vector<TensorId>> JacobianVectorProduct(
    Graph& graph, absl::Span<const TensorId> outputs, absl::Span<const TensorId> with_respect_to,
    absl::Span<const TensorId> tangents) {
  if (with_respect_to.size() != tangents.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        with_respect_to.size(), " tensors need as many tangents; found ", tangents.size()));
  }
  for (size_t i = 0; i < tangents.size(); ++i) {
    if (graph.shape(tangents[i]) == graph.shape(with_respect_to[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the tangent of '", graph.tensor(with_respect_to[i]).name, "' ",
                     graph.shape(with_respect_to[i]).ToString(), " has shape ",
                     graph.shape(tangents[i]).ToString()));
  }
  return Forward(graph).Run(outputs, with_respect_to, tangents);
}

}  // namespace cotangent::layers
