#include "layers/graph/graph.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/parse.h"

namespace cotangent::layers {
namespace {

using tensor::ConvolutionShape;

absl::Status Invalid(absl::string_view layer, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(layer, ": ", message));
}

absl::Status NeedsImages(const Graph& graph, absl::string_view layer, TensorId x) {
  if (graph.shape(x).rank() == 4) return absl::OkStatus();
  return Invalid(layer,
                 absl::StrCat("needs images [batch, channels, height, width], but its input '",
                              graph.tensor(x).name, "' has shape ", graph.shape(x).ToString(),
                              ". Put it before the first linear, flatten or softmax layer."));
}

// Output length of a window sliding over `in` elements; <= 0 where it does not fit.
int64_t WindowSteps(int64_t in, int64_t window, int64_t stride, int64_t before, int64_t after) {
  const int64_t room = in + before + after - window;
  return room < 0 ? 0 : room / stride + 1;
}

absl::Status WindowDoesNotFit(const Graph& graph, absl::string_view layer, absl::string_view what,
                              int64_t window_height, int64_t window_width, TensorId x,
                              const Padding& padding) {
  const Shape& shape = graph.shape(x);
  return Invalid(
      layer, absl::StrCat(what, " ", window_height, "x", window_width, " is larger than its input ",
                          shape[2] + padding.top + padding.bottom, "x",
                          shape[3] + padding.left + padding.right, " (padding included; '",
                          graph.tensor(x).name, "' has shape ", shape.ToString(),
                          "). Use a smaller kernel, more padding, or pool less before it."));
}

}  // namespace

const char* OpName(Op op) {
  switch (op) {
    case Op::kInput:
      return "input";
    case Op::kParameter:
      return "parameter";
    case Op::kState:
      return "state";
    case Op::kConstant:
      return "constant";
    case Op::kElementwise:
      return "elementwise";
    case Op::kChannelSum:
      return "channel_sum";
    case Op::kMoments:
      return "moments";
    case Op::kConvolution:
      return "convolution";
    case Op::kConvolutionInputGradient:
      return "convolution_input_gradient";
    case Op::kConvolutionWeightGradient:
      return "convolution_weight_gradient";
    case Op::kMaxPool:
      return "max_pool";
    case Op::kMaxPoolGather:
      return "max_pool_gather";
    case Op::kMaxUnpool:
      return "max_unpool";
    case Op::kAveragePool:
      return "average_pool";
    case Op::kAverageUnpool:
      return "average_unpool";
    case Op::kPad:
      return "pad";
    case Op::kUnpad:
      return "unpad";
    case Op::kConcat:
      return "concat";
    case Op::kSlice:
      return "slice";
    case Op::kUnslice:
      return "unslice";
    case Op::kReshape:
      return "reshape";
    case Op::kLayerNorm:
      return "layer_norm";
    case Op::kLayerNormGradient:
      return "layer_norm_gradient";
    case Op::kSoftmax:
      return "softmax";
    case Op::kSoftmaxGradient:
      return "softmax_gradient";
    case Op::kDropoutMask:
      return "dropout_mask";
    case Op::kOneHot:
      return "one_hot";
    case Op::kLoss:
      return "loss";
  }
  return "unknown";
}

TensorId Graph::NewTensor(absl::string_view name, Shape shape, int node) {
  tensors_.push_back({std::string(name), std::move(shape), node});
  const TensorId id = num_tensors() - 1;
  nodes_[node].outputs.push_back(id);
  return id;
}

int Graph::NewNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                   Attributes attributes) {
  nodes_.push_back({op, std::string(name), std::move(inputs), {}, std::move(attributes)});
  return static_cast<int>(nodes_.size()) - 1;
}

