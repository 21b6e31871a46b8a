// Layers that multiply by a learnt number, one per channel or one for all channels.

#include <utility>

#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

// Adds the layer's weight w ([C], or one number for all channels) and then the formula, in x and w,
// that computes the result.
template <typename Text>
absl::StatusOr<Value> WithWeight(const Text& text, double initial_value, const char* formula,
                                 LayerBuilder& b) {
  ASSIGN_OR_RETURN(const TensorId x, b.Flat(b.input()));
  const int64_t channels = b.graph().shape(x)[1], count = text.per_channel() ? channels : 1;
  ASSIGN_OR_RETURN(TensorId weight,
                   b.AddParameter("weight", {count}, text.has_weight_init(), text.weight_init(),
                                  LayerBuilder::ConstantInitialiser(initial_value), count, count));
  if (count != channels) {
    ASSIGN_OR_RETURN(weight, Reshape(b.graph(), b.name(), weight, Shape()));
  }
  return b.Made(Formula(b.graph(), b.name(), formula, {{"x", x}, {"w", weight}}));
}

absl::StatusOr<Value> ScaleLayer(const Layer& layer, LayerBuilder& b) {
  return WithWeight(layer.scale(), 1, "x * w", b);
}

// The layer `prelu`: x where x > 0, otherwise w x. The initial slope w is 0.25, as in PyTorch.
absl::StatusOr<Value> PreluLayer(const Layer& layer, LayerBuilder& b) {
  return WithWeight(layer.prelu(), 0.25, "select(0, x, x, w * x)", b);
}

const RegisterLayer scale_layer(Layer::kScale, ScaleLayer,
                                {.aliases = {"Affine", "LayerScale", "ScaleShift"},
                                 .field_aliases = {{"init", "weight_init"},
                                                   {"init_value", "weight_init"},
                                                   {"initial_value", "weight_init"}}});
const RegisterLayer prelu_layer(Layer::kPrelu, PreluLayer);

}  // namespace
}  // namespace cotangent::layers
