#include "layers/plan/branches.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {

namespace symbolic = autodiff::symbolic;

namespace {

// The geometry of a kernel along one axis: `taps` cells, which read pixels at distances of
// `dilation`. For result number i (from 0), the first cell reads pixel i * stride - pad.
struct Axis {
  int64_t taps, pad, dilation;
};
Axis Vertical(const tensor::ConvolutionShape& s) {
  return {s.kernel_height, s.pad_top, s.dilation_height};
}
Axis Horizontal(const tensor::ConvolutionShape& s) {
  return {s.kernel_width, s.pad_left, s.dilation_width};
}

// The position of a small kernel in a large one along one axis: `first` is the number (from 0) of
// the large kernel's cell in which the first cell of the small kernel lies, `step` the number of
// cells of the large kernel from one cell of the small kernel to the next. PlaceIn() returns
// nullopt if a cell of the small kernel reads a pixel that no cell of the large kernel reads.
struct AxisPlace {
  int64_t first, step;
};
std::optional<AxisPlace> PlaceIn(const Axis& large, const Axis& small) {
  const int64_t before = large.pad - small.pad;
  const int64_t step = small.taps > 1 ? small.dilation : large.dilation;
  if (before < 0 || before % large.dilation != 0 || step % large.dilation != 0) return std::nullopt;
  const AxisPlace place = {before / large.dilation, step / large.dilation};
  if (place.first + (small.taps - 1) * place.step >= large.taps) return std::nullopt;
  return place;
}

// Finds out whether the sum that the elementwise operation at node `index` computes can become one
// convolution: whether its terms are plain convolutions of one tensor (input_), followed by affine
// operations, and possibly that tensor itself (see branches.h).
class Merger {
 public:
  Merger(const Graph& graph, const Uses& uses, int index, const std::vector<bool>& is_taken,
         ChannelExpressions& channels)
      : graph_(graph), uses_(uses), index_(index), is_taken_(is_taken), channels_(channels) {}

  std::optional<MergedBranches> Run();

 private:
  const tensor::ConvolutionShape& ShapeOf(int node) const {
    return graph_.node(node).as<ConvolutionAttributes>().shape;
  }
  int Maker(TensorId t) const { return graph_.tensor(t).node; }
  // Returns whether t has the shape of the sum, only `reader` reads t, and t's node is not yet
  // folded into another convolution.
  bool IsInside(TensorId t, int reader) const {
    return graph_.shape(t) == graph_.shape(graph_.node(index_).outputs[0]) &&
           uses_.IsOnlyFor(reader, t) && !is_taken_[Maker(t)];
  }
  bool IsPlainConvolution(int node) const;
  // Returns the input of a plain convolution (one that computes w * x and nothing else, with a
  // parameter w that nothing else reads) from which t, which `reader` reads, is computed within the
  // sum; kNoTensor if there is none.
  TensorId FindInput(TensorId t, int reader) const;
  // Returns t, which node `reader` reads, as an expression in these variables: RootOf(r) for the
  // result r of each plain convolution that reads input_; RootOf(input_); and the variables with
  // which channels_ expresses tensors of rank 1 or less. Returns nullopt if t depends on anything
  // else, or on a tensor of the sum's interior for which IsInside() is false. Appends every node
  // that it expands to nodes_, the convolutions among them also to convolutions_, and sets
  // has_input_ if it meets input_ itself.
  std::optional<Expr> Expand(TensorId t, int reader);
  std::optional<Expr> ExpandOperation(int node);
  Expr RootOf(TensorId t) const { return graph_.pool().Variable(absl::StrCat("branch", t)); }
  std::optional<Branch> BranchOf(int host, int node) const;

