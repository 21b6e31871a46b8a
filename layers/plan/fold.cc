// Folds the operations that follow a convolution with the result y into the convolution (see
// fold.h). The last of them may be the sum with another tensor, called the addend, and a ReLU. The
// value that the operations before these compute is represented as an affine function of y, whose
// slope and offset are symbolic expressions in parameters and states.

#include "layers/plan/fold.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/uses.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {

namespace symbolic = autodiff::symbolic;

// Does the rewriting: merges sums of convolutions of the copied graph into single convolutions,
// then visits the convolutions and folds into each what can be folded.
class Folder {
 public:
  Folder(FoldedGraph& folded, TensorId result)
      : folded_(folded),
        graph_(folded.graph_),
        result_(result),
        y_(graph_.pool().Variable("y")),
        uses_(graph_, {result}),
        channels_(graph_),
        taken_(graph_.nodes().size(), false) {}

  absl::Status Run() {
    const int count = static_cast<int>(graph_.nodes().size());
    // Goes from the last node to the first, because the last of several sums in a row contains the
    // others.
    for (int i = count - 1; i >= 0; --i) {
      if (uses_.IsNeeded(i) && !taken_[i]) Merge(i);
    }
    for (int i = 0; i < count; ++i) {
      const bool is_dead = taken_[i] && !merged_.contains(i);
      if (is_dead || !uses_.IsNeeded(i) || graph_.node(i).op != kConvolution) continue;
      RETURN_IF_ERROR(Fold(i));
    }
    return absl::OkStatus();
  }

 private:
  // A chain of operations after a convolution, each of which reads the result of the one before. It
  // holds what has been folded so far, and `end`, the tensor that the folded convolution computes.
  struct Chain {
    TensorId end;
    Affine value;  // as a function of the convolution's result y; without addend and ReLU
    TensorId addend = kNoTensor;
    bool relu = false;
    std::vector<int> nodes = {};
  };

  // Replaces node `index` by a convolution if the node computes a sum of convolutions that can be
  // merged.
  void Merge(int index);
  absl::Status Fold(int convolution);
  // Folds the operation that reads the chain's end, if it is the only reader and can be folded.
  // Returns whether it did.
  bool Extend(Chain& chain);
  bool ExtendByChannels(const Node& node, Chain& chain);
  bool ExtendByReluOrAddend(const Node& node, Chain& chain);

  FoldedGraph& folded_;
  Graph& graph_;
  const TensorId result_;
  const Expr y_;
  const Uses uses_;
  ChannelExpressions channels_;
  std::vector<bool> taken_;  // by node: whether it is folded into a convolution
  absl::flat_hash_map<int, MergedBranches> merged_;  // by the node that is replaced
};

void Folder::Merge(int index) {
  std::optional<MergedBranches> merged = MergeBranches(graph_, uses_, index, taken_, channels_);
  if (!merged) return;
  for (int node : merged->nodes) taken_[node] = true;
  Node node = graph_.node(merged->convolution);
  node.outputs = graph_.node(index).outputs;
  graph_.ReplaceNode(index, std::move(node));
  merged_.emplace(index, *std::move(merged));
}

// Extends chain.value by `node` if each operand of the node is the chain's end, a channel vector or
// a scalar, and the node's result is affine in the chain's end; not if the chain has an addend.
// Returns whether it did.
bool Folder::ExtendByChannels(const Node& node, Chain& chain) {
  if (chain.addend != kNoTensor) return false;
  const std::optional<Expr> value =
      Expanded(graph_, node, [&](TensorId t) { return t == chain.end ? y_ : channels_.Of(t); });
  const std::optional<Affine> step = value ? AffineIn(*value, y_) : std::nullopt;
  if (!step) return false;
  chain.value = {step->slope * chain.value.slope, step->slope * chain.value.offset + step->offset};
  return true;
}

// Extends the chain by `node` if it is a ReLU, or if it is the sum of the chain's end and another
// tensor of the same shape and the chain has no addend yet. Returns whether it did.
bool Folder::ExtendByReluOrAddend(const Node& node, Chain& chain) {
  const Expr a0 = graph_.Operand(0), a1 = graph_.Operand(1), formula = node.as<Expr>();
  if (formula == Max(graph_.pool().Constant(0), a0) && node.inputs.size() == 1) {
    chain.relu = true;
    return true;
  }
  const auto is_full = [&](TensorId t) { return graph_.shape(t) == graph_.shape(chain.end); };
  if (formula != a0 + a1 || node.inputs.size() != 2 || !is_full(node.inputs[0]) ||
      !is_full(node.inputs[1]) || chain.addend != kNoTensor)
    return false;
  chain.addend = node.inputs[0] == chain.end ? node.inputs[1] : node.inputs[0];
  return true;
}