TensorId Graph::AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                        Attributes attributes, Shape shape) {
  if (op != Op::kElementwise && op != Op::kChannelSum) {
    return NewTensor(name, std::move(shape),
                     NewNode(op, name, std::move(inputs), std::move(attributes)));
  }
  const std::string key = absl::StrCat(
      static_cast<int>(op), ":", op == Op::kElementwise ? attributes.formula.id() : 0,
      attributes.recomputed ? "again:" : ":", absl::StrJoin(inputs, ","), ":", shape.ToString());
  auto [entry, is_new] = interned_.try_emplace(key, kNoTensor);
  if (is_new)
    entry->second = NewTensor(name, std::move(shape),
                              NewNode(op, name, std::move(inputs), std::move(attributes)));
  return entry->second;
}

TensorId Graph::Input(absl::string_view name, Shape shape) {
  const TensorId id = AddNode(Op::kInput, name, {}, {}, std::move(shape));
  inputs_.push_back(id);
  return id;
}

TensorId Graph::Parameter(absl::string_view name, Shape shape) {
  const TensorId id = AddNode(Op::kParameter, name, {}, {}, std::move(shape));
  parameters_.push_back(id);
  return id;
}

TensorId Graph::State(absl::string_view name, Shape shape) {
  const TensorId id = AddNode(Op::kState, name, {}, {}, std::move(shape));
  states_.push_back(id);
  return id;
}

TensorId Graph::Constant(double value, Shape shape) {
  Attributes attributes;
  attributes.value = value;
  return AddNode(Op::kConstant, "constant", {}, std::move(attributes), std::move(shape));
}

absl::StatusOr<TensorId> Graph::Elementwise(absl::string_view name, const Expr& formula,
                                            std::vector<TensorId> operands) {
  if (operands.empty()) return Invalid(name, "an elementwise operation needs at least one input");
  // The result has the shape of the operand with the highest rank.
  const Shape* result = &shape(operands[0]);
  for (TensorId id : operands) {
    if (shape(id).rank() > result->rank()) result = &shape(id);
  }
  for (TensorId id : operands) {
    const Shape& s = shape(id);
    const bool is_channel_vector = s.rank() == 1 && result->rank() >= 2 && s[0] == (*result)[1];
    if (s == *result || s.rank() == 0 || is_channel_vector) continue;
    return Invalid(name, absl::StrCat("its inputs have different shapes: ",
                                      absl::StrJoin(operands, ", ",
                                                    [this](std::string* out, TensorId t) {
                                                      absl::StrAppend(out, "'", tensor(t).name,
                                                                      "' ", shape(t).ToString());
                                                    }),
                                      ". They must agree; a 1x1 convolution with the same stride "
                                      "brings a branch to the other's shape."));
  }
  Shape copy = *result;
  Attributes attributes;
  attributes.formula = Canonical(pool_->Import(formula), operands);
  if (attributes.formula == Operand(0) && operands.size() == 1 && shape(operands[0]) == copy)
    return operands[0];
  return AddNode(Op::kElementwise, name, std::move(operands), std::move(attributes),
                 std::move(copy));
}

Expr Graph::Canonical(Expr formula, std::vector<TensorId>& operands) const {
  std::vector<TensorId> used;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (autodiff::symbolic::Contains(formula, Operand(static_cast<int>(i))))
      used.push_back(operands[i]);
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (used.empty()) used.push_back(operands[0]);
  autodiff::symbolic::Substitutions renamed;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto place = std::lower_bound(used.begin(), used.end(), operands[i]);
    if (place == used.end() || *place != operands[i]) continue;
    renamed[Operand(static_cast<int>(i))] = Operand(static_cast<int>(place - used.begin()));
  }
  operands = std::move(used);
  return autodiff::symbolic::Substitute(formula, renamed);
}

absl::StatusOr<TensorId> Graph::Formula(
    absl::string_view name, absl::string_view text,
    const std::vector<std::pair<std::string, TensorId>>& operands) {
  autodiff::symbolic::ParseOptions options;
  std::vector<TensorId> ids;
  autodiff::symbolic::Substitutions renamed;
  options.variables.emplace();
  for (const auto& [variable, id] : operands) {
    options.variables->push_back(variable);
    renamed[pool_->Variable(variable)] = Operand(static_cast<int>(ids.size()));
    ids.push_back(id);
  }
  absl::StatusOr<Expr> formula = autodiff::symbolic::Parse(text, *pool_, options);
  if (!formula.ok())
    return Invalid(name, absl::StrCat("formula \"", text, "\": ", formula.status().message()));
  return Elementwise(name, autodiff::symbolic::Substitute(*formula, renamed), std::move(ids));
}

