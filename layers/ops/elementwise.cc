// Elementwise formulas and constants, and the layer `add`.

#include "layers/ops/elementwise.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/lower.h"
#include "autodiff/symbolic/parse.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/ops/rules.h"
#include "layers/ops/sums.h"
#include "layers/plan/pass_context.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// Rewrites the formula so that its operands are exactly the tensors that it uses, each once and in
// ascending order of tensor id; if it uses none, the first operand remains. Equal computations then
// become equal nodes, which the graph merges.
Expr Canonical(const Graph& graph, Expr formula, std::vector<TensorId>& operands) {
  std::vector<TensorId> used;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (autodiff::symbolic::Contains(formula, graph.Operand(static_cast<int>(i))))
      used.push_back(operands[i]);
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (used.empty()) used.push_back(operands[0]);
  autodiff::symbolic::Substitutions renamed;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto place = std::lower_bound(used.begin(), used.end(), operands[i]);
    if (place == used.end() || *place != operands[i]) continue;
    renamed[graph.Operand(static_cast<int>(i))] =
        graph.Operand(static_cast<int>(place - used.begin()));
  }
  operands = std::move(used);
  return autodiff::symbolic::Substitute(formula, renamed);
}

// Returns the sums [C] of `integrand` over each channel (axis 1). Moves the factors that are
// constant within a channel out of the sum. In the gradient of batch normalisation, several sums
// then become only two different ones, and the graph computes each of these once.
absl::StatusOr<TensorId> SumToChannels(Graph& graph, const std::string& name, Expr integrand,
                                       const std::vector<TensorId>& operands) {
  const TensorId full = operands.back();  // the cotangent has the full shape
  const auto varies = [&](Expr e) {
    for (Expr variable : symbolic::Variables(e)) {
      for (size_t i = 0; i < operands.size(); ++i) {
        if (variable == graph.Operand(static_cast<int>(i)) &&
            graph.shape(operands[i]) == graph.shape(full))
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
  ASSIGN_OR_RETURN(TensorId summand, Elementwise(graph, name, symbolic::Mul(inside), operands));
  absl::StatusOr<TensorId> sum = ChannelSum(graph, name, summand);
  if (!sum.ok() || outside.empty()) return sum;
  // The factors outside the sum use no full-size operand, but an unused full-size operand in the
  // list would still give the product the full shape. So such operands are replaced by the sum.
  std::vector<TensorId> channel_operands = operands;
  for (TensorId& t : channel_operands) {
    if (graph.shape(t).rank() >= 2) t = *sum;
  }
  const Expr sum_variable = graph.Operand(static_cast<int>(operands.size()));
  channel_operands.push_back(*sum);
  outside.push_back(sum_variable);
  const Expr product = symbolic::Mul(outside);
  return Elementwise(graph, name, product, channel_operands);
}

class ElementwiseOperation : public OperationOfPasses<ElementwiseOperation> {
 public:
  const char* name() const override { return "elementwise"; }
  bool is_cheap() const override { return true; }
  std::optional<std::string> Key(const Attributes& attributes) const override {
    return absl::StrCat(attributes.as<Expr>().id());
  }
  PassRole Role(const Graph&, const Node&) const override { return {.kind = PassRole::kPointwise}; }

  // A result is stored like weights (f32, row-major) if one of its 4-D inputs is.
  Storage StorageOf(const Graph& graph, const Node& node, int) const override {
    const auto is_plain = [&](TensorId t) {
      return graph.shape(t).rank() == 4 && graph.tensor(t).storage == Storage::kPlain;
    };
    return std::any_of(node.inputs.begin(), node.inputs.end(), is_plain) ? Storage::kPlain
                                                                         : Storage::kActivations;
  }

  absl::Status Vjp(ReverseRule& rule) const override {
    Graph& graph = rule.graph;
    const Node& node = rule.node;
    const Shape result = graph.shape(rule.out(0));
    std::vector<TensorId> operands = node.inputs;
    const Expr seed = graph.Operand(static_cast<int>(operands.size()));
    operands.push_back(rule.d[0]);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const TensorId input = node.inputs[i];
      if (!rule.Needs(input)) continue;
      const Expr derivative = symbolic::Plain(
          symbolic::Differentiate(node.as<Expr>(), graph.Operand(static_cast<int>(i))));
      if (derivative.IsZero()) continue;
      absl::StatusOr<TensorId> cotangent;
      if (graph.shape(input) == result) {
        cotangent = Elementwise(graph, node.name, derivative * seed, operands);
      } else if (graph.shape(input).rank() == 1) {
        cotangent = SumToChannels(graph, node.name, derivative * seed, operands);
      } else {
        RuleBuilder rules(graph, node.name);
        cotangent = rules.Sum(rules.Elementwise(derivative * seed, operands, result));
        RETURN_IF_ERROR(rules.status());
      }
      RETURN_IF_ERROR(cotangent.status());
      rule.Contribute(input, *cotangent);
    }
    return absl::OkStatus();
  }

  absl::Status Jvp(ForwardRule& rule) const override {
    const Node& node = rule.node;
    RuleBuilder rules(rule.graph, node.name);
    std::vector<TensorId> operands = node.inputs;
    std::vector<Expr> terms;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (rule.d[i] == kNoTensor) continue;
      const Expr derivative =
          symbolic::Plain(symbolic::Differentiate(node.as<Expr>(), rules.a(static_cast<int>(i))));
      if (derivative.IsZero()) continue;
      terms.push_back(derivative * rules.a(static_cast<int>(operands.size())));
      operands.push_back(rule.d[i]);
    }
    if (terms.empty()) return absl::OkStatus();
    rule.made[0] = rules.Elementwise(symbolic::Add(terms), std::move(operands),
                                     Shape(rule.shape(rule.out(0))));
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<Expr> variables;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      variables.push_back(e.graph.Operand(static_cast<int>(i)));
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create({node.as<Expr>()}, variables));
    const TensorId out = node.outputs[0];
    const Shape& shape = e.shape(out);
    const int64_t pixels = shape.rank() >= 2 ? e.Pixels(out) : 1,
                  channels = shape.rank() >= 2 ? e.Channels(out) : 1;
    std::vector<T> y, point;
    for (int64_t i = 0; i < e.Elements(out); ++i) {
      point.clear();
      for (TensorId x : node.inputs) {
        const bool per_channel = e.shape(x).rank() == 1 && shape.rank() >= 2;
        const int64_t index = e.shape(x).rank() == 0 ? 0 : per_channel ? i / pixels % channels : i;
        point.push_back(e.values[x][index]);
      }
      y.push_back(program.template Evaluate<T>(point)[0]);
    }
    e.values[out] = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int cell) const override {
    absl::flat_hash_map<std::string, autodiff::codegen::Value> bindings;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ASSIGN_OR_RETURN(autodiff::codegen::Value value,
                       pass.ValueOf(node.inputs[i], pass.IsFine(node.outputs[0]) ? cell : -1));
      bindings[absl::StrCat("a", i)] = value;
    }
    return symbolic::Lower(node.as<Expr>(), bindings, pass.program);
  }
};