  const Graph& graph_;
  const Uses& uses_;
  const int index_;
  const std::vector<bool>& is_taken_;
  ChannelExpressions& channels_;
  TensorId input_ = kNoTensor;  // the tensor that all convolutions of the sum read
  std::vector<int> convolutions_, nodes_;
  bool has_input_ = false;
};

bool Merger::IsPlainConvolution(int index) const {
  const Node& node = graph_.node(index);
  if (node.op != kConvolution || node.inputs.size() != 2) return false;
  const auto& attributes = node.as<ConvolutionAttributes>();
  return !attributes.relu && !attributes.pooled && attributes.int8 == nullptr &&
         graph_.producer(node.inputs[1]).op == kParameter && uses_.IsOnlyFor(index, node.inputs[1]);
}

TensorId Merger::FindInput(TensorId t, int reader) const {
  if (!IsInside(t, reader)) return kNoTensor;
  const int maker = Maker(t);
  const Node& node = graph_.node(maker);
  if (IsPlainConvolution(maker)) return node.inputs[0];
  if (node.op != kElementwise) return kNoTensor;
  for (TensorId operand : node.inputs) {
    if (const TensorId found = FindInput(operand, maker); found != kNoTensor) return found;
  }
  return kNoTensor;
}

std::optional<Expr> Merger::Expand(TensorId t, int reader) {
  if (graph_.shape(t).rank() <= 1) return channels_.Of(t);
  if (t == input_) {
    has_input_ = true;
    return RootOf(t);
  }
  if (!IsInside(t, reader)) return std::nullopt;
  const int maker = Maker(t);
  nodes_.push_back(maker);
  if (graph_.node(maker).op == kElementwise) return ExpandOperation(maker);
  if (!IsPlainConvolution(maker) || graph_.node(maker).inputs[0] != input_) return std::nullopt;
  convolutions_.push_back(maker);
  return RootOf(t);
}

std::optional<Expr> Merger::ExpandOperation(int index) {
  return Expanded(graph_, graph_.node(index), [&](TensorId t) { return Expand(t, index); });
}

// Returns where the kernel of convolution `node` lies in the kernel of convolution `host`; nullopt
// if it does not fit there. If `node` is -1, the kernel is the one cell that passes on the input.
std::optional<Branch> Merger::BranchOf(int host, int node) const {
  const tensor::ConvolutionShape& large = ShapeOf(host);
  Axis vertical = {1, 0, 1}, horizontal = {1, 0, 1};
  if (node >= 0) {
    const tensor::ConvolutionShape& small = ShapeOf(node);
    if (small.groups != large.groups || small.stride_height != large.stride_height ||
        small.stride_width != large.stride_width)
      return std::nullopt;
    vertical = Vertical(small), horizontal = Horizontal(small);
  }
  const std::optional<AxisPlace> row = PlaceIn(Vertical(large), vertical),
                                 column = PlaceIn(Horizontal(large), horizontal);
  if (!row || !column) return std::nullopt;
  return Branch{.weight = node >= 0 ? graph_.node(node).inputs[1] : kNoTensor,
                .row = row->first,
                .column = column->first,
                .row_step = row->step,
                .column_step = column->step};
}

std::optional<MergedBranches> Merger::Run() {
  for (TensorId operand : graph_.node(index_).inputs) {
    if (input_ == kNoTensor) input_ = FindInput(operand, index_);
  }
  if (input_ == kNoTensor) return std::nullopt;
  std::optional<Expr> rest = ExpandOperation(index_);
  if (!rest || convolutions_.size() < 2) return std::nullopt;
  const auto taps = [&](int node) {
    return ShapeOf(node).kernel_height * ShapeOf(node).kernel_width;
  };
  std::stable_sort(convolutions_.begin(), convolutions_.end(),
                   [&](int a, int b) { return taps(a) > taps(b); });
  MergedBranches merged;
  merged.convolution = convolutions_[0];
  std::vector<Expr> roots;
  for (int node : convolutions_) roots.push_back(RootOf(graph_.node(node).outputs[0]));
  if (has_input_) convolutions_.push_back(-1), roots.push_back(RootOf(input_));
  const auto has_root = [&](const Expr& e) {
    return std::any_of(roots.begin(), roots.end(),
                       [&](const Expr& root) { return symbolic::Contains(e, root); });
  };
  for (size_t k = 0; k < roots.size(); ++k) {
    const std::optional<Branch> branch = BranchOf(merged.convolution, convolutions_[k]);
    const std::optional<Affine> affine = AffineIn(*rest, roots[k]);
    if (!branch || !affine || has_root(affine->slope)) return std::nullopt;
    merged.branches.push_back(*branch);
    merged.slopes.push_back(affine->slope);
    rest = affine->offset;
  }
  if (has_root(*rest)) return std::nullopt;
  merged.offset = *rest;
  merged.nodes = std::move(nodes_);
  merged.nodes.push_back(index_);
  return merged;
}

}  // namespace

std::optional<MergedBranches> MergeBranches(const Graph& graph, const Uses& uses, int index,
                                            const std::vector<bool>& is_taken,
                                            ChannelExpressions& channels) {
  const Node& node = graph.node(index);
  if (node.op != kElementwise || graph.shape(node.outputs[0]).rank() < 2) return std::nullopt;
  return Merger(graph, uses, index, is_taken, channels).Run();
}

}  // namespace cotangent::layers