absl::StatusOr<TensorId> Graph::ChannelSum(absl::string_view name, TensorId x) {
  if (shape(x).rank() < 2)
    return Invalid(name, absl::StrCat("a sum over channels needs a channel axis; found shape ",
                                      shape(x).ToString()));
  return AddNode(Op::kChannelSum, name, {x}, {}, {shape(x)[1]});
}

absl::StatusOr<Graph::MomentsResult> Graph::Moments(absl::string_view name, TensorId x) {
  if (shape(x).rank() < 2)
    return Invalid(name, absl::StrCat("needs a channel axis; found shape ", shape(x).ToString()));
  const int node = NewNode(Op::kMoments, name, {x}, {});
  const Shape channels = {shape(x)[1]};
  const TensorId mean = NewTensor(absl::StrCat(name, ".mean"), channels, node);
  return MomentsResult{mean, NewTensor(absl::StrCat(name, ".variance"), channels, node)};
}

absl::StatusOr<TensorId> Graph::Convolution(absl::string_view name, TensorId x, TensorId w,
                                            const ConvolutionOptions& options) {
  if (absl::Status status = NeedsImages(*this, name, x); !status.ok()) return status;
  const Shape& in = shape(x);
  const Shape& kernel = shape(w);
  if (kernel.rank() != 4)
    return Invalid(name,
                   absl::StrCat("its weight must be [out, in / groups, height, width]; found ",
                                kernel.ToString()));
  if (options.groups < 1 || in[1] % options.groups != 0 || kernel[0] % options.groups != 0) {
    return Invalid(name, absl::StrCat("groups: ", options.groups, " must divide both its ", in[1],
                                      " input channels and its ", kernel[0], " output channels"));
  }
  if (kernel[1] != in[1] / options.groups) {
    return Invalid(name, absl::StrCat("its weight ", kernel.ToString(), " expects ",
                                      kernel[1] * options.groups, " input channels, but '",
                                      tensor(x).name, "' has shape ", in.ToString()));
  }
  Attributes attributes;
  ConvolutionShape& c = attributes.convolution;
  c.batch = in[0], c.in_channels = in[1], c.out_channels = kernel[0], c.groups = options.groups;
  c.in_height = in[2], c.in_width = in[3], c.kernel_height = kernel[2], c.kernel_width = kernel[3];
  c.stride_height = options.stride_height, c.stride_width = options.stride_width;
  c.dilation_height = options.dilation_height, c.dilation_width = options.dilation_width;
  c.pad_top = options.padding.top, c.pad_bottom = options.padding.bottom;
  c.pad_left = options.padding.left, c.pad_right = options.padding.right;
  const int64_t extent_height = (kernel[2] - 1) * options.dilation_height + 1,
                extent_width = (kernel[3] - 1) * options.dilation_width + 1;
  const int64_t out_height =
      WindowSteps(in[2], extent_height, options.stride_height, c.pad_top, c.pad_bottom);
  const int64_t out_width =
      WindowSteps(in[3], extent_width, options.stride_width, c.pad_left, c.pad_right);
  if (out_height < 1 || out_width < 1)
    return WindowDoesNotFit(*this, name, "kernel", extent_height, extent_width, x, options.padding);
  const Shape out = {in[0], kernel[0], out_height, out_width};
  return AddNode(Op::kConvolution, name, {x, w}, std::move(attributes), out);
}

