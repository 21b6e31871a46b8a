// Folds the operations that follow a convolution y, up to an addend and a ReLU, into the
// convolution. While it does so, the value of these operations is kept as a symbolic expression in
// y and in parameters (see fold.h).

#include "layers/plan/fold.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "layers/graph/uses.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {

namespace symbolic = autodiff::symbolic;

namespace {

// The function slope * y + offset of a variable y.
struct Affine {
  Expr slope, offset;
};

// Splits expression e into slope and offset as a function of y; nullopt if e is not written as an
// affine function of y.
std::optional<Affine> AffineIn(const Expr& e, const Expr& y) {
  symbolic::Pool& pool = y.pool();
  if (e == y) return Affine{pool.Constant(1), pool.Constant(0)};
  if (!symbolic::Contains(e, y)) return Affine{pool.Constant(0), e};
  if (e.op() == symbolic::Op::kAdd) {
    Affine sum{pool.Constant(0), pool.Constant(0)};
    for (const Expr& argument : e.args()) {
      const std::optional<Affine> part = AffineIn(argument, y);
      if (!part) return std::nullopt;
      sum = {sum.slope + part->slope, sum.offset + part->offset};
    }
    return sum;
  }
  if (e.op() != symbolic::Op::kMul) return std::nullopt;
  Expr factor = pool.Constant(1);
  std::optional<Affine> part;
  for (const Expr& argument : e.args()) {
    if (!symbolic::Contains(argument, y)) {
      factor = factor * argument;
    } else if (part) {
      return std::nullopt;
    } else if (part = AffineIn(argument, y); !part) {
      return std::nullopt;
    }
  }
  return Affine{part->slope * factor, part->offset * factor};
}

}  // namespace

// Does the rewriting: visits the convolutions of the copied graph and folds into each what can be
// folded.
class Folder {
 public:
  Folder(FoldedGraph& folded, TensorId result)
      : folded_(folded),
        graph_(folded.graph_),
        result_(result),
        y_(graph_.pool().Variable("y")),
        uses_(graph_, {result}),
        taken_(graph_.nodes().size(), false) {}

