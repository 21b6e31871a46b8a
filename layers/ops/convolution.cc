// Convolutions, their gradients, and the layers made of them.

#include "layers/ops/convolution.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/ops/pad.h"
#include "layers/ops/rules.h"
#include "tensor/reference.h"

namespace cotangent::layers {
namespace {

using tensor::ConvolutionShape;

// Base of the three convolution operations. Each operation is linear in both of its inputs. A plan
// (a graph compiled for this machine, layers/plan/plan.h) chooses the kernels of all convolutions
// of a graph together (layers/plan/assign.h), so these operations have no Bind() of their own.
template <class Derived>
class ConvolutionKind : public OperationOf<Derived> {
 public:
  PassRole Role(const Graph&, const Node&) const final { return {}; }
  absl::StatusOr<int> Emit(PassContext&, const Node& node, int, int) const final {
    return absl::InternalError(absl::StrCat(node.name, ": a convolution is not of passes"));
  }
  absl::StatusOr<std::function<void(int64_t)>> Bind(KernelContext&) const final {
    return absl::InternalError("convolutions are planned by themselves");
  }

  absl::Status Jvp(ForwardRule& rule) const final {
    RuleBuilder rules(rule.graph, rule.node.name);
    std::vector<TensorId> terms;
    if (rule.d[0] != kNoTensor)
      terms.push_back(rule.Like(this, {rule.d[0], rule.in(1)}, rule.out(0)));
    if (rule.d[1] != kNoTensor)
      terms.push_back(rule.Like(this, {rule.in(0), rule.d[1]}, rule.out(0)));
    rule.made[0] = rules.Add(std::move(terms));
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    e.out(node, 0) = static_cast<const Derived*>(this)->template Plain<T>(
        node.as<ConvolutionAttributes>().shape, e.in(node, 0), e.in(node, 1));
    if (node.op == kConvolution && node.inputs.size() > 2) AddFolded(node, e);
    return absl::OkStatus();
  }

 private:
  // Adds what a convolution of a graph folded for inference (layers/plan/fold.h) also computes: a
  // bias [C] and, if they are there, an addend (the other tensor of a residual sum) and a ReLU.
  template <class T>
  static void AddFolded(const Node& node, Evaluation<T>& e) {
    const TensorId y = node.outputs[0];
    for (int64_t i = 0; i < e.Elements(y); ++i) {
      T& value = e.values[y][i];
      value = value + e.in(node, 2)[i / e.Pixels(y) % e.Channels(y)];
      if (node.inputs.size() > 3) value = value + e.in(node, 3)[i];
      if (node.as<ConvolutionAttributes>().relu && value < T(0)) value = T(0);
    }
  }
};

class Forward : public ConvolutionKind<Forward> {
 public:
  const char* name() const override { return "convolution"; }
  Storage StorageOf(const Graph&, const Node& node, int output) const override {
    if (output == 1) return Storage::kSmallPositions;
    const auto& int8 = node.as<ConvolutionAttributes>().int8;
    if (int8 == nullptr || int8->out_type == ElementType::kF32) return Storage::kActivations;
    return int8->out_type == ElementType::kS8 ? Storage::kSignedBytes : Storage::kUnsignedBytes;
  }

  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId x = rule.in(0), w = rule.in(1), dy = rule.d[0];
    if (rule.Needs(x)) rule.Contribute(x, rule.Like(kConvolutionInputGradient, {dy, w}, x));
    if (rule.Needs(w)) rule.Contribute(w, rule.Like(kConvolutionWeightGradient, {x, dy}, w));
    return absl::OkStatus();
  }

  template <class T>
  std::vector<T> Plain(const tensor::ConvolutionShape& shape, const std::vector<T>& a,
                       const std::vector<T>& b) const {
    return tensor::reference::ConvolutionForward<T>(shape, a, b);
  }
};

class InputGradient : public ConvolutionKind<InputGradient> {
 public:
  const char* name() const override { return "convolution_input_gradient"; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId dy = rule.in(0), w = rule.in(1), d_dx = rule.d[0];
    if (rule.Needs(dy)) rule.Contribute(dy, rule.Like(kConvolution, {d_dx, w}, dy));
    if (rule.Needs(w)) rule.Contribute(w, rule.Like(kConvolutionWeightGradient, {d_dx, dy}, w));
    return absl::OkStatus();
  }

