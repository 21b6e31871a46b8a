#include "inference/onnx/onnx_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "autodiff/symbolic/evaluate.h"
#include "base/status_macros.h"
#include "inference/onnx/onnx_export.h"
#include "inference/onnx/onnx_formula.h"
#include "inference/onnx/onnx_int8.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "layers/ops/layer_norm.h"
#include "layers/ops/local_response_norm.h"
#include "layers/ops/pad.h"
#include "layers/ops/resample.h"

namespace cotangent::inference {
namespace {

using autodiff::symbolic::Expr;
using layers::Node;
using layers::Shape;
using layers::TensorId;
using Attribute = OnnxGraph::Attribute;

// ---- Functions that read a node's attributes ----------------------------------------------------

const Expr& FormulaOf(const Node& node) { return node.as<Expr>(); }
double ConstantOf(const Node& node) { return node.as<double>(); }
const tensor::ConvolutionShape& GeometryOf(const Node& node) {
  return node.as<layers::ConvolutionAttributes>().shape;
}
bool HasRelu(const Node& node) { return node.as<layers::ConvolutionAttributes>().relu; }
const layers::PoolWindow& WindowOf(const Node& node) { return node.as<layers::PoolWindow>(); }
layers::PadMode PadModeOf(const Node& node) { return node.as<layers::PadAttributes>().mode; }
const layers::Padding& PaddingOf(const Node& node) {
  return node.as<layers::PadAttributes>().padding;
}
int64_t FirstChannelOf(const Node& node) { return node.as<int64_t>(); }
std::vector<int64_t> Dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

// Evaluates an elementwise operation on constants, channel by channel: operands[i] holds the
// numbers of variables[i], one for each channel or one for all. Returns the results in the same
// way; an empty vector if an operand is empty, that is, not constant, or if the formula cannot be
// evaluated.
std::vector<float> EvaluateByChannel(const Expr& formula, const std::vector<Expr>& variables,
                                     const std::vector<std::vector<float>>& operands) {
  size_t count = 1;
  for (const auto& operand : operands) {
    if (operand.empty()) return {};
    count = std::max(count, operand.size());
  }
  const auto program = autodiff::symbolic::Program::Create({formula}, variables);
  if (!program.ok()) return {};
  std::vector<float> values(count);
  std::vector<double> point(operands.size());
  for (size_t c = 0; c < count; ++c) {
    for (size_t i = 0; i < operands.size(); ++i)
      point[i] = operands[i][operands[i].size() == 1 ? 0 : c];
    values[c] = static_cast<float>(program->Evaluate(point)[0]);
  }
  return values;
}

// ---- The rules: each adds the ONNX operators of one kind of node --------------------------------

absl::Status Leaf(const Node&, OnnxNetwork&) { return absl::OkStatus(); }

absl::Status Elementwise(const Node& node, OnnxNetwork& network) {
  const layers::Graph& graph = network.graph();
  const TensorId y = node.outputs[0];
  if (!network.Constant(y).empty()) return absl::OkStatus();
  if (ScaleOf(graph, node.inputs[0]).has_value()) {  // dequantises
    network.Set(y, Dequantised(node.inputs[0], network));
    return absl::OkStatus();
  }
  const Expr formula = FormulaOf(node);
  FormulaOperands operands;
  std::vector<Expr> constants;
  std::vector<std::vector<float>> values;
  std::string constant_name = node.name;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorId t = node.inputs[i];
    const Expr variable = graph.Operand(static_cast<int>(i));
    std::vector<float> constant = network.Constant(t);
    if (constant.empty()) {
      operands.computed[variable] = network.Value(t);
    } else {
      constants.push_back(variable);
      values.push_back(std::move(constant));
    }
  }
  operands.constant = [&](const Expr& e) -> absl::StatusOr<std::string> {
    if (e.IsConstant()) return network.onnx().Number(static_cast<float>(e.number().ToDouble()));
    std::vector<std::vector<float>> used;
    std::vector<Expr> variables;
    for (size_t i = 0; i < constants.size(); ++i) {
      if (!autodiff::symbolic::Contains(e, constants[i])) continue;
      variables.push_back(constants[i]);
      used.push_back(values[i]);
    }
    const std::vector<float> result = EvaluateByChannel(e, variables, used);
    return network.ChannelTensor(network.onnx().Unique(absl::StrCat(node.name, ".constant")),
                                 result, network.shape(y).rank());
  };
  ASSIGN_OR_RETURN(std::string value, AddFormula(formula, operands, network.onnx()));
  network.Set(y, std::move(value));
  return absl::OkStatus();
}

// Returns the name of a tensor's value as real numbers, even if it holds integers.
std::string RealValue(TensorId t, OnnxNetwork& network) {
  return ScaleOf(network.graph(), t).has_value() ? Dequantised(t, network) : network.Value(t);
}

// Adds the operations that were folded into a convolution (layers/plan/fold.h) and follow the sum
// of its products: addend, relu, quantisation. `value` is the name of these sums.
void FinishConvolution(const Node& node, std::string value, OnnxNetwork& network) {
  constexpr size_t kAddend = 3;
  if (node.inputs.size() > kAddend)
    value = network.onnx().Add("Add", {value, RealValue(node.inputs[kAddend], network)});
  if (HasRelu(node)) value = network.onnx().Add("Relu", {value});
  if (const auto scale = ScaleOf(network.graph(), node.outputs[0]))
    value = Quantised(*scale, value, network);
  network.Set(node.outputs[0], std::move(value));
}

absl::Status Convolution(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const TensorId x = node.inputs[0], weight = node.inputs[1];
  const bool is_int8 = node.as<layers::ConvolutionAttributes>().int8 != nullptr;
  std::vector<std::string> inputs = {
      RealValue(x, network), is_int8 ? DequantisedWeight(node, network) : network.Value(weight)};
  if (node.inputs.size() > 2)
    inputs.push_back(is_int8 ? DequantisedBias(node, network) : network.Value(node.inputs[2]));
  if (network.shape(weight).rank() == 2) {  // a linear layer
    if (network.shape(x).rank() != 2) inputs[0] = onnx.Add("Flatten", {inputs[0]});
    FinishConvolution(node, onnx.Add("Gemm", inputs, {OnnxGraph::Int("transB", 1)}), network);
    return absl::OkStatus();
  }
  const tensor::ConvolutionShape& s = GeometryOf(node);
  FinishConvolution(node,
                    onnx.Add("Conv", inputs,
                             {{"kernel_shape", {s.kernel_height, s.kernel_width}},
                              {"strides", {s.stride_height, s.stride_width}},
                              {"dilations", {s.dilation_height, s.dilation_width}},
                              {"pads", {s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}},
                              OnnxGraph::Int("group", s.groups)}),
                    network);
  return absl::OkStatus();
}

// Computes the input gradient of a convolution, which is also what a transposed convolution does.
// The node's geometry is that of the convolution.
absl::Status TransposedConvolution(const Node& node, OnnxNetwork& network) {
  const tensor::ConvolutionShape& s = GeometryOf(node);
  const auto beyond = [](int64_t in, int64_t out, int64_t stride, int64_t kernel, int64_t dilation,
                         int64_t pads) {
    return in - ((out - 1) * stride - pads + dilation * (kernel - 1) + 1);
  };
  network.Set(node.outputs[0],
              network.onnx().Add(
                  "ConvTranspose", {network.Value(node.inputs[0]), network.Value(node.inputs[1])},
                  {{"kernel_shape", {s.kernel_height, s.kernel_width}},
                   {"strides", {s.stride_height, s.stride_width}},
                   {"dilations", {s.dilation_height, s.dilation_width}},
                   {"pads", {s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}},
                   {"output_padding",
                    {beyond(s.in_height, s.out_height(), s.stride_height, s.kernel_height,
                            s.dilation_height, s.pad_top + s.pad_bottom),
                     beyond(s.in_width, s.out_width(), s.stride_width, s.kernel_width,
                            s.dilation_width, s.pad_left + s.pad_right)}},
                   OnnxGraph::Int("group", s.groups)}));
  return absl::OkStatus();
}

std::vector<Attribute> WindowAttributes(const layers::PoolWindow& window) {
  const layers::Padding& pad = window.padding;
  return {{"kernel_shape", {window.height, window.width}},
          {"strides", {window.stride_height, window.stride_width}},
          {"pads", {pad.top, pad.left, pad.bottom, pad.right}}};
}

bool IsGlobal(const layers::PoolWindow& window, const Shape& x, const Shape& y) {
  const layers::Padding& pad = window.padding;
  return window.height == x[2] && window.width == x[3] && y[2] == 1 && y[3] == 1 &&
         pad.top + pad.bottom + pad.left + pad.right == 0;
}

absl::Status MaxPool(const Node& node, OnnxNetwork& network) {
  const TensorId x = node.inputs[0], y = node.outputs[0];
  const layers::PoolWindow& window = WindowOf(node);
  const bool is_global = IsGlobal(window, network.shape(x), network.shape(y));
  network.Set(y, is_global
                     ? network.onnx().Add("GlobalMaxPool", {network.Value(x)})
                     : network.onnx().Add("MaxPool", {network.Value(x)}, WindowAttributes(window)));
  return absl::OkStatus();
}

absl::Status AveragePool(const Node& node, OnnxNetwork& network) {
  const TensorId x = node.inputs[0], y = node.outputs[0];
  const layers::PoolWindow& window = WindowOf(node);
  if (IsGlobal(window, network.shape(x), network.shape(y))) {
    network.Set(y, network.onnx().Add("GlobalAveragePool", {network.Value(x)}));
    return absl::OkStatus();
  }
  std::vector<Attribute> attributes = WindowAttributes(window);
  attributes.push_back(OnnxGraph::Int("count_include_pad", window.count_padding ? 1 : 0));
  network.Set(y, network.onnx().Add("AveragePool", {network.Value(x)}, attributes));
  return absl::OkStatus();
}

// Adds an operator that takes elements [begin, end) of an axis of the value named `x`; returns the
// name of the result.
std::string Cut(OnnxGraph& onnx, const std::string& x, int64_t axis, int64_t begin, int64_t end) {
  return onnx.Add("Slice",
                  {x, onnx.Integers({begin}), onnx.Integers({end}), onnx.Integers({axis})});
}

// Pads an axis of `extent` elements circularly, with `before` and `after` elements, by
// concatenating slices, since operator set 17 has no circular padding. Returns the name of the
// result.
std::string WrapAxis(OnnxGraph& onnx, const std::string& x, int64_t axis, int64_t extent,
                     int64_t before, int64_t after) {
  std::vector<std::string> parts;
  if (before > 0) parts.push_back(Cut(onnx, x, axis, extent - before, extent));
  parts.push_back(x);
  if (after > 0) parts.push_back(Cut(onnx, x, axis, 0, after));
  return parts.size() == 1 ? x : onnx.Add("Concat", parts, {OnnxGraph::Int("axis", axis)});
}

absl::Status Pad(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const TensorId x = node.inputs[0];
  const Shape& shape = network.shape(x);
  layers::Padding pad = PaddingOf(node);
  std::string value;
  if (const std::vector<float> constant = network.Constant(x); constant.size() == 1) {
    // A constant is written as a single number everywhere else. Here it needs rows and columns;
    // elementwise operations, the only ones that read constants, broadcast them over batch and
    // channels.
    const std::vector<float> plane(shape[2] * shape[3], constant[0]);
    value = onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".constant")),
                        {1, 1, shape[2], shape[3]}, plane);
  } else {
    value = network.Value(x);
  }
  // Negative padding crops the image. This is done before positive padding is added.
  int64_t height = shape[2], width = shape[3];
  const auto crop = [&](int64_t axis, int64_t& extent, int64_t& before, int64_t& after) {
    const int64_t begin = std::max<int64_t>(0, -before);
    const int64_t end = extent - std::max<int64_t>(0, -after);
    if (begin > 0 || end < extent) value = Cut(onnx, value, axis, begin, end);
    extent = end - begin;
    before = std::max<int64_t>(0, before), after = std::max<int64_t>(0, after);
  };
  crop(2, height, pad.top, pad.bottom);
  crop(3, width, pad.left, pad.right);
  if (pad.top + pad.bottom + pad.left + pad.right > 0) {
    if (PadModeOf(node) == layers::PadMode::kCircular) {
      value = WrapAxis(onnx, value, 2, height, pad.top, pad.bottom);
      value = WrapAxis(onnx, value, 3, width, pad.left, pad.right);
    } else {
      value = onnx.AddPad(value, {0, 0, pad.top, pad.left, 0, 0, pad.bottom, pad.right},
                          PadModeOf(node) == layers::PadMode::kReflect);
    }
  }
  network.Set(node.outputs[0], value);
  return absl::OkStatus();
}

