#include "layers/ops/layer.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/registered_twice.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

std::map<int, LayerKind>& Kinds() {
  static std::map<int, LayerKind>& kinds = *new std::map<int, LayerKind>();
  return kinds;
}

std::string KindName(int kind) { return Layer::descriptor()->FindFieldByNumber(kind)->name(); }

// Lists the aliases of all layers and of their fields.
std::vector<Alias> LayerAliases() {
  std::vector<Alias> all;
  for (const auto& [kind, layer] : Kinds()) {
    for (const std::string& alias : layer.traits.aliases) all.push_back({alias, KindName(kind)});
    for (const Alias& alias : layer.traits.field_aliases) all.push_back(alias);
  }
  return all;
}

const RegisterAliases layer_aliases(LayerAliases);

}  // namespace

RegisterLayer::RegisterLayer(Layer::KindCase kind, LayerFunction build, LayerTraits traits) {
  if (!Kinds().emplace(kind, LayerKind{build, std::move(traits)}).second)
    RegisteredTwice(absl::StrCat("layer ", KindName(kind)));
}

const LayerKind* FindLayerKind(Layer::KindCase kind) {
  const auto found = Kinds().find(kind);
  return found == Kinds().end() ? nullptr : &found->second;
}

std::string LayerBuilder::Seen(const Value& value) const {
  const Shape& s = shape(value);
  return value.is_flattened ? absl::StrCat("[", s.NumElements() / s[0], "]") : OfOneImage(s);
}

absl::StatusOr<TensorId> LayerBuilder::Flat(const Value& value) {
  const Shape& s = shape(value);
  if (!value.is_flattened) return value.id;
  return Reshape(graph(), name_, value.id, {s[0], s.NumElements() / s[0]});
}

absl::StatusOr<Value> LayerBuilder::PlusBias(TensorId y, TensorId bias) {
  return Made(AddBias(graph(), name_, y, bias));
}

std::string LayerBuilder::ListShapes() const {
  return absl::StrJoin(inputs_, ", ", [this](std::string* out, const Value& value) {
    absl::StrAppend(out, "'", value.maker, "' ", Seen(value));
  });
}

absl::Status LayerBuilder::NeedImage(const Value& value) const {
  if (!value.is_flattened && shape(value).rank() == 4) return absl::OkStatus();
  return Error(absl::StrCat("needs an image [channels, height, width], but '", value.maker,
                            "' gives ", Seen(value),
                            "; put it before the first linear or flatten layer"));
}

absl::Status LayerBuilder::NeedSeveral() const {
  if (inputs_.size() >= 2) return absl::OkStatus();
  return Error("has one input; expected two or more, such as input: \"a\" input: \"b\"");
}

absl::Status LayerBuilder::CheckResult(std::initializer_list<int64_t> one_image) const {
  int64_t elements = options_.batch_size;
  for (int64_t extent : one_image) elements = Product({elements, extent}, kMostElements);
  if (elements > kMostElements) {
    return Error(absl::StrCat("its result [", absl::StrJoin(one_image, ", "), "] for ",
                              options_.batch_size, " images is too large; at most ", kMostElements,
                              " values are possible"));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorId> LayerBuilder::AddParameter(absl::string_view field, const Shape& shape,
                                                    bool is_given, const Initialiser& given,
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
  spec.name = absl::StrCat(name_, ".", field);
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

TensorId LayerBuilder::AddState(absl::string_view field, int64_t channels, double initial_value) {
  const std::string name = absl::StrCat(name_, ".", field);
  const TensorId id = built_.graph.State(name, {channels});
  built_.states.push_back({name, {channels}, initial_value, id});
  return id;
}

Initialiser LayerBuilder::ConstantInitialiser(double value) {
  Initialiser initialiser;
  initialiser.mutable_constant()->set_value(value);
  return initialiser;
}

Initialiser LayerBuilder::DefaultWeightInitialiser() {
  Initialiser initialiser;
  initialiser.mutable_kaiming_uniform()->set_negative_slope(std::sqrt(5.0));
  return initialiser;
}

Initialiser LayerBuilder::DefaultBiasInitialiser(int64_t fan_in) {
  Initialiser initialiser;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  initialiser.mutable_uniform()->set_low(-bound);
  initialiser.mutable_uniform()->set_high(bound);
  return initialiser;
}

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

}  // namespace cotangent::layers
