// Builds the graph of a network text (the .textproto file that describes a network, network.proto),
// layer by layer, in an order in which the layers can be computed.

#include "layers/network/build.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/glob.h"
#include "layers/network/connections.h"
#include "layers/network/nearest_name.h"
#include "layers/network/recipe.h"
#include "layers/ops/layer.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

// Returns whether training mixes the images of a batch (and so their targets) with each other.
bool MixesImages(const Network& network) {
  const Train::Augmentation& augmentation = network.train().augmentation();
  return augmentation.has_mixup() || augmentation.has_cutmix();
}

std::vector<std::string> KindNames() {
  std::vector<std::string> names;
  const auto* kinds = Layer::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) names.push_back(kinds->field(i)->name());
  return names;
}

// Returns the names of the layer kinds that can read several inputs.
std::vector<std::string> KindsOfSeveral() {
  std::vector<std::string> names;
  const auto* kinds = Layer::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    const LayerKind* kind = FindLayerKind(static_cast<Layer::KindCase>(kinds->field(i)->number()));
    if (kind != nullptr && kind->traits.reads_several) names.push_back(kinds->field(i)->name());
  }
  return names;
}

absl::Status NoSuchKind(const Layer& layer) {
  if (layer.has_use()) return Error("still uses a block; blocks are replaced when a text is read");
  return Error(absl::StrCat("has no kind; expected one of ", absl::StrJoin(KindNames(), ", ")));
}

class Builder {
 public:
  Builder(const Network& network, const BuildOptions& options)
      : network_(network), options_(options) {}

  absl::StatusOr<BuiltNetwork> Build() {
    const Network::Input& input = network_.input();
    RETURN_IF_ERROR(CheckSize("input.channels", input.channels(), 1, kMostChannels));
    RETURN_IF_ERROR(CheckSize("input.height", input.height(), 1, kLargestExtent));
    RETURN_IF_ERROR(CheckSize("input.width", input.width(), 1, kLargestExtent));
    built_.classes = input.has_classes() ? input.classes() : options_.classes;
    RETURN_IF_ERROR(CheckSize("input.classes", built_.classes, 1, kMostChannels));
    RETURN_IF_ERROR(CheckRecipe(network_));
    RETURN_IF_ERROR(CheckSize("batch_size", options_.batch_size, 1, kLargestBatch));
    if (Product({options_.batch_size, input.channels(), input.height(), input.width()},
                kMostElements) > kMostElements) {
      return Error(absl::StrCat("a batch of ", options_.batch_size, " images ", input.channels(),
                                "x", input.height(), "x", input.width(),
                                " is too large; use a smaller batch_size"));
    }
    if (network_.layer().empty())
      return Error("layer: the network has none; expected at least one 'layer { ... }'");
    built_.images = built_.graph.Input(
        "images", {options_.batch_size, input.channels(), input.height(), input.width()});
    ASSIGN_OR_RETURN(Value last, Sequence(network_.layer(), "", {built_.images, false, "input"}));
    RETURN_IF_ERROR(Predict(std::move(last)));
    if (options_.with_loss) RETURN_IF_ERROR(AddLoss());
    return std::move(built_);
  }

 private:
  absl::StatusOr<Value> Sequence(const Layers& layers, const std::string& prefix,
                                 const Value& input) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(layers));
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
    if (absl::Status status = CheckFloats(layer, ""); !status.ok())
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
    // Errors of graph operations begin with the layer's name, which this message has already.
    if (absl::StartsWith(message, absl::StrCat(name, ": "))) message.remove_prefix(name.size() + 2);
    return Error(absl::StrCat(layer.place(), layer.place().empty() ? "" : ": ", "layer '", name,
                              "': ", message));
  }

  // Builds one copy of a layer. (A layer with `repeat` has several copies.)
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
    const LayerKind* kind = FindLayerKind(layer.kind_case());
    if (kind != nullptr && !kind->traits.reads_several && inputs.size() > 1) {
      return InLayer(
          layer, name,
          Error(absl::StrCat("has ", inputs.size(), " inputs; only ",
                             absl::StrJoin(KindsOfSeveral(), ", "), " read more than one")));
    }
    LayerRow row;
    row.name = name;
    row.kind = KindName(layer);
    LayerBuilder builder(name, inputs, options_, built_, parameters_, row);
    absl::StatusOr<Value> value = kind != nullptr ? kind->build(layer, builder) : NoSuchKind(layer);
    if (!value.ok()) {
      const bool has_place =
          (layer.activation().has_formula_place() || layer.elementwise().has_formula_place()) &&
          absl::StartsWith(value.status().message(),
                           layer.place().substr(0, layer.place().find(':') + 1));
      return has_place ? value.status() : InLayer(layer, name, value.status());
    }
    value->maker = name;
    const Shape& made = built_.graph.shape(value->id);
    row.output = value->is_flattened ? Shape({made[0], made.NumElements() / made[0]}) : made;
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
        if (!FitsPattern(names.back(), pattern)) continue;
        built_.parameters[i].trainable = false;
        fits = true;
      }
      if (!fits)
        return Error(absl::StrCat("frozen: '", pattern, "' fits none of its parameters; ",
                                  Suggestion(pattern, names)));
    }
    return absl::OkStatus();
  }

  absl::Status Predict(Value last) {
    const Shape s = built_.graph.shape(last.id);
    if (s.rank() == 4 && s.height() == 1 && s.width() == 1) last.is_flattened = true;
    LayerRow row;
    const std::vector<Value> inputs = {last};
    LayerBuilder builder(last.maker, inputs, options_, built_, parameters_, row);
    ASSIGN_OR_RETURN(built_.prediction, builder.Flat(last));
    const Shape& predicted = built_.graph.shape(built_.prediction);
    if (predicted.rank() == 2 && predicted[1] == built_.classes) return absl::OkStatus();
    const Layer& text = network_.layer(network_.layer_size() - 1);
    return Error(absl::StrCat(text.place(), text.place().empty() ? "" : ": ", "the last layer '",
                              last.maker, "' gives ", builder.Seen(last),
                              " for an image, but there are ", built_.classes, " ",
                              PluralOf(TargetKindOf(network_.loss())),
                              "; end the network with linear { features: ", built_.classes, " }"));
  }

  absl::Status AddLoss() {
    autodiff::symbolic::Pool pool;
    ASSIGN_OR_RETURN(const LossAttributes attributes,
                     ParseLoss(network_.loss(), built_.classes, pool));
    const bool has_targets = TargetKindOf(network_.loss()) != TargetKind::kClass ||
                             (options_.training && MixesImages(network_));
    built_.labels =
        built_.graph.Input("labels", has_targets ? Shape({options_.batch_size, built_.classes})
                                                 : Shape({options_.batch_size}));
    ASSIGN_OR_RETURN(built_.loss,
                     LossOf(built_.graph, "loss", built_.prediction, built_.labels, attributes));
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