absl::Status Concat(const Node& node, OnnxNetwork& network) {
  std::vector<std::string> parts;
  for (TensorId t : node.inputs) parts.push_back(network.Value(t));
  network.Set(node.outputs[0], network.onnx().Add("Concat", parts, {OnnxGraph::Int("axis", 1)}));
  return absl::OkStatus();
}

absl::Status Slice(const Node& node, OnnxNetwork& network) {
  const int64_t begin = FirstChannelOf(node);
  network.Set(node.outputs[0], Cut(network.onnx(), network.Value(node.inputs[0]), 1, begin,
                                   begin + network.shape(node.outputs[0])[1]));
  return absl::OkStatus();
}

// Sums over neighbouring channels by a 1x1 convolution with weights 0 and 1.
absl::Status ChannelWindowSum(const Node& node, OnnxNetwork& network) {
  const auto& window = node.as<layers::ChannelWindow>();
  const int64_t channels = network.shape(node.inputs[0])[1];
  std::vector<float> weights(channels * channels, 0.0f);
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t last = std::min(channels - 1, c + window.after);
    for (int64_t k = std::max<int64_t>(0, c - window.before); k <= last; ++k)
      weights[c * channels + k] = 1;
  }
  OnnxGraph& onnx = network.onnx();
  const std::string band = onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".window")),
                                       {channels, channels, 1, 1}, weights);
  network.Set(node.outputs[0], onnx.Add("Conv", {network.Value(node.inputs[0]), band}));
  return absl::OkStatus();
}