absl::StatusOr<TensorId> Graph::TransposedConvolution(absl::string_view name, TensorId x,
                                                      TensorId w, const ConvolutionOptions& options,
                                                      int64_t output_padding_height,
                                                      int64_t output_padding_width) {
  if (absl::Status status = NeedsImages(*this, name, x); !status.ok()) return status;
  const Shape& in = shape(x);
  const Shape& kernel = shape(w);
  if (kernel.rank() != 4 || kernel[0] != in[1] || options.groups < 1 ||
      in[1] % options.groups != 0) {
    return Invalid(
        name,
        absl::StrCat("its weight must be [in, out / groups, height, width] with in = ", in[1],
                     " and groups (", options.groups, ") dividing it; found ", kernel.ToString()));
  }
  if (output_padding_height >= std::max(options.stride_height, options.dilation_height) ||
      output_padding_width >= std::max(options.stride_width, options.dilation_width)) {
    return Invalid(name, "output_padding must be smaller than the stride or the dilation");
  }
  // Rows and columns of output_padding come after those that the padding took away. What is more of
  // them than of these, no kernel reaches.
  const Padding& padding = options.padding;
  const Padding unreached = {0, std::max<int64_t>(0, output_padding_height - padding.bottom), 0,
                             std::max<int64_t>(0, output_padding_width - padding.right)};
  // The convolution whose gradient by its input this is: it maps the result here, but for those, to
  // the input here.
  Attributes attributes;
  ConvolutionShape& c = attributes.convolution;
  c.batch = in[0], c.in_channels = kernel[1] * options.groups, c.out_channels = in[1],
  c.groups = options.groups;
  c.kernel_height = kernel[2], c.kernel_width = kernel[3];
  c.stride_height = options.stride_height, c.stride_width = options.stride_width;
  c.dilation_height = options.dilation_height, c.dilation_width = options.dilation_width;
  c.pad_top = padding.top, c.pad_left = padding.left;
  c.pad_bottom = std::max<int64_t>(0, padding.bottom - output_padding_height);
  c.pad_right = std::max<int64_t>(0, padding.right - output_padding_width);
  c.in_height = (in[2] - 1) * c.stride_height + (kernel[2] - 1) * c.dilation_height + 1 -
                c.pad_top - c.pad_bottom;
  c.in_width = (in[3] - 1) * c.stride_width + (kernel[3] - 1) * c.dilation_width + 1 - c.pad_left -
               c.pad_right;
  if (c.in_height < 1 || c.in_width < 1)
    return Invalid(name, absl::StrCat("its padding leaves nothing of its result: ", c.in_height,
                                      "x", c.in_width));
  const Shape out = {in[0], c.in_channels, c.in_height, c.in_width};
  const TensorId y =
      AddNode(Op::kConvolutionInputGradient, name, {x, w}, std::move(attributes), out);
  if (unreached.bottom + unreached.right == 0) return y;
  return Pad(name, y, PadMode::kZeros, unreached);
}

absl::StatusOr<TensorId> Graph::Linear(absl::string_view name, TensorId x, TensorId w) {
  const Shape& in = shape(x);
  const Shape& weight = shape(w);
  if (in.rank() != 4 && in.rank() != 2)
    return Invalid(name,
                   absl::StrCat("its input must be [N, K] or [N, C, H, W]; found ", in.ToString()));
  const int64_t features = in.NumElements() / in[0];
  if (weight.rank() != 2 || weight[1] != features) {
    return Invalid(name, absl::StrCat("its weight ", weight.ToString(), " does not fit its input '",
                                      tensor(x).name, "' ", in.ToString(), ", which has ", features,
                                      " features"));
  }
  Attributes attributes;
  ConvolutionShape& c = attributes.convolution;
  c.batch = in[0], c.in_channels = in[1], c.out_channels = weight[0];
  c.in_height = c.kernel_height = in.rank() == 4 ? in[2] : 1;
  c.in_width = c.kernel_width = in.rank() == 4 ? in[3] : 1;
  const Shape out = {in[0], weight[0]};
  return AddNode(Op::kConvolution, name, {x, w}, std::move(attributes), out);
}