  template <class T>
  std::vector<T> Plain(const tensor::ConvolutionShape& shape, const std::vector<T>& a,
                       const std::vector<T>& b) const {
    return tensor::reference::ConvolutionInputGradient<T>(shape, a, b);
  }
};

class WeightGradient : public ConvolutionKind<WeightGradient> {
 public:
  const char* name() const override { return "convolution_weight_gradient"; }
  bool occurs_in_inference() const override { return false; }
  Storage StorageOf(const Graph&, const Node&, int) const override { return Storage::kPlain; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId x = rule.in(0), dy = rule.in(1), d_dw = rule.d[0];
    if (rule.Needs(x)) rule.Contribute(x, rule.Like(kConvolutionInputGradient, {dy, d_dw}, x));
    if (rule.Needs(dy)) rule.Contribute(dy, rule.Like(kConvolution, {x, d_dw}, dy));
    return absl::OkStatus();
  }

  template <class T>
  std::vector<T> Plain(const tensor::ConvolutionShape& shape, const std::vector<T>& a,
                       const std::vector<T>& b) const {
    return tensor::reference::ConvolutionWeightGradient<T>(shape, a, b);
  }
};

const Forward forward;
const InputGradient input_gradient;
const WeightGradient weight_gradient;

}  // namespace

const Op kConvolution = &forward, kConvolutionInputGradient = &input_gradient,
         kConvolutionWeightGradient = &weight_gradient;

absl::StatusOr<TensorId> Convolution(Graph& graph, absl::string_view name, TensorId x, TensorId w,
                                     const ConvolutionOptions& options) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape& in = graph.shape(x);
  const Shape& kernel = graph.shape(w);
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
                                      graph.tensor(x).name, "' has shape ", in.ToString()));
  }
  ConvolutionAttributes attributes;
  ConvolutionShape& c = attributes.shape;
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
    return WindowDoesNotFit(graph, name, "kernel", extent_height, extent_width, x, options.padding);
  const Shape out = {in[0], kernel[0], out_height, out_width};
  return graph.AddNode(kConvolution, name, {x, w}, attributes, out);
}

absl::StatusOr<TensorId> TransposedConvolution(Graph& graph, absl::string_view name, TensorId x,
                                               TensorId w, const ConvolutionOptions& options,
                                               int64_t output_padding_height,
                                               int64_t output_padding_width) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape& in = graph.shape(x);
  const Shape& kernel = graph.shape(w);
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
  // output_padding adds rows at the bottom and columns at the right of the result. The first of
  // these are rows and columns that `padding` would otherwise crop there. No position of the kernel
  // reaches the others, so they are zero and are appended at the end.
  const Padding& padding = options.padding;
  const Padding unreached = {0, std::max<int64_t>(0, output_padding_height - padding.bottom), 0,
                             std::max<int64_t>(0, output_padding_width - padding.right)};
  // A transposed convolution is the gradient, by its input, of an ordinary convolution. That
  // convolution maps an image of the size of this function's result (without the unreached rows and
  // columns) to an image of the size of this function's input x.
  ConvolutionAttributes attributes;
  ConvolutionShape& c = attributes.shape;
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
  const TensorId y = graph.AddNode(kConvolutionInputGradient, name, {x, w}, attributes, out);
  if (unreached.bottom + unreached.right == 0) return y;
  return Pad(graph, name, y, PadMode::kZeros, unreached);
}

absl::StatusOr<TensorId> Linear(Graph& graph, absl::string_view name, TensorId x, TensorId w) {
  const Shape& in = graph.shape(x);
  const Shape& weight = graph.shape(w);
  if (in.rank() != 4 && in.rank() != 2)
    return Invalid(name,
                   absl::StrCat("its input must be [N, K] or [N, C, H, W]; found ", in.ToString()));
  const int64_t features = in.NumElements() / in[0];
  if (weight.rank() != 2 || weight[1] != features) {
    return Invalid(name, absl::StrCat("its weight ", weight.ToString(), " does not fit its input '",
                                      graph.tensor(x).name, "' ", in.ToString(), ", which has ",
                                      features, " features"));
  }
  ConvolutionAttributes attributes;
  ConvolutionShape& c = attributes.shape;
  c.batch = in[0], c.in_channels = in[1], c.out_channels = weight[0];
  c.in_height = c.kernel_height = in.rank() == 4 ? in[2] : 1;
  c.in_width = c.kernel_width = in.rank() == 4 ? in[3] : 1;
  const Shape out = {in[0], weight[0]};
  return graph.AddNode(kConvolution, name, {x, w}, attributes, out);
}