// Reorders the channels: regards them as a matrix [groups, channels / groups] and transposes it.
absl::Status ChannelShuffle(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const Shape& shape = network.shape(node.inputs[0]);
  const int64_t groups = node.as<int64_t>(), channels = shape[1];
  const std::string rows =
      onnx.Add("Reshape", {network.Value(node.inputs[0]),
                           onnx.Integers({0, groups, channels / groups, shape[2], shape[3]})});
  const std::string columns = onnx.Add("Transpose", {rows}, {{"perm", {0, 2, 1, 3, 4}}});
  network.Set(node.outputs[0],
              onnx.Add("Reshape", {columns, onnx.Integers({0, channels, shape[2], shape[3]})}));
  return absl::OkStatus();
}

// Replaces each value by the mean over its group of channels, by a grouped 1x1 convolution.
absl::Status GroupMean(const Node& node, OnnxNetwork& network) {
  const int64_t groups = node.as<int64_t>(), channels = network.shape(node.inputs[0])[1];
  const int64_t size = channels / groups;
  OnnxGraph& onnx = network.onnx();
  const std::string weight =
      onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".mean")), {channels, size, 1, 1},
                  std::vector<float>(channels * size, 1.0f / static_cast<float>(size)));
  network.Set(node.outputs[0], onnx.Add("Conv", {network.Value(node.inputs[0]), weight},
                                        {OnnxGraph::Int("group", groups)}));
  return absl::OkStatus();
}

