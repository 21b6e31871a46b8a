#include "layers/network/build.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "autodiff/symbolic/parse.h"
#include "layers/network/activation.h"
#include "layers/network/nearest_name.h"

namespace cotangent::layers {
namespace {

using autodiff::symbolic::Expr;
using google::protobuf::RepeatedField;
using google::protobuf::RepeatedPtrField;

// Evaluates an absl::StatusOr and assigns its value, or returns its error.
#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_IMPL(CONCATENATE(status_or_, __LINE__), lhs, expression)
#define CONCATENATE(a, b) CONCATENATE_IMPL(a, b)
#define CONCATENATE_IMPL(a, b) a##b
#define ASSIGN_OR_RETURN_IMPL(temporary, lhs, expression) \
  auto temporary = (expression);                          \
  if (!temporary.ok()) return temporary.status();         \
  lhs = *std::move(temporary)
#define RETURN_IF_ERROR(expression) \
  if (absl::Status status = (expression); !status.ok()) return status

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// a * b * ..., or `limit` + 1 where that is larger. Factors are not negative.
int64_t Product(std::initializer_list<int64_t> factors, int64_t limit) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product) || product > limit) return limit + 1;
  }
  return product;
}

// "[3, 32, 32]": a shape without the batch.
std::string OfOneImage(const Shape& shape) { return Shape(shape.dims().subspan(1)).ToString(); }

std::string KindName(const Layer& layer) {
  return layer.kind_case() == Layer::KIND_NOT_SET
             ? ""
             : Layer::descriptor()->FindFieldByNumber(layer.kind_case())->name();
}

std::vector<std::string> KindNames() {
  std::vector<std::string> names;
  const auto* kinds = Layer::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) names.push_back(kinds->field(i)->name());
  return names;
}