absl::StatusOr<Shape> PooledShape(const Graph& graph, absl::string_view name, TensorId x,
                                  const PoolWindow& window) {
  if (absl::Status status = NeedsImages(graph, name, x); !status.ok()) return status;
  const Shape& in = graph.shape(x);
  if (std::max(window.padding.top, window.padding.bottom) * 2 > window.height ||
      std::max(window.padding.left, window.padding.right) * 2 > window.width) {
    return Invalid(name,
                   "padding must be at most half of the window, or some windows would hold nothing "
                   "but padding");
  }
  const int64_t height = WindowSteps(in[2], window.height, window.stride_height, window.padding.top,
                                     window.padding.bottom);
  const int64_t width = WindowSteps(in[3], window.width, window.stride_width, window.padding.left,
                                    window.padding.right);
  if (height < 1 || width < 1)
    return WindowDoesNotFit(graph, name, "window", window.height, window.width, x, window.padding);
  return Shape({in[0], in[1], height, width});
}

// Whether pooling changes nothing: each window is one cell, and there is one for each pixel.
// (Padding would be less than half of it.)
bool IsIdentity(const Shape& in, const Shape& out, const PoolWindow& window) {
  return window.height == 1 && window.width == 1 && in == out;
}

absl::StatusOr<Graph::MaxPoolResult> Graph::MaxPool(absl::string_view name, TensorId x,
                                                    const PoolWindow& window) {
  absl::StatusOr<Shape> out = PooledShape(*this, name, x, window);
  if (!out.ok()) return out.status();
  if (IsIdentity(shape(x), *out, window)) return MaxPoolResult{x, kNoTensor};
  Attributes attributes;
  attributes.window = window;
  const int node = NewNode(Op::kMaxPool, name, {x}, std::move(attributes));
  const TensorId value = NewTensor(name, *out, node);
  return MaxPoolResult{value, NewTensor(absl::StrCat(name, ".position"), *out, node)};
}

absl::StatusOr<TensorId> Graph::AveragePool(absl::string_view name, TensorId x,
                                            const PoolWindow& window) {
  absl::StatusOr<Shape> out = PooledShape(*this, name, x, window);
  if (!out.ok()) return out.status();
  if (IsIdentity(shape(x), *out, window)) return x;
  Attributes attributes;
  attributes.window = window;
  return AddNode(Op::kAveragePool, name, {x}, std::move(attributes), *out);
}

absl::StatusOr<TensorId> Graph::Pad(absl::string_view name, TensorId x, PadMode mode,
                                    const Padding& padding) {
  if (absl::Status status = NeedsImages(*this, name, x); !status.ok()) return status;
  const Shape& in = shape(x);
  const Shape out = {in[0], in[1], in[2] + padding.top + padding.bottom,
                     in[3] + padding.left + padding.right};
  if (out[2] < 1 || out[3] < 1)
    return Invalid(name, absl::StrCat("padding leaves nothing of its input ", in.ToString()));
  const int64_t most_height = std::max(padding.top, padding.bottom),
                most_width = std::max(padding.left, padding.right);
  const int64_t limit = mode == PadMode::kReflect ? 1 : 0;
  if (mode != PadMode::kZeros && (most_height > in[2] - limit || most_width > in[3] - limit)) {
    return Invalid(name, absl::StrCat(mode == PadMode::kReflect ? "reflect" : "circular",
                                      " padding of ", most_height, "x", most_width,
                                      " needs more rows or columns than its input ", in.ToString(),
                                      " has; pad less, or with zeros"));
  }
  Attributes attributes;
  attributes.pad_mode = mode, attributes.padding = padding;
  return AddNode(Op::kPad, name, {x}, std::move(attributes), out);
}

absl::StatusOr<TensorId> Graph::Concat(absl::string_view name, std::vector<TensorId> xs) {
  if (xs.empty()) return Invalid(name, "concat needs at least one input");
  Shape out = shape(xs[0]);
  if (out.rank() < 2) return Invalid(name, "concat joins channels; its inputs have none");
  for (size_t i = 1; i < xs.size(); ++i) {
    Shape other = shape(xs[i]);
    const int64_t channels = other.rank() >= 2 ? other[1] : 0;
    if (other.rank() == out.rank()) other[1] = out[1];
    if (other != out) {
      return Invalid(name,
                     absl::StrCat("inputs '", tensor(xs[0]).name, "' ", shape(xs[0]).ToString(),
                                  " and '", tensor(xs[i]).name, "' ", shape(xs[i]).ToString(),
                                  " may differ only in their channels"));
    }
    out[1] += channels;
  }
  return AddNode(Op::kConcat, name, std::move(xs), {}, out);
}

