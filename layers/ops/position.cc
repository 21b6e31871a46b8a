// Position embedding: a learnt tensor that is added to every image, so that layers can tell where
// in the image a pixel is.

#include <utility>

#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

absl::StatusOr<Value> PositionLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.position();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape shape = b.shape(b.input());
  const int64_t count = shape.NumElements() / shape[0];
  Initialiser usual;
  usual.mutable_truncated_normal()->set_deviation(0.02);
  ASSIGN_OR_RETURN(TensorId weight,
                   b.AddParameter("weight", {shape[1], shape[2], shape[3]}, text.has_weight_init(),
                                  text.weight_init(), usual, count, count));
  // The sum adds a separate learnt value to each element of an image, the same values for all
  // images. For images flattened to [N, C H W], this is the addition of a bias.
  Graph& graph = b.graph();
  ASSIGN_OR_RETURN(weight, Reshape(graph, b.name(), weight, {count}));
  ASSIGN_OR_RETURN(TensorId x, Reshape(graph, b.name(), b.input().id, {shape[0], count}));
  ASSIGN_OR_RETURN(x, AddBias(graph, b.name(), x, weight));
  return b.Made(Reshape(graph, b.name(), x, shape));
}

const RegisterLayer position_layer(Layer::kPosition, PositionLayer,
                                   {.aliases = {"pos_embed", "PositionalEmbedding",
                                                "PositionalEncoding", "PositionEmbedding"}});

}  // namespace
}  // namespace cotangent::layers