// Divides the one value of each image and channel evenly among the pixels of the image.
absl::Status AverageUnpool(const Node& node, OnnxNetwork& network) {
  const Shape& y = network.shape(node.outputs[0]);
  OnnxGraph& onnx = network.onnx();
  const std::string shares =
      onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".shares")), {1, 1, y[2], y[3]},
                  std::vector<float>(y[2] * y[3], 1.0f / static_cast<float>(y[2] * y[3])));
  network.Set(node.outputs[0], onnx.Add("Mul", {network.Value(node.inputs[0]), shares}));
  return absl::OkStatus();
}

// Computes row weights * image * column weights^T for each channel, where the two matrices hold the
// interpolation weights along each axis.
absl::Status Resample(const Node& node, OnnxNetwork& network) {
  const auto& weights = node.as<layers::ResampleAttributes>();
  OnnxGraph& onnx = network.onnx();
  const auto matrix = [&](const char* name, const layers::AxisWeights& axis, bool transposed) {
    const int64_t to = static_cast<int64_t>(axis.terms.size());
    std::vector<float> values(to * axis.from, 0.0f);
    for (int64_t i = 0; i < to; ++i) {
      for (const auto& term : axis.terms[i])
        values[transposed ? term.from * to + i : i * axis.from + term.from] +=
            static_cast<float>(term.weight);
    }
    return onnx.Tensor(
        onnx.Unique(absl::StrCat(node.name, name)),
        transposed ? std::vector<int64_t>{axis.from, to} : std::vector<int64_t>{to, axis.from},
        values);
  };
  const std::string wide = onnx.Add(
      "MatMul", {network.Value(node.inputs[0]), matrix(".columns", weights.columns, true)});
  network.Set(node.outputs[0], onnx.Add("MatMul", {matrix(".rows", weights.rows, false), wide}));
  return absl::OkStatus();
}