absl::StatusOr<TensorId> Graph::Slice(absl::string_view name, TensorId x, int64_t begin,
                                      int64_t size) {
  Shape out = shape(x);
  if (out.rank() < 2 || begin < 0 || size < 1 || begin + size > out[1]) {
    return Invalid(name, absl::StrCat("channels ", begin, " to ", begin + size, " are not all in ",
                                      out.ToString()));
  }
  out[1] = size;
  Attributes attributes;
  attributes.begin = begin;
  return AddNode(Op::kSlice, name, {x}, std::move(attributes), out);
}

absl::StatusOr<TensorId> Graph::Reshape(absl::string_view name, TensorId x, Shape to) {
  if (shape(x) == to) return x;
  if (shape(x).NumElements() != to.NumElements()) {
    return Invalid(name, absl::StrCat("cannot reshape ", shape(x).ToString(), " to ", to.ToString(),
                                      ": the number of elements differs"));
  }
  return AddNode(Op::kReshape, name, {x}, {}, std::move(to));
}

absl::StatusOr<TensorId> Graph::LayerNorm(absl::string_view name, TensorId x, double epsilon) {
  if (shape(x).rank() < 2) return Invalid(name, "needs a batch axis");
  Attributes attributes;
  attributes.epsilon = epsilon;
  const Shape in = shape(x);
  const int node = NewNode(Op::kLayerNorm, name, {x}, std::move(attributes));
  const TensorId y = NewTensor(name, in, node);
  NewTensor(absl::StrCat(name, ".mean"), {in[0]}, node);
  NewTensor(absl::StrCat(name, ".inverse_deviation"), {in[0]}, node);
  return y;
}

absl::StatusOr<TensorId> Graph::Softmax(absl::string_view name, TensorId x) {
  if (shape(x).rank() != 2)
    return Invalid(name, absl::StrCat("needs [batch, classes]; its input '", tensor(x).name,
                                      "' has shape ", shape(x).ToString()));
  return AddNode(Op::kSoftmax, name, {x}, {}, shape(x));
}

absl::StatusOr<TensorId> Graph::DropoutMask(absl::string_view name, TensorId like, double rate) {
  if (!(rate >= 0 && rate < 1))
    return Invalid(name, absl::StrCat("rate ", rate, " must be at least 0 and below 1"));
  Attributes attributes;
  attributes.value = rate;
  return AddNode(Op::kDropoutMask, name, {}, std::move(attributes), shape(like));
}

absl::StatusOr<TensorId> Graph::Loss(absl::string_view name, TensorId prediction, TensorId labels,
                                     const LossAttributes& loss) {
  const Shape predicted = shape(prediction);
  if (predicted.rank() != 2) {
    return Invalid(name,
                   absl::StrCat("needs predictions [batch, classes]; '", tensor(prediction).name,
                                "' has shape ", predicted.ToString(),
                                ". End the network with a linear layer or a global pooling."));
  }
  if (shape(labels) != Shape({predicted[0]}))
    return Invalid(name, absl::StrCat("labels ", shape(labels).ToString(),
                                      " do not fit predictions ", predicted.ToString()));
  if (!loss.class_weights.empty() &&
      static_cast<int64_t>(loss.class_weights.size()) != predicted[1]) {
    return Invalid(name, absl::StrCat(loss.class_weights.size(), " class weights for ",
                                      predicted[1], " classes"));
  }
  Attributes attributes;
  attributes.loss = loss;
  if (loss.formula) attributes.loss.formula = pool_->Import(loss.formula);
  const int node = NewNode(Op::kLoss, name, {prediction, labels}, std::move(attributes));
  const TensorId value = NewTensor(name, {}, node);
  NewTensor(absl::StrCat(name, ".gradient"), predicted, node);
  return value;
}

