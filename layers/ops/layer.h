// How the text of a layer becomes operations: each kind of layer is a function in layers/ops/, which
// registers itself.
//
//   absl::StatusOr<Value> Swish(const Layer& text, LayerBuilder& b) {
//     return b.Made(Formula(b.graph(), b.name(), "x * sigmoid(x)", {{"x", b.input().id}}));
//   }
//   const RegisterLayer swish(Layer::kSwish, Swish);
#ifndef COTANGENT_LAYERS_OPS_LAYER_H_
#define COTANGENT_LAYERS_OPS_LAYER_H_

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "layers/network/built_network.h"
#include "layers/network/network.pb.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {

// What a layer makes. A flattened image keeps its tensor until someone needs the flat one: a linear
// layer does not.
struct Value {
  TensorId id = kNoTensor;
  bool is_flattened = false;
  std::string maker = "";  // the layer's name, for messages
};

// What a layer's function sees of the network, and what it may add to it. Errors name what was found
// and expected; the caller adds the place and the layer.
class LayerBuilder {
 public:
  // `parameters` counts the numbers learnt so far.
  LayerBuilder(const std::string& name, const std::vector<Value>& inputs,
               const BuildOptions& options, BuiltNetwork& built, int64_t& parameters, LayerRow& row)
      : name_(name),
        inputs_(inputs),
        options_(options),
        built_(built),
        parameters_(parameters),
        row_(row) {}

  Graph& graph() { return built_.graph; }
  const std::string& name() const { return name_; }
  const std::vector<Value>& inputs() const { return inputs_; }
  const Value& input() const { return inputs_[0]; }
  bool training() const { return options_.training; }
  int ranks() const { return options_.ranks; }
  int64_t classes() const { return built_.classes; }
  TensorId images() const { return built_.images; }
  // What `train --describe` prints of the layer; its name, kind and result are filled in already.
  LayerRow& row() { return row_; }

  const Shape& shape(const Value& value) const { return built_.graph.shape(value.id); }
  // The shape as the user sees it.
  std::string Seen(const Value& value) const;
  // "'conv1' [8, 4, 4], 'conv2' [8, 2, 2]"
  std::string ListShapes() const;
  // The tensor, made flat where the value is.
  absl::StatusOr<TensorId> Flat(const Value& value);
  absl::Status NeedImage(const Value& value) const;
  absl::Status NeedSeveral() const;
  // An error before a result of absurd size is made.
  absl::Status CheckResult(std::initializer_list<int64_t> one_image) const;

  // A learnt tensor "<layer>.<field>". `given` is the text's initialiser, `otherwise` the default
  // where it says nothing.
  absl::StatusOr<TensorId> AddParameter(absl::string_view field, Shape shape, bool is_given,
                                        const Initialiser& given, const Initialiser& otherwise,
                                        int64_t fan_in, int64_t fan_out);
  // The last one.
  const ParameterSpec& parameter() const { return built_.parameters.back(); }
  // Kept between steps, not learnt: "<layer>.<field>", [channels].
  TensorId AddState(absl::string_view field, int64_t channels, double initial_value);

  // weight of a layer whose weight has the given shape.
  template <typename Text>
  absl::StatusOr<TensorId> AddWeight(const Text& text, const Shape& shape) {
    const int64_t area = shape.rank() == 4 ? shape[2] * shape[3] : 1;
    return AddParameter("weight", shape, text.has_weight_init(), text.weight_init(),
                        DefaultWeightInitialiser(), shape[1] * area, shape[0] * area);
  }
  // y and, if wanted, a bias added to it.
  template <typename Text>
  absl::StatusOr<Value> WithBias(const Text& text, TensorId y) {
    if (!text.bias()) return Value{y};
    const ParameterSpec weight = parameter();
    ASSIGN_OR_RETURN(
        const TensorId bias,
        AddParameter("bias", {graph().shape(y)[1]}, text.has_bias_init(), text.bias_init(),
                     DefaultBiasInitialiser(weight.fan_in), weight.fan_in, weight.fan_out));
    return PlusBias(y, bias);
  }
  // Scale and shift of a normalisation, one value a channel each; kNoTensor where not wanted.
  template <typename Text>
  absl::StatusOr<std::pair<TensorId, TensorId>> ScaleAndShift(const Text& text, int64_t channels) {
    if (!(text.epsilon() >= 0) || !std::isfinite(text.epsilon()))
      return Error(absl::StrCat("epsilon is ", text.epsilon(), "; expected 0 or a little more"));
    std::pair<TensorId, TensorId> result = {kNoTensor, kNoTensor};
    if (text.scale()) {
      ASSIGN_OR_RETURN(result.first,
                       AddParameter("weight", {channels}, text.has_scale_init(), text.scale_init(),
                                    ConstantInitialiser(1), channels, channels));
    }
    if (text.shift()) {
      ASSIGN_OR_RETURN(result.second,
                       AddParameter("bias", {channels}, text.has_shift_init(), text.shift_init(),
                                    ConstantInitialiser(0), channels, channels));
    }
    return result;
  }

  static absl::StatusOr<Value> Made(absl::StatusOr<TensorId> id) {
    if (!id.ok()) return id.status();
    return Value{*id};
  }

  static Initialiser ConstantInitialiser(double value);
  // nn.Conv2d's and nn.Linear's: bound sqrt(6 / ((1 + 5) fan_in)) = 1 / sqrt(fan_in).
  static Initialiser DefaultWeightInitialiser();
  static Initialiser DefaultBiasInitialiser(int64_t fan_in);

 private:
  absl::StatusOr<Value> PlusBias(TensorId y, TensorId bias);

  const std::string& name_;
  const std::vector<Value>& inputs_;
  const BuildOptions& options_;
  BuiltNetwork& built_;
  int64_t& parameters_;
  LayerRow& row_;
};

using LayerFunction = absl::StatusOr<Value> (*)(const Layer& text, LayerBuilder& b);

struct LayerKind {
  LayerFunction build = nullptr;
  bool reads_several = false;  // else it has one input
};

// A constant of this type, in namespace scope, makes `kind` known.
class RegisterLayer {
 public:
  RegisterLayer(Layer::KindCase kind, LayerFunction build, bool reads_several = false);
};

// Null where there is none: blocks and sequences are not layers of their own.
const LayerKind* FindLayerKind(Layer::KindCase kind);

// An error of the formula parser ("formula:1:7: found ...") at its place in the file, where the
// formula begins at `place` ("net:3:20").
absl::Status FormulaError(absl::string_view place, absl::string_view what,
                          const absl::Status& status);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LAYER_H_