class ConstantOperation : public OperationOfPasses<ConstantOperation> {
 public:
  const char* name() const override { return "constant"; }
  PassRole Role(const Graph&, const Node&) const override {
    return {.kind = PassRole::kPointwise, .is_free = true};
  }
  absl::Status Vjp(ReverseRule&) const override { return absl::OkStatus(); }
  absl::Status Jvp(ForwardRule&) const override { return absl::OkStatus(); }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    e.out(node, 0).assign(e.Elements(node.outputs[0]), T(node.as<double>()));
    return absl::OkStatus();
  }
  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int) const override {
    return pass.program.Constant(static_cast<float>(node.as<double>()));
  }
};

const ElementwiseOperation elementwise;
const ConstantOperation constant;

}  // namespace

const Op kElementwise = &elementwise, kConstant = &constant;

absl::StatusOr<TensorId> Elementwise(Graph& graph, absl::string_view name, const Expr& formula,
                                     std::vector<TensorId> operands) {
  if (operands.empty()) return Invalid(name, "an elementwise operation needs at least one input");
  // The result has the shape of the operand with the highest rank.
  const Shape* result = &graph.shape(operands[0]);
  for (TensorId id : operands) {
    if (graph.shape(id).rank() > result->rank()) result = &graph.shape(id);
  }
  for (TensorId id : operands) {
    const Shape& s = graph.shape(id);
    const bool is_channel_vector = s.rank() == 1 && result->rank() >= 2 && s[0] == (*result)[1];
    if (s == *result || s.rank() == 0 || is_channel_vector) continue;
    return Invalid(name, absl::StrCat("its inputs have different shapes: ",
                                      absl::StrJoin(operands, ", ",
                                                    [&graph](std::string* out, TensorId t) {
                                                      absl::StrAppend(out, "'",
                                                                      graph.tensor(t).name, "' ",
                                                                      graph.shape(t).ToString());
                                                    }),
                                      ". They must agree; a 1x1 convolution with the same stride "
                                      "brings a branch to the other's shape."));
  }
  Shape copy = *result;
  const Expr canonical = Canonical(graph, graph.pool().Import(formula), operands);
  if (canonical == graph.Operand(0) && operands.size() == 1 && graph.shape(operands[0]) == copy)
    return operands[0];
  return graph.AddNode(kElementwise, name, std::move(operands), canonical, std::move(copy));
}