// ---- The layers of layers/network/network.proto that are built from the operations above ----

namespace {

absl::Status CheckGroups(int64_t groups, int64_t in, int64_t out, const Value& input) {
  RETURN_IF_ERROR(CheckSize("groups", groups, 1, kMostChannels));
  if (in % groups == 0 && out % groups == 0) return absl::OkStatus();
  return Error(absl::StrCat("groups: ", groups, " does not divide both the ", in, " channels of '",
                            input.maker, "' and its own ", out, "; use a number that does"));
}

absl::Status CheckWhitening(const Value& input, const Shape& weight, const LayerBuilder& b) {
  if (input.id != b.images())
    return Error(absl::StrCat(
        "whiten is for a convolution that reads the images themselves, but its input is '",
        input.maker, "'; take it out"));
  const int64_t patch = weight[1] * weight[2] * weight[3];
  if (weight[1] == b.shape(input).channels() && weight[0] == 2 * patch) return absl::OkStatus();
  return Error(absl::StrCat("whiten makes 2 x ", patch, " filters from patches of ", patch,
                            " values, but it has ", weight[0],
                            " channels; expected channels: ", 2 * patch, " and no groups"));
}

absl::StatusOr<Value> ConvolutionLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.convolution();
  const std::string& name = b.name();
  const Value& input = b.input();
  RETURN_IF_ERROR(b.NeedImage(input));
  if (!text.has_channels())
    return Error("channels is missing; expected the number of its filters, such as channels: 32");
  RETURN_IF_ERROR(CheckSize("channels", text.channels(), 1, kMostChannels));
  const Shape in = b.shape(input);
  RETURN_IF_ERROR(CheckGroups(text.groups(), in.channels(), text.channels(), input));
  ASSIGN_OR_RETURN(const Pair kernel, KernelOf(text.kernel()));
  ASSIGN_OR_RETURN(const Pair stride, PairOf("stride", text.stride(), {1, 1}, 1));
  ASSIGN_OR_RETURN(const Pair dilation, PairOf("dilation", text.dilation(), {1, 1}, 1));
  const Pair extent = {(kernel.height - 1) * dilation.height + 1,
                       (kernel.width - 1) * dilation.width + 1};
  ASSIGN_OR_RETURN(const Window window, WindowOf(text, in, extent, stride));
  RETURN_IF_ERROR(b.CheckResult({text.channels(), window.out.height, window.out.width}));
  const Shape weight_shape = {text.channels(), in.channels() / text.groups(), kernel.height,
                              kernel.width};
  ASSIGN_OR_RETURN(const TensorId weight, b.AddWeight(text, weight_shape));
  if (b.parameter().initialiser.has_whiten())
    RETURN_IF_ERROR(CheckWhitening(input, weight_shape, b));

  ConvolutionOptions options;
  options.stride_height = stride.height, options.stride_width = stride.width;
  options.dilation_height = dilation.height, options.dilation_width = dilation.width;
  options.groups = text.groups();
  TensorId x = input.id;
  if (text.padding_mode() == Layer::ZEROS || !HasPadding(window.padding)) {
    options.padding = window.padding;
  } else {
    const Padding& pad = window.padding;
    RETURN_IF_ERROR(b.CheckResult(
        {in.channels(), in.height() + pad.top + pad.bottom, in.width() + pad.left + pad.right}));
    ASSIGN_OR_RETURN(x, Pad(b.graph(), name, x, PadModeOf(text.padding_mode()), window.padding));
  }
  ASSIGN_OR_RETURN(const TensorId y, Convolution(b.graph(), name, x, weight, options));
  b.row().multiply_adds = weight_shape.NumElements() * window.out.height * window.out.width;
  return b.WithBias(text, y);
}