  absl::Status Run() {
    const int count = static_cast<int>(graph_.nodes().size());
    for (int i = 0; i < count; ++i) {
      if (!uses_.IsNeeded(i) || graph_.node(i).op != kConvolution) continue;
      if (absl::Status status = Fold(i); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  // What has been folded into a convolution so far, and the tensor that it then computes.
  struct Chain {
    TensorId end;
    Expr value;  // in y and variables of VariableOf(); without addend and ReLU
    TensorId addend = kNoTensor;
    bool relu = false;
    std::vector<int> nodes = {};
  };

  absl::Status Fold(int convolution);
  // Folds the operation that reads the chain's end, if it is the only reader and can be folded.
  bool Extend(Chain& chain) const;
  bool ExtendByChannels(const Node& node, Chain& chain) const;
  std::optional<Expr> ChannelExpression(TensorId t) const;
  Expr VariableOf(TensorId t) const {
    const Expr variable = graph_.pool().Variable(absl::StrCat("t", t));
    variable_tensors_[variable] = t;
    return variable;
  }

  FoldedGraph& folded_;
  Graph& graph_;
  const TensorId result_;
  const Expr y_;
  const Uses uses_;
  std::vector<bool> taken_;  // by node: whether it is folded into a convolution
  mutable absl::flat_hash_map<Expr, TensorId> variable_tensors_;
};

// A channel vector or scalar as an expression in parameters and states; nullopt if it depends on
// anything else.
std::optional<Expr> Folder::ChannelExpression(TensorId t) const {
  const Node& node = graph_.producer(t);
  if (graph_.shape(t).rank() > 1) return std::nullopt;
  if (node.op == kParameter || node.op == kState) return VariableOf(t);
  if (node.op == kConstant) return graph_.pool().Constant(node.as<double>());
  if (node.op != kElementwise) return std::nullopt;
  symbolic::Substitutions operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Expr> operand = ChannelExpression(node.inputs[i]);
    if (!operand) return std::nullopt;
    operands[graph_.Operand(static_cast<int>(i))] = *operand;
  }
  return symbolic::Substitute(node.as<Expr>(), operands);
}

// Folds an elementwise operation on the chain's end, channel vectors and scalars, if it is affine
// in the chain's end.
bool Folder::ExtendByChannels(const Node& node, Chain& chain) const {
  if (chain.addend != kNoTensor) return false;
  symbolic::Substitutions operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Expr> operand =
        node.inputs[i] == chain.end ? chain.value : ChannelExpression(node.inputs[i]);
    if (!operand) return false;
    operands[graph_.Operand(static_cast<int>(i))] = *operand;
  }
  const Expr value = symbolic::Substitute(node.as<Expr>(), operands);
  if (!AffineIn(value, y_)) return false;
  chain.value = value;
  return true;
}

bool Folder::Extend(Chain& chain) const {
  if (chain.relu || chain.end == result_ || uses_.readers(chain.end).size() != 1) return false;
  const int index = uses_.readers(chain.end)[0];
  const Node& node = graph_.node(index);
  if (taken_[index] || node.op != kElementwise ||
      !(graph_.shape(node.outputs[0]) == graph_.shape(chain.end)))
    return false;
  const Expr a0 = graph_.Operand(0), a1 = graph_.Operand(1), formula = node.as<Expr>();
  const auto is_full = [&](TensorId t) { return graph_.shape(t) == graph_.shape(chain.end); };
  if (ExtendByChannels(node, chain)) {
    // ExtendByChannels() has updated chain.value; nothing else is to be recorded.
  } else if (formula == Max(graph_.pool().Constant(0), a0) && node.inputs.size() == 1) {
    chain.relu = true;
  } else if (formula == a0 + a1 && node.inputs.size() == 2 && is_full(node.inputs[0]) &&
             is_full(node.inputs[1]) && chain.addend == kNoTensor) {
    chain.addend = node.inputs[0] == chain.end ? node.inputs[1] : node.inputs[0];
  } else {
    return false;
  }
  chain.nodes.push_back(index);
  chain.end = node.outputs[0];
  return true;
}

absl::Status Folder::Fold(int index) {
  const Node convolution = graph_.node(index);
  const TensorId x = convolution.inputs[0], weight = convolution.inputs[1];
  if (convolution.inputs.size() != 2 || graph_.producer(weight).op != kParameter ||
      uses_.readers(weight).size() != 1)
    return absl::OkStatus();
  Chain chain{convolution.outputs[0], y_};
  // Stop before a sum whose other summand is the convolution's own input, because the convolution
  // would need that tensor in two formats.
  for (Chain longer = chain; Extend(longer) && longer.addend != x;) chain = longer;
  if (chain.nodes.empty()) return absl::OkStatus();
  for (int node : chain.nodes) taken_[node] = true;

  const Affine affine = *AffineIn(chain.value, y_);
  std::vector<TensorId> operands;
  const std::vector<Expr> variables = symbolic::Variables({affine.slope, affine.offset});
  for (const Expr& variable : variables) operands.push_back(variable_tensors_.at(variable));
  absl::StatusOr<symbolic::Program> program =
      symbolic::Program::Create({affine.slope, affine.offset}, variables);
  if (!program.ok()) return program.status();

  // The bias is named after the weight, not the layer, because a layer may have several weights.
  const std::string& of_weight = graph_.tensor(convolution.inputs[1]).name;
  const TensorId bias =
      graph_.Parameter(absl::StrCat(of_weight.substr(0, of_weight.rfind('.')), ".folded_bias"),
                       {graph_.shape(chain.end)[1]});
  ConvolutionAttributes attributes = convolution.as<ConvolutionAttributes>();
  attributes.relu = chain.relu;
  std::vector<TensorId> inputs = {x, weight, bias};
  if (chain.addend != kNoTensor) inputs.push_back(chain.addend);
  graph_.ReplaceNode(graph_.tensor(chain.end).node,
                     {kConvolution, convolution.name, std::move(inputs), {chain.end}, attributes});
  folded_.convolutions_.push_back({weight, bias, std::move(operands), *std::move(program)});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FoldedGraph>> FoldedGraph::Create(const Graph& graph,
                                                                 TensorId result,
                                                                 const ParameterStore& source) {
  auto folded = std::unique_ptr<FoldedGraph>(new FoldedGraph(graph, source));
  if (absl::Status status = Folder(*folded, result).Run(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<ParameterStore>> store = ParameterStore::Create(folded->graph_);
  if (!store.ok()) return store.status();
  folded->store_ = *std::move(store);
  return folded;
}

void FoldedGraph::Update() {
  for (const ParameterStore::Slot& slot : store_->parameters()) {
    if (const ParameterStore::Slot* from = source_.FindParameter(slot.name))
      std::copy_n(source_.values() + from->offset, slot.size, store_->values() + slot.offset);
  }
  for (const ParameterStore::Slot& slot : store_->states()) {
    if (const ParameterStore::Slot* from = source_.FindState(slot.name))
      std::copy_n(source_.state_values() + from->offset, slot.size,
                  store_->state_values() + slot.offset);
  }
  for (const FoldedConvolution& convolution : convolutions_) UpdateConvolution(convolution);
}

void FoldedGraph::UpdateConvolution(const FoldedConvolution& convolution) {
  const ParameterStore::Slot& weight =
      *store_->FindParameter(graph_.tensor(convolution.weight).name);
  const ParameterStore::Slot& bias = *store_->FindParameter(graph_.tensor(convolution.bias).name);
  struct Operand {
    const float* values;
    bool is_number;
  };
  std::vector<Operand> operands;
  for (TensorId t : convolution.operands) {
    const std::string& name = graph_.tensor(t).name;
    const bool is_state = graph_.producer(t).op == kState;
    const ParameterStore::Slot& slot =
        is_state ? *store_->FindState(name) : *store_->FindParameter(name);
    operands.push_back({(is_state ? store_->state_values() : store_->values()) + slot.offset,
                        graph_.shape(t).rank() == 0});
  }
  const int64_t channels = bias.size, taps = weight.size / channels;
  std::vector<double> point(operands.size());
  for (int64_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < operands.size(); ++i)
      point[i] = operands[i].values[operands[i].is_number ? 0 : c];
    const std::vector<double> affine = convolution.affine.Evaluate(point);
    float* row = store_->values() + weight.offset + c * taps;
    for (int64_t k = 0; k < taps; ++k) row[k] = static_cast<float>(affine[0] * row[k]);
    store_->values()[bias.offset + c] = static_cast<float>(affine[1]);
  }
}

}  // namespace cotangent::layers