// `*` stands for any run of characters, `?` for one.
bool Matches(absl::string_view pattern, absl::string_view name) {
  size_t p = 0, n = 0, star = absl::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p, ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++, resume = n;
    } else if (star != absl::string_view::npos) {
      p = star + 1, n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// An error of the formula parser ("formula:1:7: found ...") at its place in the file, where the
// formula begins at `place`
// ("net:3:20").
absl::Status FormulaError(absl::string_view place, absl::string_view what,
                          const absl::Status& status) {
  const std::vector<std::string> parts =
      absl::StrSplit(std::string(status.message()), absl::MaxSplits(':', 3));
  const size_t colon = place.rfind(':');
  int column = 0, begin = 0;
  if (parts.size() < 4 || parts[1] != "1" || !absl::SimpleAtoi(parts[2], &column) ||
      colon == absl::string_view::npos || !absl::SimpleAtoi(place.substr(colon + 1), &begin)) {
    return Error(absl::StrCat(place, place.empty() ? "" : ": ", what, ": ", status.message()));
  }
  return Error(
      absl::StrCat(place.substr(0, colon), ":", begin + column - 1, ": ", what, ":", parts[3]));
}

// ---- Sizes given as one number or several
// ------------------------------------------------------------------------------

struct Pair {
  int64_t height, width;
};

std::string Times(Pair pair) { return absl::StrCat(pair.height, "x", pair.width); }

absl::Status CheckSize(absl::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Error(absl::StrCat(field, " is ", value, "; expected ", least, " to ", most));
}

absl::StatusOr<Pair> PairOf(absl::string_view field, const RepeatedField<int64_t>& values,
                            Pair otherwise, int64_t least) {
  if (values.size() > 2)
    return Error(absl::StrCat(field, " has ", values.size(),
                              " numbers; expected one, or two: height and width"));
  for (int64_t value : values) RETURN_IF_ERROR(CheckSize(field, value, least, kLargestExtent));
  if (values.empty()) return otherwise;
  return Pair{values[0], values[values.size() - 1]};
}

absl::StatusOr<Pair> KernelOf(const RepeatedField<int64_t>& values) {
  if (values.empty()) return Error("kernel is missing; expected its size, such as kernel: 3");
  return PairOf("kernel", values, {1, 1}, 1);
}

absl::StatusOr<Padding> PadOf(const RepeatedField<int64_t>& values, int64_t least) {
  for (int64_t value : values) RETURN_IF_ERROR(CheckSize("pad", value, least, kLargestExtent));
  switch (values.size()) {
    case 0:
      return Padding();
    case 1:
      return Padding{values[0], values[0], values[0], values[0]};
    case 2:
      return Padding{values[0], values[0], values[1], values[1]};
    case 4:
      return Padding{values[0], values[1], values[2], values[3]};
  }
  return Error(absl::StrCat("pad has ", values.size(),
                            " numbers; expected one, two (top and bottom, left and right) or four "
                            "(top, bottom, left, right)"));
}

// What makes the number of windows ceil(size / stride).
std::pair<int64_t, int64_t> SamePadding(int64_t size, int64_t extent, int64_t stride) {
  const int64_t windows = (size + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (windows - 1) * stride + extent - size);
  return {total / 2, total - total / 2};
}

// A window sliding over an image, checked to fit.
struct Window {
  Pair extent, stride;  // extent: dilation counted
  Padding padding;
  Pair out;
};

template <typename Text>  // Convolution or a pool
absl::StatusOr<Window> WindowOf(const Text& text, const Shape& in, Pair extent, Pair stride) {
  Window window = {extent, stride, {}, {}};
  if (text.padding() == Layer::SAME) {
    if (!text.pad().empty())
      return Error("both padding: SAME and pad are given; expected one of them");
    std::tie(window.padding.top, window.padding.bottom) =
        SamePadding(in.height(), extent.height, stride.height);
    std::tie(window.padding.left, window.padding.right) =
        SamePadding(in.width(), extent.width, stride.width);
  } else {
    ASSIGN_OR_RETURN(window.padding, PadOf(text.pad(), 0));
  }
  const Pair padded = {in.height() + window.padding.top + window.padding.bottom,
                       in.width() + window.padding.left + window.padding.right};
  if (extent.height > padded.height || extent.width > padded.width) {
    const bool has_padding = padded.height != in.height() || padded.width != in.width();
    return Error(absl::StrCat("its kernel ", Times(extent), " is larger than its input ",
                              Times({in.height(), in.width()}),
                              has_padding ? absl::StrCat(" (padded: ", Times(padded), ")") : "",
                              "; use a smaller kernel, more padding, or less pooling before it"));
  }
  window.out = {(padded.height - extent.height) / stride.height + 1,
                (padded.width - extent.width) / stride.width + 1};
  return window;
}

PadMode PadModeOf(Layer::PaddingMode mode) {
  return mode == Layer::CIRCULAR  ? PadMode::kCircular
         : mode == Layer::REFLECT ? PadMode::kReflect
                                  : PadMode::kZeros;
}

bool HasPadding(const Padding& padding) {
  return padding.top != 0 || padding.bottom != 0 || padding.left != 0 || padding.right != 0;
}

Initialiser ConstantInitialiser(double value) {
  Initialiser initialiser;
  initialiser.mutable_constant()->set_value(value);
  return initialiser;
}

// nn.Conv2d's and nn.Linear's: bound sqrt(6 / ((1 + 5) fan_in)) = 1 / sqrt(fan_in).
Initialiser DefaultWeightInitialiser() {
  Initialiser initialiser;
  initialiser.mutable_kaiming_uniform()->set_negative_slope(std::sqrt(5.0));
  return initialiser;
}

Initialiser DefaultBiasInitialiser(int64_t fan_in) {
  Initialiser initialiser;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  initialiser.mutable_uniform()->set_low(-bound);
  initialiser.mutable_uniform()->set_high(bound);
  return initialiser;
}

// ---- Order of the layers of a sequence
// ---------------------------------------------------------------------------------

// The layers that layer i reads, by position; -1 is the input of the sequence.
using Connections = std::vector<std::vector<int>>;

// Positions such that every layer comes after those it reads, in the order of the text where that
// allows it.
absl::StatusOr<std::vector<int>> EvaluationOrder(const RepeatedPtrField<Layer>& layers,
                                                 const std::vector<std::string>& names,
                                                 const Connections& reads) {
  enum State { kNew, kActive, kDone };
  std::vector<State> states(reads.size(), kNew);
  std::vector<int> order;
  for (int root = 0; root < static_cast<int>(reads.size()); ++root) {
    if (states[root] != kNew) continue;
    std::vector<std::pair<int, size_t>> path = {
        {root, 0}};  // a layer and how many of its inputs are done
    states[root] = kActive;
    while (!path.empty()) {
      auto& [layer, next] = path.back();
      if (next == reads[layer].size()) {
        states[layer] = kDone;
        order.push_back(layer);
        path.pop_back();
        continue;
      }
      const int input = reads[layer][next++];
      if (input < 0 || states[input] == kDone) continue;
      if (states[input] == kActive) {
        std::vector<std::string> cycle = {names[input]};
        for (auto at = path.rbegin(); at != path.rend(); ++at) {
          cycle.push_back(names[at->first]);
          if (at->first == input) break;
        }
        std::reverse(cycle.begin(), cycle.end());
        return Error(absl::StrCat(layers[input].place(), ": layers read each other in a cycle: ",
                                  absl::StrJoin(cycle, " -> "), "; remove one of these inputs"));
      }
      states[input] = kActive;
      path.push_back({input, 0});
    }
  }
  return order;
}

// ---- The builder
// ---------------------------------------------------------------------------------------------------------

// What a layer makes. A flattened image keeps its tensor until someone needs the flat one: a linear
// layer does not.
struct Value {
  TensorId id = kNoTensor;
  bool is_flattened = false;
  std::string maker;  // the layer's name, for messages
};

class Builder {
 public:
  Builder(const Network& network, const BuildOptions& options)
      : network_(network), options_(options) {}

  absl::StatusOr<BuiltNetwork> Build() {
    RETURN_IF_ERROR(CheckSize("batch_size", options_.batch_size, 1, kLargestBatch));
    const Network::Input& input = network_.input();
    RETURN_IF_ERROR(CheckSize("input.channels", input.channels(), 1, kMostChannels));
    RETURN_IF_ERROR(CheckSize("input.height", input.height(), 1, kLargestExtent));
    RETURN_IF_ERROR(CheckSize("input.width", input.width(), 1, kLargestExtent));
    built_.classes = input.has_classes() ? input.classes() : options_.classes;
    RETURN_IF_ERROR(CheckSize("input.classes", built_.classes, 1, kMostChannels));
    RETURN_IF_ERROR(CheckRecipe());
    if (Product({options_.batch_size, input.channels(), input.height(), input.width()},
                kMostElements) > kMostElements) {
      return Error(absl::StrCat("a batch of ", options_.batch_size, " images ", input.channels(),
                                "x", input.height(), "x", input.width(),
                                " is too large; use a smaller batch_size"));
    }
    if (network_.layer().empty())
      return Error("the network has no layers; expected at least one 'layer { ... }'");
    built_.images = built_.graph.Input(
        "images", {options_.batch_size, input.channels(), input.height(), input.width()});
    ASSIGN_OR_RETURN(Value last, Sequence(network_.layer(), "", {built_.images, false, "input"}));
    RETURN_IF_ERROR(Predict(std::move(last)));
    if (options_.with_loss) RETURN_IF_ERROR(AddLoss());
    return std::move(built_);
  }

 private:
  const Shape& shape(const Value& value) const { return built_.graph.shape(value.id); }

  // The shape as the user sees it.
  std::string Seen(const Value& value) const {
    const Shape& s = shape(value);
    return value.is_flattened ? absl::StrCat("[", s.NumElements() / s[0], "]") : OfOneImage(s);
  }

  absl::StatusOr<TensorId> Flat(const Value& value, absl::string_view name) {
    const Shape& s = shape(value);
    if (!value.is_flattened) return value.id;
    return built_.graph.Reshape(name, value.id, {s[0], s.NumElements() / s[0]});
  }

  absl::Status NeedImage(const Value& value) const {
    if (!value.is_flattened && shape(value).rank() == 4) return absl::OkStatus();
    return Error(absl::StrCat("needs an image [channels, height, width], but '", value.maker,
                              "' gives ", Seen(value),
                              "; put it before the first linear or flatten layer"));
  }

  // An error before a result of absurd size is made.
  absl::Status CheckResult(std::initializer_list<int64_t> one_image) {
    int64_t elements = options_.batch_size;
    for (int64_t extent : one_image) elements = Product({elements, extent}, kMostElements);
    if (elements > kMostElements) {
      return Error(absl::StrCat("its result [", absl::StrJoin(one_image, ", "), "] for ",
                                options_.batch_size, " images is too large; at most ",
                                kMostElements, " values are possible"));
    }
    return absl::OkStatus();
  }

  // A learnt tensor "<layer>.<field>". `initialiser` is the text's, or the default where it says
  // nothing.
  absl::StatusOr<TensorId> AddParameter(const std::string& layer, absl::string_view field,
                                        Shape shape, bool is_given, const Initialiser& given,
                                        const Initialiser& otherwise, int64_t fan_in,
                                        int64_t fan_out) {
    int64_t elements = 1;
    for (int64_t extent : shape) elements = Product({elements, extent}, kMostParameters);
    parameters_ += elements;
    if (elements > kMostParameters || parameters_ > kMostParameters) {
      return Error(absl::StrCat("its ", field, " ", shape.ToString(),
                                " makes the network too large; at most ", kMostParameters,
                                " parameters are possible"));
    }
    ParameterSpec spec;
    spec.name = absl::StrCat(layer, ".", field);
    spec.shape = shape;
    spec.default_initialiser = otherwise;
    spec.initialiser = is_given ? given : otherwise;
    if (spec.initialiser.kind_case() == Initialiser::KIND_NOT_SET)
      spec.initialiser.MergeFrom(otherwise);
    spec.fan_in = fan_in, spec.fan_out = fan_out;
    if (absl::Status status = CheckInitialiser(spec); !status.ok()) {
      return Error(absl::StrCat("initialiser of its ", field, ": ", status.message()));
    }
    spec.tensor = built_.graph.Parameter(spec.name, shape);
    built_.parameters.push_back(std::move(spec));
    return built_.parameters.back().tensor;
  }

  // weight and, if wanted, bias of a layer whose weight has the given shape.
  template <typename Text>
  absl::StatusOr<TensorId> AddWeight(const std::string& name, const Text& text,
                                     const Shape& shape) {
    const int64_t area = shape.rank() == 4 ? shape[2] * shape[3] : 1;
    return AddParameter(name, "weight", shape, text.has_weight_init(), text.weight_init(),
                        DefaultWeightInitialiser(), shape[1] * area, shape[0] * area);
  }
  template <typename Text>
  absl::StatusOr<TensorId> AddBias(const std::string& name, const Text& text, TensorId y) {
    if (!text.bias()) return y;
    const ParameterSpec weight = built_.parameters.back();
    ASSIGN_OR_RETURN(const TensorId bias,
                     AddParameter(name, "bias", {built_.graph.shape(y)[1]}, text.has_bias_init(),
                                  text.bias_init(), DefaultBiasInitialiser(weight.fan_in),
                                  weight.fan_in, weight.fan_out));
    return built_.graph.AddBias(name, y, bias);
  }

  // ---- Sequences
  // ---------------------------------------------------------------------------------------------------------

  // Names of the layers, those without one named by kind and number.
  absl::StatusOr<std::vector<std::string>> Names(const RepeatedPtrField<Layer>& layers) {
    std::vector<std::string> names;
    std::map<std::string, const Layer*> taken;
    for (const Layer& layer : layers) {
      names.push_back(layer.name());
      if (!layer.has_name()) continue;
      const bool is_fine = !layer.name().empty() &&
                           std::all_of(layer.name().begin(), layer.name().end(), [](char c) {
                             return absl::ascii_isalnum(c) || c == '_' || c == '-';
                           });
      if (!is_fine)
        return Error(absl::StrCat(layer.place(), ": a layer cannot be named '", layer.name(),
                                  "'; expected letters, digits, '_' and '-'"));
      if (layer.name() == "input")
        return Error(
            absl::StrCat(layer.place(),
                         ": a layer cannot be named 'input': that is what the sequence is given"));
      const auto [other, is_new] = taken.emplace(layer.name(), &layer);
      if (!is_new)
        return Error(absl::StrCat(layer.place(), ": there is a layer '", layer.name(),
                                  "' already, at ", other->second->place(),
                                  "; give this one another name"));
    }
    std::map<std::string, int> counts;
    for (int i = 0; i < layers.size(); ++i) {
      if (layers[i].has_name()) continue;
      const std::string kind = KindName(layers[i]).empty() ? "layer" : KindName(layers[i]);
      do {
        names[i] = absl::StrCat(kind, ++counts[kind]);
      } while (!taken.emplace(names[i], &layers[i]).second);
    }
    return names;
  }

  absl::StatusOr<Connections> Connect(const RepeatedPtrField<Layer>& layers,
                                      const std::vector<std::string>& names) {
    std::map<std::string, int> positions = {{"input", -1}};
    for (int i = 0; i < layers.size(); ++i) positions.emplace(names[i], i);
    Connections reads(layers.size());
    std::set<int> read;
    for (int i = 0; i < layers.size(); ++i) {
      for (const std::string& input : layers[i].input()) {
        const auto found = positions.find(input);
        if (found == positions.end()) {
          std::vector<std::string> known = names;
          known.push_back("input");
          return Error(absl::StrCat(layers[i].place(), ": layer '", names[i], "' reads '", input,
                                    "', which is no layer here; ", Suggestion(input, known)));
        }
        reads[i].push_back(found->second);
      }
      if (reads[i].empty()) reads[i].push_back(i - 1);
      read.insert(reads[i].begin(), reads[i].end());
    }
    for (int i = 0; i + 1 < layers.size(); ++i) {
      if (read.count(i) > 0) continue;
      return Error(absl::StrCat(layers[i].place(), ": nothing reads the result of layer '",
                                names[i], "'; name it as an input of another layer, or remove it"));
    }
    return reads;
  }

  absl::StatusOr<Value> Sequence(const RepeatedPtrField<Layer>& layers, const std::string& prefix,
                                 const Value& input) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(layers));
    ASSIGN_OR_RETURN(const Connections reads, Connect(layers, names));
    ASSIGN_OR_RETURN(const std::vector<int> order, EvaluationOrder(layers, names, reads));
    std::vector<Value> values(layers.size());
    for (int i : order) {
      std::vector<Value> inputs;
      for (int from : reads[i]) inputs.push_back(from < 0 ? input : values[from]);
      ASSIGN_OR_RETURN(values[i],
                       Repeat(layers[i], absl::StrCat(prefix, names[i]), std::move(inputs)));
    }
    return layers.empty() ? input : values.back();
  }

  absl::StatusOr<Value> Repeat(const Layer& layer, const std::string& name,
                               std::vector<Value> inputs) {
    if (absl::Status status = CheckSize("repeat", layer.repeat(), 1, kMostLayers); !status.ok())
      return InLayer(layer, name, status);
    if (!layer.has_repeat()) return One(layer, name, inputs);
    if (inputs.size() > 1)
      return InLayer(
          layer, name,
          Error("is repeated but has several inputs; only a layer with one input can be repeated"));
    for (int64_t i = 0; i < layer.repeat(); ++i) {
      ASSIGN_OR_RETURN(inputs[0], One(layer, absl::StrCat(name, ".", i), inputs));
    }
    return inputs[0];
  }

  absl::Status InLayer(const Layer& layer, const std::string& name,
                       const absl::Status& status) const {
    absl::string_view message = status.message();
    // The graph's messages begin with the layer's name already.
    if (absl::StartsWith(message, absl::StrCat(name, ": "))) message.remove_prefix(name.size() + 2);
    return Error(absl::StrCat(layer.place(), layer.place().empty() ? "" : ": ", "layer '", name,
                              "': ", message));
  }

  // One copy of a layer.
  absl::StatusOr<Value> One(const Layer& layer, const std::string& name,
                            const std::vector<Value>& inputs) {
    if (++layers_ > kMostLayers)
      return InLayer(layer, name,
                     Error(absl::StrCat("the network has more than ", kMostLayers,
                                        " layers; use fewer, or repeat less")));
    const size_t first_parameter = built_.parameters.size();
    if (layer.has_sequence()) {
      if (inputs.size() > 1)
        return InLayer(layer, name,
                       Error("a sequence or block has one input; add or concat others first"));
      ASSIGN_OR_RETURN(Value value, Sequence(layer.sequence().layer(), name + ".", inputs[0]));
      if (absl::Status status = Freeze(layer, name, first_parameter); !status.ok())
        return InLayer(layer, name, status);
      return value;
    }
    const bool is_junction = layer.has_add() || layer.has_concat();
    if (!is_junction && inputs.size() > 1) {
      return InLayer(layer, name,
                     Error(absl::StrCat("has ", inputs.size(),
                                        " inputs; only add and concat read more than one")));
    }
    LayerRow row;
    row.name = name;
    row.kind = KindName(layer);
    absl::StatusOr<Value> value = Lower(layer, name, inputs, row);
    if (!value.ok()) {
      const bool has_place = layer.has_activation() && layer.activation().has_formula_place() &&
                             absl::StartsWith(value.status().message(),
                                              layer.place().substr(0, layer.place().find(':') + 1));
      return has_place ? value.status() : InLayer(layer, name, value.status());
    }
    value->maker = name;
    row.output = value->is_flattened
                     ? Shape({shape(*value)[0], shape(*value).NumElements() / shape(*value)[0]})
                     : shape(*value);
    activations_ += row.output.NumElements();
    if (activations_ > kMostActivations) {
      return InLayer(layer, name,
                     Error(absl::StrCat("with it, the results of all layers for ",
                                        options_.batch_size, " images exceed ", kMostActivations,
                                        " values; use a smaller batch or a smaller network")));
    }
    for (size_t i = first_parameter; i < built_.parameters.size(); ++i)
      row.parameters += built_.parameters[i].shape.NumElements();
    built_.layers.push_back(std::move(row));
    if (absl::Status status = Freeze(layer, name, first_parameter); !status.ok())
      return InLayer(layer, name, status);
    return value;
  }

  absl::Status Freeze(const Layer& layer, const std::string& name, size_t first_parameter) {
    for (const std::string& pattern : layer.frozen()) {
      bool fits = false;
      std::vector<std::string> names;
      for (size_t i = first_parameter; i < built_.parameters.size(); ++i) {
        names.push_back(built_.parameters[i].name.substr(name.size() + 1));
        if (!Matches(pattern, names.back())) continue;
        built_.parameters[i].trainable = false;
        fits = true;
      }
      if (!fits)
        return Error(absl::StrCat("frozen: '", pattern, "' fits none of its parameters; ",
                                  Suggestion(pattern, names)));
    }
    return absl::OkStatus();
  }

  // ---- Kinds of layers
  // -----------------------------------------------------------------------------------------------------

  absl::StatusOr<Value> Lower(const Layer& layer, const std::string& name,
                              const std::vector<Value>& inputs, LayerRow& row) {
    switch (layer.kind_case()) {
      case Layer::kConvolution:
        return Convolution(layer.convolution(), name, inputs[0], row);
      case Layer::kTransposedConvolution:
        return TransposedConvolution(layer.transposed_convolution(), name, inputs[0], row);
      case Layer::kMaxPool:
        return MaxPool(layer.max_pool(), name, inputs[0]);
      case Layer::kAveragePool:
        return AveragePool(layer.average_pool(), name, inputs[0]);
      case Layer::kGlobalAveragePool:
        return GlobalPool(false, name, inputs[0]);
      case Layer::kGlobalMaxPool:
        return GlobalPool(true, name, inputs[0]);
      case Layer::kLinear:
        return Linear(layer.linear(), name, inputs[0], row);
      case Layer::kBatchNorm:
        return BatchNorm(layer.batch_norm(), name, inputs[0]);
      case Layer::kLayerNorm:
        return LayerNorm(layer.layer_norm(), name, inputs[0]);
      case Layer::kDropout:
        return Dropout(layer.dropout(), name, inputs[0]);
      case Layer::kFlatten:
        return Value{inputs[0].id, inputs[0].is_flattened || shape(inputs[0]).rank() == 4, ""};
      case Layer::kAdd:
        return Add(name, inputs);
      case Layer::kConcat:
        return Concat(name, inputs);
      case Layer::kPad:
        return Pad(layer.pad(), name, inputs[0]);
      case Layer::kSoftmax: {
        ASSIGN_OR_RETURN(const TensorId flat, Flat(inputs[0], name));
        return Made(built_.graph.Softmax(name, flat));
      }
      case Layer::kActivation:
        return Activation(layer.activation(), name, inputs[0], row);
      case Layer::kUse:
        return Error("still uses a block; blocks are replaced when a text is read");
      case Layer::kSequence:
      case Layer::KIND_NOT_SET:
        break;
    }
    return Error(absl::StrCat("has no kind; expected one of ", absl::StrJoin(KindNames(), ", ")));
  }

  static absl::StatusOr<Value> Made(absl::StatusOr<TensorId> id) {
    if (!id.ok()) return id.status();
    return Value{*id, false, ""};
  }

  absl::StatusOr<Value> Convolution(const Layer::Convolution& text, const std::string& name,
                                    const Value& input, LayerRow& row) {
    RETURN_IF_ERROR(NeedImage(input));
    if (!text.has_channels())
      return Error("channels is missing; expected the number of its filters, such as channels: 32");
    RETURN_IF_ERROR(CheckSize("channels", text.channels(), 1, kMostChannels));
    const Shape in = shape(input);
    RETURN_IF_ERROR(CheckGroups(text.groups(), in.channels(), text.channels(), input));
    ASSIGN_OR_RETURN(const Pair kernel, KernelOf(text.kernel()));
    ASSIGN_OR_RETURN(const Pair stride, PairOf("stride", text.stride(), {1, 1}, 1));
    ASSIGN_OR_RETURN(const Pair dilation, PairOf("dilation", text.dilation(), {1, 1}, 1));
    const Pair extent = {(kernel.height - 1) * dilation.height + 1,
                         (kernel.width - 1) * dilation.width + 1};
    ASSIGN_OR_RETURN(const Window window, WindowOf(text, in, extent, stride));
    RETURN_IF_ERROR(CheckResult({text.channels(), window.out.height, window.out.width}));
    const Shape weight_shape = {text.channels(), in.channels() / text.groups(), kernel.height,
                                kernel.width};
    ASSIGN_OR_RETURN(const TensorId weight, AddWeight(name, text, weight_shape));
    if (built_.parameters.back().initialiser.has_whiten())
      RETURN_IF_ERROR(CheckWhitening(input, weight_shape));

    Graph::ConvolutionOptions options;
    options.stride_height = stride.height, options.stride_width = stride.width;
    options.dilation_height = dilation.height, options.dilation_width = dilation.width;
    options.groups = text.groups();
    TensorId x = input.id;
    if (text.padding_mode() == Layer::ZEROS || !HasPadding(window.padding)) {
      options.padding = window.padding;
    } else {
      const Padding& pad = window.padding;
      RETURN_IF_ERROR(CheckResult(
          {in.channels(), in.height() + pad.top + pad.bottom, in.width() + pad.left + pad.right}));
      ASSIGN_OR_RETURN(x,
                       built_.graph.Pad(name, x, PadModeOf(text.padding_mode()), window.padding));
    }
    ASSIGN_OR_RETURN(const TensorId y, built_.graph.Convolution(name, x, weight, options));
    row.multiply_adds = weight_shape.NumElements() * window.out.height * window.out.width;
    return Made(AddBias(name, text, y));
  }

  absl::Status CheckGroups(int64_t groups, int64_t in, int64_t out, const Value& input) const {
    RETURN_IF_ERROR(CheckSize("groups", groups, 1, kMostChannels));
    if (in % groups == 0 && out % groups == 0) return absl::OkStatus();
    return Error(absl::StrCat("groups: ", groups, " does not divide both the ", in,
                              " channels of '", input.maker, "' and its own ", out,
                              "; use a number that does"));
  }

  absl::Status CheckWhitening(const Value& input, const Shape& weight) const {
    if (input.id != built_.images)
      return Error(absl::StrCat(
          "whiten is for a convolution that reads the images themselves, but its input is '",
          input.maker, "'; take it out"));
    const int64_t patch = weight[1] * weight[2] * weight[3];
    if (weight[1] == shape(input).channels() && weight[0] == 2 * patch) return absl::OkStatus();
    return Error(absl::StrCat("whiten makes 2 x ", patch, " filters from patches of ", patch,
                              " values, but it has ", weight[0],
                              " channels; expected channels: ", 2 * patch, " and no groups"));
  }

  absl::StatusOr<Value> TransposedConvolution(const Layer::TransposedConvolution& text,
                                              const std::string& name, const Value& input,
                                              LayerRow& row) {
    RETURN_IF_ERROR(NeedImage(input));
    if (!text.has_channels())
      return Error(
          "channels is missing; expected the number of channels it makes, such as channels: 32");
    RETURN_IF_ERROR(CheckSize("channels", text.channels(), 1, kMostChannels));
    const Shape in = shape(input);
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
    const Pair out = {(in.height() - 1) * stride.height + (kernel.height - 1) * dilation.height +
                          1 - pad.top - pad.bottom + extra.height,
                      (in.width() - 1) * stride.width + (kernel.width - 1) * dilation.width + 1 -
                          pad.left - pad.right + extra.width};
    if (out.height < 1 || out.width < 1) {
      return Error(absl::StrCat("its padding leaves nothing of its result (", Times(out),
                                ") from its input ", Times({in.height(), in.width()}),
                                "; use less padding"));
    }
    RETURN_IF_ERROR(CheckResult({text.channels(), out.height, out.width}));
    const Shape weight_shape = {in.channels(), text.channels() / text.groups(), kernel.height,
                                kernel.width};
    ASSIGN_OR_RETURN(const TensorId weight, AddWeight(name, text, weight_shape));
    Graph::ConvolutionOptions options;
    options.stride_height = stride.height, options.stride_width = stride.width;
    options.dilation_height = dilation.height, options.dilation_width = dilation.width;
    options.groups = text.groups();
    options.padding = pad;
    ASSIGN_OR_RETURN(const TensorId y,
                     built_.graph.TransposedConvolution(name, input.id, weight, options,
                                                        extra.height, extra.width));
    row.multiply_adds = weight_shape.NumElements() * in.height() * in.width();
    return Made(AddBias(name, text, y));
  }

  template <typename Text>
  absl::StatusOr<PoolWindow> Pool(const Text& text, const Value& input) const {
    RETURN_IF_ERROR(NeedImage(input));
    ASSIGN_OR_RETURN(const Pair kernel, KernelOf(text.kernel()));
    ASSIGN_OR_RETURN(const Pair stride, PairOf("stride", text.stride(), kernel, 1));
    ASSIGN_OR_RETURN(const Window window, WindowOf(text, shape(input), kernel, stride));
    const Padding& pad = window.padding;
    if (2 * std::max(pad.top, pad.bottom) > kernel.height ||
        2 * std::max(pad.left, pad.right) > kernel.width) {
      return Error(
          absl::StrCat("pads by more than half its kernel ", Times(kernel),
                       ", so that windows may hold nothing but padding; use less padding"));
    }
    return PoolWindow{kernel.height, kernel.width, stride.height, stride.width, pad, true};
  }

  absl::StatusOr<Value> MaxPool(const Layer::MaxPool& text, const std::string& name,
                                const Value& input) {
    ASSIGN_OR_RETURN(const PoolWindow window, Pool(text, input));
    ASSIGN_OR_RETURN(const Graph::MaxPoolResult result,
                     built_.graph.MaxPool(name, input.id, window));
    return Value{result.value, false, ""};
  }

  absl::StatusOr<Value> AveragePool(const Layer::AveragePool& text, const std::string& name,
                                    const Value& input) {
    ASSIGN_OR_RETURN(PoolWindow window, Pool(text, input));
    window.count_padding = text.count_padding();
    return Made(built_.graph.AveragePool(name, input.id, window));
  }

  absl::StatusOr<Value> GlobalPool(bool is_max, const std::string& name, const Value& input) {
    RETURN_IF_ERROR(NeedImage(input));
    const int64_t height = shape(input).height(), width = shape(input).width();
    const PoolWindow window = {height, width, height, width, {}, true};
    if (!is_max) return Made(built_.graph.AveragePool(name, input.id, window));
    ASSIGN_OR_RETURN(const Graph::MaxPoolResult result,
                     built_.graph.MaxPool(name, input.id, window));
    return Value{result.value, false, ""};
  }

  absl::StatusOr<Value> Linear(const Layer::Linear& text, const std::string& name,
                               const Value& input, LayerRow& row) {
    const int64_t features = text.has_features() ? text.features() : built_.classes;
    RETURN_IF_ERROR(CheckSize("features", features, 1, kMostChannels));
    RETURN_IF_ERROR(CheckResult({features}));
    const Shape weight_shape = {features, shape(input).NumElements() / shape(input)[0]};
    ASSIGN_OR_RETURN(const TensorId weight, AddWeight(name, text, weight_shape));
    ASSIGN_OR_RETURN(const TensorId y, built_.graph.Linear(name, input.id, weight));
    row.multiply_adds = weight_shape.NumElements();
    return Made(AddBias(name, text, y));
  }

  // Scale and shift of a normalisation, one value a channel each; kNoTensor where not wanted.
  template <typename Text>
  absl::StatusOr<std::pair<TensorId, TensorId>> ScaleAndShift(const Text& text,
                                                              const std::string& name,
                                                              int64_t channels) {
    if (!(text.epsilon() >= 0) || !std::isfinite(text.epsilon()))
      return Error(absl::StrCat("epsilon is ", text.epsilon(), "; expected 0 or a little more"));
    std::pair<TensorId, TensorId> result = {kNoTensor, kNoTensor};
    if (text.scale()) {
      ASSIGN_OR_RETURN(result.first,
                       AddParameter(name, "weight", {channels}, text.has_scale_init(),
                                    text.scale_init(), ConstantInitialiser(1), channels, channels));
    }
    if (text.shift()) {
      ASSIGN_OR_RETURN(result.second,
                       AddParameter(name, "bias", {channels}, text.has_shift_init(),
                                    text.shift_init(), ConstantInitialiser(0), channels, channels));
    }
    return result;
  }

  TensorId AddState(const std::string& name, int64_t channels, double initial_value) {
    const TensorId id = built_.graph.State(name, {channels});
    built_.states.push_back({name, {channels}, initial_value, id});
    return id;
  }

  absl::StatusOr<Value> BatchNorm(const Layer::BatchNorm& text, const std::string& name,
                                  const Value& input) {
    ASSIGN_OR_RETURN(const TensorId x, Flat(input, name));
    if (!(text.momentum() >= 0 && text.momentum() <= 1))
      return Error(absl::StrCat("momentum is ", text.momentum(), "; expected 0 to 1"));
    const int64_t channels = built_.graph.shape(x)[1];
    Graph::BatchNormOptions options;
    ASSIGN_OR_RETURN(std::tie(options.scale, options.shift), ScaleAndShift(text, name, channels));
    options.running_mean = AddState(name + ".running_mean", channels, 0);
    options.running_variance = AddState(name + ".running_var", channels, 1);
    options.epsilon = text.epsilon();
    options.momentum = text.momentum();
    options.training = options_.training;
    return Made(built_.graph.BatchNorm(name, x, options));
  }

  absl::StatusOr<Value> LayerNorm(const Layer::LayerNorm& text, const std::string& name,
                                  const Value& input) {
    ASSIGN_OR_RETURN(const TensorId x, Flat(input, name));
    std::pair<TensorId, TensorId> parameters;
    ASSIGN_OR_RETURN(parameters, ScaleAndShift(text, name, built_.graph.shape(x)[1]));
    const auto [scale, shift] = parameters;
    ASSIGN_OR_RETURN(const TensorId y, built_.graph.LayerNorm(name, x, text.epsilon()));
    if (scale != kNoTensor && shift != kNoTensor)
      return Made(built_.graph.Formula(name, "y * scale + shift",
                                       {{"y", y}, {"scale", scale}, {"shift", shift}}));
    if (scale != kNoTensor)
      return Made(built_.graph.Formula(name, "y * scale", {{"y", y}, {"scale", scale}}));
    if (shift != kNoTensor)
      return Made(built_.graph.Formula(name, "y + shift", {{"y", y}, {"shift", shift}}));
    return Value{y, false, ""};
  }

  absl::StatusOr<Value> Dropout(const Layer::Dropout& text, const std::string& name,
                                const Value& input) {
    if (!(text.rate() >= 0 && text.rate() < 1))
      return Error(absl::StrCat("rate is ", text.rate(), "; expected 0 to less than 1"));
    if (!options_.training || text.rate() == 0) return input;
    ASSIGN_OR_RETURN(const TensorId mask, built_.graph.DropoutMask(name, input.id, text.rate()));
    ASSIGN_OR_RETURN(const TensorId y,
                     built_.graph.Formula(name, "x * mask", {{"x", input.id}, {"mask", mask}}));
    return Value{y, input.is_flattened, ""};
  }

  absl::Status NeedSeveral(const std::vector<Value>& inputs) const {
    if (inputs.size() >= 2) return absl::OkStatus();
    return Error("has one input; expected two or more, such as input: \"a\" input: \"b\"");
  }

  std::string ListShapes(const std::vector<Value>& inputs) const {
    return absl::StrJoin(inputs, ", ", [this](std::string* out, const Value& value) {
      absl::StrAppend(out, "'", value.maker, "' ", Seen(value));
    });
  }

  absl::StatusOr<Value> Add(const std::string& name, const std::vector<Value>& inputs) {
    RETURN_IF_ERROR(NeedSeveral(inputs));
    std::vector<TensorId> terms;
    for (const Value& input : inputs) {
      if (Seen(input) != Seen(inputs[0])) {
        return Error(absl::StrCat("its inputs differ in shape: ", ListShapes(inputs),
                                  "; they must agree: a 1x1 convolution with the same stride "
                                  "brings one to the shape of the other"));
      }
      ASSIGN_OR_RETURN(const TensorId flat, Flat(input, name));
      terms.push_back(flat);
    }
    return Made(built_.graph.Add(name, std::move(terms)));
  }

  absl::StatusOr<Value> Concat(const std::string& name, const std::vector<Value>& inputs) {
    RETURN_IF_ERROR(NeedSeveral(inputs));
    std::vector<TensorId> parts;
    std::string beyond_channels;
    int64_t channels = 0;
    for (const Value& input : inputs) {
      ASSIGN_OR_RETURN(const TensorId flat, Flat(input, name));
      const Shape& part = built_.graph.shape(flat);
      const std::string rest = Shape(part.dims().subspan(2)).ToString();
      if (parts.empty()) beyond_channels = rest;
      if (rest != beyond_channels)
        return Error(absl::StrCat("its inputs differ in more than their channels: ",
                                  ListShapes(inputs), "; bring them to one height and width"));
      channels += part[1];
      parts.push_back(flat);
    }
    const Shape& first = built_.graph.shape(parts[0]);
    RETURN_IF_ERROR(CheckResult({channels, first.NumElements() / first[0] / first[1]}));
    return Made(built_.graph.Concat(name, std::move(parts)));
  }

  absl::StatusOr<Value> Pad(const Layer::Pad& text, const std::string& name, const Value& input) {
    RETURN_IF_ERROR(NeedImage(input));
    if (text.pad().empty())
      return Error("pad is missing; expected the number of pixels, such as pad: 2");
    ASSIGN_OR_RETURN(const Padding padding, PadOf(text.pad(), -kLargestExtent));
    const Shape& in = shape(input);
    const int64_t height = in.height() + padding.top + padding.bottom,
                  width = in.width() + padding.left + padding.right;
    if (height < 1 || width < 1)
      return Error(absl::StrCat("leaves nothing of its input ", Seen(input), "; crop less"));
    RETURN_IF_ERROR(CheckResult({in.channels(), height, width}));
    return Made(built_.graph.Pad(name, input.id, PadModeOf(text.mode()), padding));
  }

  absl::StatusOr<Value> Activation(const Layer::Activation& text, const std::string& name,
                                   const Value& input, LayerRow& row) {
    if (text.has_formula() == text.has_kind()) {
      return Error(text.has_kind()
                       ? "has both a kind and a formula; expected one of them"
                       : "has neither a kind nor a formula; expected one, such as kind: RELU");
    }
    for (double number : {text.slope(), text.alpha()}) {
      if (!std::isfinite(number)) return Error("slope or alpha is not finite; expected a number");
    }
    row.kind = text.has_formula()
                   ? "formula"
                   : absl::AsciiStrToLower(Layer::Activation::Kind_Name(text.kind()));
    const std::string formula = ActivationFormula(text);
    autodiff::symbolic::Pool pool;
    autodiff::symbolic::ParseOptions options;
    options.variables = {"x"};
    const absl::StatusOr<Expr> parsed = autodiff::symbolic::Parse(formula, pool, options);
    if (!parsed.ok())
      return FormulaError(text.formula_place(), absl::StrCat("formula of layer '", name, "'"),
                          parsed.status());
    if (autodiff::symbolic::Variables(*parsed).empty())
      return Error(
          absl::StrCat("its formula \"", formula, "\" does not depend on x; expected x in it"));
    ASSIGN_OR_RETURN(const TensorId y, built_.graph.Formula(name, formula, {{"x", input.id}}));
    return Value{y, input.is_flattened, ""};
  }

  // ---- Ends
  // ----------------------------------------------------------------------------------------------------------------

  absl::Status Predict(Value last) {
    const Shape& s = shape(last);
    if (s.rank() == 4 && s.height() == 1 && s.width() == 1) last.is_flattened = true;
    ASSIGN_OR_RETURN(built_.prediction, Flat(last, last.maker));
    const Shape& predicted = built_.graph.shape(built_.prediction);
    if (predicted.rank() == 2 && predicted[1] == built_.classes) return absl::OkStatus();
    const Layer& text = network_.layer(network_.layer_size() - 1);
    return Error(
        absl::StrCat(text.place(), text.place().empty() ? "" : ": ", "the last layer '", last.maker,
                     "' gives ", Seen(last), " for an image, but there are ", built_.classes,
                     " classes; end the network with linear { features: ", built_.classes, " }"));
  }

  absl::Status AddLoss() {
    LossAttributes attributes;
    const Loss& text = network_.loss();
    autodiff::symbolic::Pool pool;
    switch (text.kind_case()) {
      case Loss::KIND_NOT_SET:
      case Loss::kSoftmaxCrossEntropy: {
        const auto& entropy = text.softmax_cross_entropy();
        attributes.kind = LossKind::kSoftmaxCrossEntropy;
        attributes.label_smoothing = entropy.label_smoothing();
        attributes.class_weights.assign(entropy.class_weight().begin(),
                                        entropy.class_weight().end());
        if (!(attributes.label_smoothing >= 0 && attributes.label_smoothing <= 1)) {
          return Error(absl::StrCat("loss: label_smoothing is ", attributes.label_smoothing,
                                    "; expected 0 to 1"));
        }
        if (!attributes.class_weights.empty() &&
            static_cast<int64_t>(attributes.class_weights.size()) != built_.classes) {
          return Error(absl::StrCat("loss: there are ", attributes.class_weights.size(),
                                    " class weights for ", built_.classes,
                                    " classes; expected one for each"));
        }
        for (double weight : attributes.class_weights) {
          if (!(weight >= 0) || !std::isfinite(weight))
            return Error(absl::StrCat("loss: a class weight is ", weight, "; expected 0 or more"));
        }
        break;
      }
      case Loss::kHinge:
        attributes.kind = LossKind::kHinge;
        attributes.margin = text.hinge().margin();
        if (!(attributes.margin >= 0) || !std::isfinite(attributes.margin))
          return Error(absl::StrCat("loss: margin is ", attributes.margin, "; expected 0 or more"));
        break;
      case Loss::kMeanSquaredError:
        attributes.kind = LossKind::kMeanSquaredError;
        break;
      case Loss::kFocal:
        attributes.kind = LossKind::kFocal;
        attributes.gamma = text.focal().gamma();
        if (!(attributes.gamma >= 0) || !std::isfinite(attributes.gamma))
          return Error(absl::StrCat("loss: gamma is ", attributes.gamma, "; expected 0 or more"));
        break;
      case Loss::kFormula: {
        attributes.kind = LossKind::kFormula;
        autodiff::symbolic::ParseOptions options;
        options.variables = {"prediction", "target"};
        absl::StatusOr<Expr> formula =
            autodiff::symbolic::Parse(text.formula().text(), pool, options);
        if (!formula.ok())
          return FormulaError(text.formula().place(), "formula of the loss", formula.status());
        if (!autodiff::symbolic::Contains(*formula, pool.Variable("prediction"))) {
          return Error(absl::StrCat("the loss \"", text.formula().text(),
                                    "\" does not depend on prediction; expected that in it"));
        }
        attributes.formula = autodiff::symbolic::Substitute(
            *formula, {{pool.Variable("prediction"), pool.Variable("a0")},
                       {pool.Variable("target"), pool.Variable("a1")}});
        break;
      }
    }
    built_.labels = built_.graph.Input("labels", {options_.batch_size});
    ASSIGN_OR_RETURN(built_.loss,
                     built_.graph.Loss("loss", built_.prediction, built_.labels, attributes));
    return absl::OkStatus();
  }

  absl::Status CheckRecipe() const {
    const Train& train = network_.train();
    const Network::Input& input = network_.input();
    RETURN_IF_ERROR(CheckSize("train.batch_size", train.batch_size(), 1, kLargestBatch));
    if (!(train.epochs() >= 0 && train.epochs() <= 1e6))
      return Error(absl::StrCat("train.epochs is ", train.epochs(), "; expected 0 to 1000000"));
    RETURN_IF_ERROR(CheckSize("train.augmentation.crop", train.augmentation().crop(), 0,
                              std::min(input.height(), input.width()) - 1));
    RETURN_IF_ERROR(CheckSize("train.augmentation.cutout", train.augmentation().cutout(), 0,
                              std::min(input.height(), input.width())));
    RETURN_IF_ERROR(CheckSize("train.evaluation.every_epochs", train.evaluation().every_epochs(), 1,
                              1'000'000));
    const double validation = train.evaluation().validation();
    if (!(validation >= 0 && validation < 1)) {
      return Error(absl::StrCat("train.evaluation.validation is ", validation,
                                "; expected a share from 0 to less than 1"));
    }
    const Train::Normalisation& normalisation = train.normalisation();
    for (const auto& [field, numbers] : {std::pair("mean", &normalisation.mean()),
                                         std::pair("deviation", &normalisation.deviation())}) {
      if (!numbers->empty() && numbers->size() != input.channels()) {
        return Error(absl::StrCat("train.normalisation.", field, " has ", numbers->size(),
                                  " numbers for ", input.channels(),
                                  " channels; expected one for each"));
      }
      for (double number : *numbers) {
        if (!std::isfinite(number) || (field == std::string("deviation") && number <= 0)) {
          return Error(absl::StrCat("train.normalisation.", field, " has ", number,
                                    field == std::string("mean") ? "; expected a finite number"
                                                                 : "; expected more than 0"));
        }
      }
    }
    return absl::OkStatus();
  }

  const Network& network_;
  const BuildOptions& options_;
  BuiltNetwork built_;
  int64_t layers_ = 0, parameters_ = 0, activations_ = 0;
};

}  // namespace

absl::StatusOr<BuiltNetwork> Build(const Network& network, const BuildOptions& options) {
  return Builder(network, options).Build();
}

}  // namespace cotangent::layers