bool Folder::Extend(Chain& chain) {
  if (chain.relu || chain.end == result_ || uses_.readers(chain.end).size() != 1) return false;
  const int index = uses_.readers(chain.end)[0];
  const Node& node = graph_.node(index);
  if (taken_[index] || node.op != kElementwise ||
      !(graph_.shape(node.outputs[0]) == graph_.shape(chain.end)))
    return false;
  if (!ExtendByChannels(node, chain) && !ExtendByReluOrAddend(node, chain)) return false;
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
  Chain chain{convolution.outputs[0], {graph_.pool().Constant(1), graph_.pool().Constant(0)}};
  // Stops before a sum whose other summand is the convolution's own input, because the convolution
  // would need that tensor in two formats.
  for (Chain longer = chain; Extend(longer) && longer.addend != x;) chain = longer;
  const auto merged = merged_.find(index);
  if (chain.nodes.empty() && merged == merged_.end()) return absl::OkStatus();
  for (int node : chain.nodes) taken_[node] = true;

  const Affine& affine = chain.value;
  std::vector<Branch> branches = {{.weight = weight}};
  std::vector<Expr> values = {affine.slope, affine.offset};
  if (merged != merged_.end()) {
    branches = merged->second.branches;
    values.clear();
    for (const Expr& slope : merged->second.slopes) values.push_back(affine.slope * slope);
    values.push_back(affine.slope * merged->second.offset + affine.offset);
  }
  std::vector<TensorId> operands;
  const std::vector<Expr> variables = symbolic::Variables(values);
  for (const Expr& variable : variables) operands.push_back(channels_.TensorOf(variable));
  ASSIGN_OR_RETURN(symbolic::Program program, symbolic::Program::Create(values, variables));

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
  folded_.convolutions_.push_back(
      {weight, bias, std::move(branches), std::move(operands), std::move(program)});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FoldedGraph>> FoldedGraph::Create(const Graph& graph,
                                                                 TensorId result,
                                                                 const ParameterStore& source) {
  auto folded = std::unique_ptr<FoldedGraph>(new FoldedGraph(graph, source));
  RETURN_IF_ERROR(Folder(*folded, result).Run());
  ASSIGN_OR_RETURN(folded->store_, ParameterStore::Create(folded->graph_));
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

// Returns the size of the kernel of one output channel: input channels, height and width. Weights
// of a linear layer, of rank 2, count as a kernel of one pixel.
FoldedGraph::Kernel FoldedGraph::KernelOf(const Shape& weight) {
  return weight.rank() == 4 ? Kernel{weight[1], weight[2], weight[3]} : Kernel{weight[1], 1, 1};
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
  const Kernel whole = KernelOf(weight.shape);
  std::vector<double> point(operands.size()), row(weight.size / bias.size);
  for (int64_t c = 0; c < bias.size; ++c) {
    for (size_t i = 0; i < operands.size(); ++i)
      point[i] = operands[i].values[operands[i].is_number ? 0 : c];
    const std::vector<double> affine = convolution.affine.Evaluate(point);
    std::fill(row.begin(), row.end(), 0);
    for (size_t k = 0; k < convolution.branches.size(); ++k)
      AddBranch(convolution.branches[k], c, affine[k], whole, row);
    float* const made = store_->values() + weight.offset + c * (weight.size / bias.size);
    std::transform(row.begin(), row.end(), made, [](double w) { return static_cast<float>(w); });
    store_->values()[bias.offset + c] = static_cast<float>(affine.back());
  }
}

void FoldedGraph::AddBranch(const Branch& branch, int64_t channel, double slope,
                            const Kernel& whole, std::vector<double>& row) const {
  const auto at = [&](int64_t input, int64_t y, int64_t x) -> double& {
    return row[(input * whole.height + branch.row + y * branch.row_step) * whole.width +
               branch.column + x * branch.column_step];
  };
  if (branch.weight == kNoTensor) {
    at(channel % whole.inputs, 0, 0) += slope;
    return;
  }
  const ParameterStore::Slot& weight = *source_.FindParameter(graph_.tensor(branch.weight).name);
  const Kernel kernel = KernelOf(weight.shape);
  const float* from =
      source_.values() + weight.offset + channel * kernel.inputs * kernel.height * kernel.width;
  for (int64_t input = 0; input < kernel.inputs; ++input) {
    for (int64_t y = 0; y < kernel.height; ++y) {
      for (int64_t x = 0; x < kernel.width; ++x) at(input, y, x) += slope * *from++;
    }
  }
}

}  // namespace cotangent::layers