absl::StatusOr<TensorId> Graph::Add(absl::string_view name, std::vector<TensorId> terms) {
  // Many terms are added a few at a time: a pass over memory has a limited number of operands.
  constexpr size_t kMostTerms = 8;
  while (terms.size() > kMostTerms) {
    absl::StatusOr<TensorId> sum = Add(name, {terms.end() - kMostTerms, terms.end()});
    if (!sum.ok()) return sum;
    terms.resize(terms.size() - kMostTerms);
    terms.push_back(*sum);
  }
  if (terms.size() == 1) return terms[0];
  std::vector<Expr> operands;
  for (size_t i = 0; i < terms.size(); ++i) operands.push_back(Operand(static_cast<int>(i)));
  if (operands.empty()) return Invalid(name, "add needs at least one input");
  return Elementwise(name, autodiff::symbolic::Add(operands), std::move(terms));
}

absl::StatusOr<TensorId> Graph::AddBias(absl::string_view name, TensorId x, TensorId bias) {
  return Add(name, {x, bias});
}

absl::StatusOr<TensorId> Graph::BatchNorm(absl::string_view name, TensorId x,
                                          const BatchNormOptions& options) {
  if (shape(x).rank() < 2)
    return Invalid(name,
                   absl::StrCat("needs a channel axis; its input has shape ", shape(x).ToString()));
  TensorId mean = options.running_mean, variance = options.running_variance;
  if (options.training) {
    const int64_t count = shape(x).NumElements() / shape(x)[1];
    if (count < 2)
      return Invalid(name,
                     "batch normalisation needs more than one value a channel in training: use a "
                     "larger batch or larger images");
    absl::StatusOr<MomentsResult> moments = Moments(name, x);
    if (!moments.ok()) return moments.status();
    mean = moments->mean, variance = moments->variance;
    const Expr running = Operand(0), batch = Operand(1);
    const double m = options.momentum, unbiased = static_cast<double>(count) / (count - 1);
    absl::StatusOr<TensorId> new_mean =
        Elementwise(name, (1 - m) * running + m * batch, {options.running_mean, mean});
    if (!new_mean.ok()) return new_mean;
    absl::StatusOr<TensorId> new_variance = Elementwise(
        name, (1 - m) * running + m * unbiased * batch, {options.running_variance, variance});
    if (!new_variance.ok()) return new_variance;
    UpdateState(options.running_mean, *new_mean);
    UpdateState(options.running_variance, *new_variance);
  }
  absl::StatusOr<TensorId> inverse =
      Elementwise(name, 1 / autodiff::symbolic::Sqrt(Operand(0) + options.epsilon), {variance});
  if (!inverse.ok()) return inverse;
  std::vector<TensorId> operands = {x, mean, *inverse};
  Expr y = (Operand(0) - Operand(1)) * Operand(2);
  if (options.scale != kNoTensor) {
    y = y * Operand(static_cast<int>(operands.size()));
    operands.push_back(options.scale);
  }
  if (options.shift != kNoTensor) {
    y = y + Operand(static_cast<int>(operands.size()));
    operands.push_back(options.shift);
  }
  return Elementwise(name, y, std::move(operands));
}

std::string Graph::ToString() const {
  std::string text;
  for (const Node& node : nodes_) {
    absl::StrAppend(
        &text,
        absl::StrJoin(node.outputs, ", ",
                      [this](std::string* out, TensorId t) {
                        absl::StrAppend(out, "%", t, " ", shape(t).ToString());
                      }),
        " = ", OpName(node.op), "(",
        absl::StrJoin(node.inputs, ", ",
                      [](std::string* out, TensorId t) { absl::StrAppend(out, "%", t); }),
        ")  # ", node.name, "\n");
  }
  return text;
}

}  // namespace cotangent::layers
