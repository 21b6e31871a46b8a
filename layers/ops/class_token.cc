// The layers `class_token`, which puts a learnt token in front of the pixels of each image and
// gives an image of one row, and `token`, whose result is a single pixel of its input. A token is
// the vector of channels of one pixel.

#include <utility>

#include "absl/strings/str_cat.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/ops/pad.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

absl::StatusOr<Value> ClassTokenLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.class_token();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape shape = b.shape(b.input());
  const int64_t channels = shape[1], pixels = shape[2] * shape[3];
  RETURN_IF_ERROR(CheckSize("width of its result", pixels + 1, 1, kLargestExtent));
  RETURN_IF_ERROR(b.CheckResult({channels, 1, pixels + 1}));
  Initialiser usual;
  usual.mutable_truncated_normal()->set_deviation(0.02);
  ASSIGN_OR_RETURN(const TensorId weight,
                   b.AddParameter("weight", {channels}, text.has_weight_init(), text.weight_init(),
                                  usual, channels, channels));
  // Pads the pixels by one pixel of zeros in front, and adds the weight where is_pixel is 0, which
  // is at that one pixel.
  Graph& graph = b.graph();
  const Shape row = {shape[0], channels, 1, pixels};
  const auto after_zero = [&](TensorId x) {
    return Pad(graph, b.name(), x, PadMode::kZeros, {.left = 1});
  };
  ASSIGN_OR_RETURN(TensorId x, Reshape(graph, b.name(), b.input().id, row));
  ASSIGN_OR_RETURN(x, after_zero(x));
  ASSIGN_OR_RETURN(const TensorId is_pixel, after_zero(Constant(graph, 1, row)));
  return b.Made(Formula(graph, b.name(), "x + w * (1 - is_pixel)",
                        {{"x", x}, {"w", weight}, {"is_pixel", is_pixel}}));
}

absl::StatusOr<Value> TokenLayer(const Layer& layer, LayerBuilder& b) {
  const Value& input = b.input();
  RETURN_IF_ERROR(b.NeedImage(input));
  const Shape shape = b.shape(input);
  const int64_t height = shape[2], width = shape[3], index = layer.token().index();
  if (index < 0 || index >= height * width)
    return Error(absl::StrCat("index is ", index, ", but '", input.maker, "' gives ", b.Seen(input),
                              "; expected 0 to ", height * width - 1));
  const int64_t row = index / width, column = index % width;
  return b.Made(Pad(b.graph(), b.name(), input.id, PadMode::kZeros,
                    {-row, row + 1 - height, -column, column + 1 - width}));
}

const RegisterLayer class_token_layer(Layer::kClassToken, ClassTokenLayer,
                                      {.aliases = {"cls_token"}});
const RegisterLayer token_layer(Layer::kToken, TokenLayer);

}  // namespace
}  // namespace cotangent::layers