absl::StatusOr<Value> TransposedConvolutionLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.transposed_convolution();
  const std::string& name = b.name();
  const Value& input = b.input();
  RETURN_IF_ERROR(b.NeedImage(input));
  if (!text.has_channels())
    return Error(
        "channels is missing; expected the number of channels it makes, such as channels: 32");
  RETURN_IF_ERROR(CheckSize("channels", text.channels(), 1, kMostChannels));
  const Shape in = b.shape(input);
  RETURN_IF_ERROR(CheckGroups(text.groups(), in.channels(), text.channels(), input));
  ASSIGN_OR_RETURN(const Pair kernel, KernelOf(text.kernel()));
  ASSIGN_OR_RETURN(const Pair stride, PairOf("stride", text.stride(), {1, 1}, 1));
  ASSIGN_OR_RETURN(const Pair dilation, PairOf("dilation", text.dilation(), {1, 1}, 1));
  ASSIGN_OR_RETURN(const Pair extra, PairOf("output_padding", text.output_padding(), {0, 0}, 0));
  ASSIGN_OR_RETURN(const Padding pad, PadOf(text.pad(), 0));
  if (extra.height >= std::max(stride.height, dilation.height) ||
      extra.width >= std::max(stride.width, dilation.width)) {
    return Error(absl::StrCat("output_padding ", Times(extra), " is not smaller than the stride ",
                              Times(stride), " or the dilation ", Times(dilation),
                              "; make it less"));
  }
  const Pair out = {(in.height() - 1) * stride.height + (kernel.height - 1) * dilation.height + 1 -
                        pad.top - pad.bottom + extra.height,
                    (in.width() - 1) * stride.width + (kernel.width - 1) * dilation.width + 1 -
                        pad.left - pad.right + extra.width};
  if (out.height < 1 || out.width < 1) {
    return Error(absl::StrCat("its padding leaves nothing of its result (", Times(out),
                              ") from its input ", Times({in.height(), in.width()}),
                              "; use less padding"));
  }
  RETURN_IF_ERROR(b.CheckResult({text.channels(), out.height, out.width}));
  const Shape weight_shape = {in.channels(), text.channels() / text.groups(), kernel.height,
                              kernel.width};
  ASSIGN_OR_RETURN(const TensorId weight, b.AddWeight(text, weight_shape));
  ConvolutionOptions options;
  options.stride_height = stride.height, options.stride_width = stride.width;
  options.dilation_height = dilation.height, options.dilation_width = dilation.width;
  options.groups = text.groups();
  options.padding = pad;
  ASSIGN_OR_RETURN(const TensorId y, TransposedConvolution(b.graph(), name, input.id, weight,
                                                           options, extra.height, extra.width));
  b.row().multiply_adds = weight_shape.NumElements() * in.height() * in.width();
  return b.WithBias(text, y);
}

absl::StatusOr<Value> LinearLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.linear();
  const std::string& name = b.name();
  const Value& input = b.input();
  const int64_t features = text.has_features() ? text.features() : b.classes();
  RETURN_IF_ERROR(CheckSize("features", features, 1, kMostChannels));
  RETURN_IF_ERROR(b.CheckResult({features}));
  const Shape weight_shape = {features, b.shape(input).NumElements() / b.shape(input)[0]};
  ASSIGN_OR_RETURN(const TensorId weight, b.AddWeight(text, weight_shape));
  ASSIGN_OR_RETURN(const TensorId y, Linear(b.graph(), name, input.id, weight));
  b.row().multiply_adds = weight_shape.NumElements();
  return b.WithBias(text, y);
}

const RegisterLayer convolution_layer(Layer::kConvolution, ConvolutionLayer,
                                      {.aliases = {"Conv", "Conv2d", "DepthwiseConv",
                                                   "DepthwiseConv2d", "DepthwiseConvolution",
                                                   "GroupedConvolution", "SeparableConv2d"}});
const RegisterLayer transposed_layer(Layer::kTransposedConvolution, TransposedConvolutionLayer,
                                     {.aliases = {"Conv2dTranspose", "ConvTranspose",
                                                  "ConvTranspose2d", "Deconv", "Deconvolution"}});
const RegisterLayer linear_layer(
    Layer::kLinear, LinearLayer,
    {.aliases = {"Dense", "FC", "FullyConnected", "Gemm", "InnerProduct", "MatMul"},
     .field_aliases = {
         {"num_output", "features"}, {"out_features", "features"}, {"units", "features"}}});

}  // namespace
}  // namespace cotangent::layers
