// Turns the layers of a network text (the .textproto file that describes a network,
// layers/network/network.proto) into operations. Each kind of layer has a function in layers/ops/
// that does this, and a RegisterLayer beside it. The argument `text` of the function is the layer's
// message in the network text:
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
#include "layers/network/nearest_name.h"
#include "layers/network/network.pb.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {

// The result of a layer. Flattening an image only sets `is_flattened`: the tensor keeps its shape
// [N, C, H, W] until a layer asks for the flat form by LayerBuilder::Flat(). A linear layer works
// without the flat form.
struct Value {
  TensorId id = kNoTensor;
  bool is_flattened = false;
  std::string maker = "";  // name of the layer that made it, for messages
};

// Gives a layer's function access to the layer's inputs and to the options, and adds the layer's
// operations and parameters to the network. Error messages say what was found and what was
// expected; the caller adds the layer's name and its place (file:line:column) in the network text.
class LayerBuilder {
 public:
  // `parameters` counts the learnt numbers of the whole network; AddParameter() adds to it.
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
  // Returns the layer's row in the table that `train --describe` prints. Name and kind are already
  // filled in; the caller adds the shape of the result and the number of parameters afterwards. The
  // layer's function may change the kind and set multiply_adds.
  LayerRow& row() { return row_; }

  const Shape& shape(const Value& value) const { return built_.graph.shape(value.id); }
  // Returns the shape of the value as messages show it, for example "[8, 4, 4]": without the batch
  // axis, and of rank 1 if the value is flattened.
  std::string Seen(const Value& value) const;
  // Returns the inputs with their shapes, for messages: "'conv1' [8, 4, 4], 'conv2' [8, 2, 2]".
  std::string ListShapes() const;
  // Returns the tensor of the value. If the value is flattened, adds a reshape to [N, K] and
  // returns the result of the reshape.
  absl::StatusOr<TensorId> Flat(const Value& value);
  absl::Status NeedImage(const Value& value) const;
  absl::Status NeedSeveral() const;
  // Returns an error if a result with these sizes per image would have more than kMostElements
  // elements (layers/network/limits.h) for the whole batch. Call it before the result is created.
  absl::Status CheckResult(std::initializer_list<int64_t> one_image) const;

  // Adds a learnt tensor named "<layer>.<field>" and returns it. If `is_given` is true, the layer's
  // text specifies the initialiser `given`, which `otherwise` completes if `given` names no
  // distribution; if it is false, the default `otherwise` is used. fan_in and fan_out are the
  // numbers of inputs and outputs of a unit, by which initialisers scale.
  absl::StatusOr<TensorId> AddParameter(absl::string_view field, const Shape& shape, bool is_given,
                                        const Initialiser& given, const Initialiser& otherwise,
                                        int64_t fan_in, int64_t fan_out);
  // Returns the parameter that was added last.
  const ParameterSpec& parameter() const { return built_.parameters.back(); }
  // Adds a state tensor [channels] named "<layer>.<field>" and returns it. A state is kept between
  // training steps but not learnt.
  TensorId AddState(absl::string_view field, int64_t channels, double initial_value);

  // Adds the weight of a layer, [out, in, ...] (or [in, out, ...] for a transposed convolution),
  // with the initialiser of the layer's text, or the default of PyTorch if the text has none. For
  // both layouts, as in PyTorch, fan_in is the size of axis 1 times the kernel's area, and fan_out
  // the size of axis 0 times that area.
  template <typename Text>
  absl::StatusOr<TensorId> AddWeight(const Text& text, const Shape& shape) {
    const int64_t area = shape.rank() == 4 ? shape[2] * shape[3] : 1;
    return AddParameter("weight", shape, text.has_weight_init(), text.weight_init(),
                        DefaultWeightInitialiser(), shape[1] * area, shape[0] * area);
  }
  // Adds a bias to y if the layer's text asks for one; otherwise returns y. REQUIRES: the layer's
  // weight is the parameter added last.
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
  // Adds those of the parameters scale and shift [channels] of a normalisation layer that the
  // layer's text asks for. Returns kNoTensor in place of a parameter that the text does not ask
  // for. Returns an error if epsilon is negative or not finite.
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
  // Return the default initialisers of PyTorch's nn.Conv2d and nn.Linear: uniform in [-b, b] with b
  // = 1 / sqrt(fan_in). (For weights PyTorch writes b as sqrt(6 / ((1 + 5) fan_in)).)
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

struct LayerTraits {
  bool reads_several = false;  // whether the layer may have several inputs; if not, it has one
  // The names that PyTorch or Caffe give the layer, and those that they give fields of its message:
  // if a network text has one of them, the error message suggests ours.
  std::vector<std::string> aliases = {};
  std::vector<Alias> field_aliases = {};
};

struct LayerKind {
  LayerFunction build = nullptr;
  LayerTraits traits;
};

// A constant of this type at namespace scope registers the function for layers of kind `kind`. A
// second one for the same kind ends the program.
class RegisterLayer {
 public:
  RegisterLayer(Layer::KindCase kind, LayerFunction build, LayerTraits traits = {});
};

// Returns what is registered for the kind, or null if nothing is. Nothing is registered for blocks
// and sequences: the layers in them are built one by one (layers/network/build.cc).
const LayerKind* FindLayerKind(Layer::KindCase kind);

// Converts an error of the formula parser, whose message begins with a place within the formula
// ("formula:1:7: found ..."), into one with the place in the network's file. `place` is where the
// formula begins in that file ("net:3:20"), and `what` says which formula it is. If the two places
// cannot be combined, the new message has both.
absl::Status FormulaError(absl::string_view place, absl::string_view what,
                          const absl::Status& status);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LAYER_H_