absl::StatusOr<TensorId> Formula(Graph& graph, absl::string_view name, absl::string_view text,
                                 const std::vector<std::pair<std::string, TensorId>>& operands) {
  autodiff::symbolic::ParseOptions options;
  std::vector<TensorId> ids;
  autodiff::symbolic::Substitutions renamed;
  options.variables.emplace();
  for (const auto& [variable, id] : operands) {
    options.variables->push_back(variable);
    renamed[graph.pool().Variable(variable)] = graph.Operand(static_cast<int>(ids.size()));
    ids.push_back(id);
  }
  absl::StatusOr<Expr> formula = autodiff::symbolic::Parse(text, graph.pool(), options);
  if (!formula.ok())
    return Invalid(name, absl::StrCat("formula \"", text, "\": ", formula.status().message()));
  return Elementwise(graph, name, autodiff::symbolic::Substitute(*formula, renamed),
                     std::move(ids));
}

absl::StatusOr<TensorId> Add(Graph& graph, absl::string_view name, std::vector<TensorId> terms) {
  // Many terms are added in groups of 8, because a fused pass (one loop over memory that computes
  // several operations, layers/plan/fusion.h) has a limited number of operands.
  constexpr size_t kMostTerms = 8;
  while (terms.size() > kMostTerms) {
    ASSIGN_OR_RETURN(TensorId sum, Add(graph, name, {terms.end() - kMostTerms, terms.end()}));
    terms.resize(terms.size() - kMostTerms);
    terms.push_back(sum);
  }
  if (terms.size() == 1) return terms[0];
  std::vector<Expr> operands;
  for (size_t i = 0; i < terms.size(); ++i) operands.push_back(graph.Operand(static_cast<int>(i)));
  if (operands.empty()) return Invalid(name, "add needs at least one input");
  return Elementwise(graph, name, autodiff::symbolic::Add(operands), std::move(terms));
}

absl::StatusOr<TensorId> AddBias(Graph& graph, absl::string_view name, TensorId x, TensorId bias) {
  return Add(graph, name, {x, bias});
}

TensorId Constant(Graph& graph, double value, Shape shape) {
  return graph.AddNode(kConstant, "constant", {}, value, std::move(shape));
}

// ---- The layer of layers/network/network.proto that is built from Add() ----

namespace {

absl::StatusOr<Value> AddLayer(const Layer&, LayerBuilder& b) {
  const std::vector<Value>& inputs = b.inputs();
  const std::string& name = b.name();
  RETURN_IF_ERROR(b.NeedSeveral());
  std::vector<TensorId> terms;
  for (const Value& input : inputs) {
    if (b.Seen(input) != b.Seen(inputs[0])) {
      return Error(absl::StrCat("its inputs differ in shape: ", b.ListShapes(),
                                "; they must agree: a 1x1 convolution with the same stride "
                                "brings one to the shape of the other"));
    }
    ASSIGN_OR_RETURN(const TensorId flat, b.Flat(input));
    terms.push_back(flat);
  }
  return b.Made(Add(b.graph(), name, std::move(terms)));
}

const RegisterLayer add_layer(Layer::kAdd, AddLayer,
                              {.reads_several = true,
                               .aliases = {"Residual", "Shortcut", "Skip", "Sum"}});

}  // namespace
}  // namespace cotangent::layers