// Turns an image's pixels into the rows of one matrix per attention head: [batch, heads, pixels,
// channels / heads]. Returns the name of the result.
std::string Tokens(TensorId image, int64_t heads, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const Shape& s = network.shape(image);
  const std::string columns = onnx.Add(
      "Reshape", {network.Value(image), onnx.Integers({0, heads, s[1] / heads, s[2] * s[3]})});
  return onnx.Add("Transpose", {columns}, {{"perm", {0, 1, 3, 2}}});
}

absl::Status TokenScores(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const int64_t heads = node.as<int64_t>();
  const std::string b =
      onnx.Add("Transpose", {Tokens(node.inputs[1], heads, network)}, {{"perm", {0, 1, 3, 2}}});
  const std::string scores = onnx.Add("MatMul", {Tokens(node.inputs[0], heads, network), b});
  network.Set(
      node.outputs[0],
      onnx.Add("Reshape", {scores, onnx.Integers({-1, network.shape(node.outputs[0])[1]})}));
  return absl::OkStatus();
}

absl::Status TokenMix(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const int64_t heads = node.as<int64_t>(), pixels = network.shape(node.inputs[0])[1];
  const Shape& y = network.shape(node.outputs[0]);
  const std::string weights = onnx.Add(
      "Reshape", {network.Value(node.inputs[0]), onnx.Integers({-1, heads, pixels, pixels})});
  const std::string mixed = onnx.Add("MatMul", {weights, Tokens(node.inputs[1], heads, network)});
  const std::string columns = onnx.Add("Transpose", {mixed}, {{"perm", {0, 1, 3, 2}}});
  network.Set(node.outputs[0],
              onnx.Add("Reshape", {columns, onnx.Integers({0, y[1], y[2], y[3]})}));
  return absl::OkStatus();
}

absl::Status Reshape(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  // Constant tensors have no batch dimension, so a constant is added in its new shape.
  if (const std::vector<float> known = network.Constant(node.inputs[0]); !known.empty()) {
    network.Set(node.outputs[0],
                onnx.Tensor(onnx.Unique(network.graph().tensor(node.inputs[0]).name),
                            Dims(network.shape(node.outputs[0])), known));
    return absl::OkStatus();
  }
  std::vector<int64_t> shape = Dims(network.shape(node.outputs[0]));
  shape[0] = 0;  // the batch, as in the input
  const std::string x = network.Value(node.inputs[0]);
  network.Set(node.outputs[0], shape.size() == 2 ? onnx.Add("Flatten", {x})
                                                 : onnx.Add("Reshape", {x, onnx.Integers(shape)}));
  return absl::OkStatus();
}

// Computes y = (x - mean) / sqrt(variance + epsilon), with the mean and the variance over all axes
// but the first.
absl::Status LayerNorm(const Node& node, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  const std::string x = network.Value(node.inputs[0]);
  std::vector<int64_t> axes;
  const layers::LayerNormAttributes& attributes = node.as<layers::LayerNormAttributes>();
  const int last =
      attributes.by_pixel ? 1 : static_cast<int>(network.shape(node.inputs[0]).rank()) - 1;
  for (int i = 1; i <= last; ++i) axes.push_back(i);
  const std::string centred = onnx.Add("Sub", {x, onnx.Add("ReduceMean", {x}, {{"axes", axes}})});
  const std::string squares = onnx.Add("Mul", {centred, centred});
  const std::string variance = onnx.Add("ReduceMean", {squares}, {{"axes", axes}});
  const std::string deviation = onnx.Add(
      "Sqrt", {onnx.Add("Add", {variance, onnx.Number(static_cast<float>(attributes.epsilon))})});
  network.Set(node.outputs[0], onnx.Add("Div", {centred, deviation}));
  return absl::OkStatus();
}

absl::Status Softmax(const Node& node, OnnxNetwork& network) {
  network.Set(node.outputs[0], network.onnx().Add("Softmax", {network.Value(node.inputs[0])},
                                                  {OnnxGraph::Int("axis", 1)}));
  return absl::OkStatus();
}

// ---- The table that gives each operation its rule -----------------------------------------------

using Rule = absl::Status (*)(const Node&, OnnxNetwork&);

struct Entry {
  absl::string_view operation;
  Rule rule;  // null: the operation occurs only in training
};

constexpr Entry kRules[] = {
    {"input", Leaf},
    {"parameter", Leaf},
    {"state", Leaf},
    {"constant", Leaf},
    {"elementwise", Elementwise},
    {"convolution", Convolution},
    {"convolution_input_gradient", TransposedConvolution},
    {"max_pool", MaxPool},
    {"average_pool", AveragePool},
    {"pad", Pad},
    {"concat", Concat},
    {"slice", Slice},
    {"channel_window_sum", ChannelWindowSum},
    {"channel_shuffle", ChannelShuffle},
    {"group_mean", GroupMean},
    {"average_unpool", AverageUnpool},
    {"resample", Resample},
    {"token_scores", TokenScores},
    {"token_mix", TokenMix},
    {"reshape", Reshape},
    {"layer_norm", LayerNorm},
    {"quantise", QuantiseRule},
    {"softmax", Softmax},
    // Operations without a rule: losses, batch statistics, and operations that occur only in
    // derivatives. None of them is exported.
    {"channel_sum", nullptr},
    {"convolution_weight_gradient", nullptr},
    {"dropout_mask", nullptr},
    {"layer_norm_gradient", nullptr},
    {"pixel_rows", nullptr},
    {"pixels_of_rows", nullptr},
    {"loss", nullptr},
    {"weighted_targets", nullptr},
    {"max_pool_gather", nullptr},
    {"max_unpool", nullptr},
    {"mean_over_ranks", nullptr},
    {"moments", nullptr},
    {"moments_over_ranks", nullptr},
    {"one_hot", nullptr},
    {"softmax_gradient", nullptr},
    {"token_mix_transposed", nullptr},
    {"unpad", nullptr},
    {"unslice", nullptr},
};

const Entry* FindRule(absl::string_view operation) {
  for (const Entry& entry : kRules) {
    if (entry.operation == operation) return &entry;
  }
  return nullptr;
}

}  // namespace

std::vector<float> OnnxNetwork::Constant(TensorId t) const {
  const Node& node = graph_.producer(t);
  const absl::string_view op = node.op->name();
  const std::string& name = graph_.tensor(t).name;
  if (op == "parameter") {
    const auto& slot = *store_.FindParameter(name);
    return {store_.values() + slot.offset, store_.values() + slot.offset + slot.size};
  }
  if (op == "state") {
    const auto& slot = *store_.FindState(name);
    return {store_.state_values() + slot.offset, store_.state_values() + slot.offset + slot.size};
  }
  if (op == "constant") return {static_cast<float>(ConstantOf(node))};
  if (op != "elementwise" || shape(t).rank() > 1) return {};
  std::vector<Expr> variables;
  std::vector<std::vector<float>> operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    variables.push_back(graph_.Operand(static_cast<int>(i)));
    operands.push_back(Constant(node.inputs[i]));
  }
  return EvaluateByChannel(FormulaOf(node), variables, operands);
}

std::string OnnxNetwork::ChannelTensor(absl::string_view name, const std::vector<float>& values,
                                       int rank) {
  std::vector<int64_t> dims;
  if (values.size() > 1) {
    dims.push_back(static_cast<int64_t>(values.size()));
    for (int i = 2; i < rank; ++i) dims.push_back(1);
  }
  return onnx_.Tensor(name, dims, values);
}

std::string OnnxNetwork::Value(TensorId t) {
  if (const auto found = values_.find(t); found != values_.end()) return found->second;
  const std::vector<float> constant = Constant(t);
  // Folding (layers/plan/fold.h) creates biases of its own. They get the same names as the biases
  // of layers.
  std::string name = graph_.tensor(t).name;
  if (absl::EndsWith(name, ".folded_bias"))
    name = absl::StrCat(absl::StripSuffix(name, ".folded_bias"), ".bias");
  std::vector<int64_t> dims = Dims(shape(t));
  if (constant.size() == 1 && shape(t).NumElements() > 1) dims.clear();
  return values_[t] = onnx_.Tensor(name, dims, constant);
}

absl::Status AddOnnxOperators(const Node& node, OnnxNetwork& network) {
  const Entry* const entry = FindRule(node.op->name());
  if (entry == nullptr || entry->rule == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("layer '", node.name, "': no rule says how ",
                                                   node.op->name(), " is written in ONNX"));
  network.onnx().SetLayer(node.name);
  return entry->rule(node, network);
}

bool IsKnownToOnnx(absl::string_view operation) { return FindRule(operation) != nullptr; }

}  // namespace cotangent::inference
