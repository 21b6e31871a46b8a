// Random masks, and the layers `dropout` and `drop_path`, which multiply by them.

#include "layers/ops/dropout.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/split_mix.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/combine.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

struct MaskAttributes {
  double rate;
  bool per_image;  // true: one draw for all elements of an image; false: one for each element
};

// Draws the mask of one training step: each element is 0 with probability `rate`, otherwise 1 / (1
// - rate). The draw with number i (from 0) depends only on (seed, stream, step, i), where `stream`
// tells the masks of a network apart. The numbers i continue from one rank to the next (ranks are
// processes that share the batch equally), so an image gets the same mask whichever rank computes
// it.
void Draw(const MaskAttributes& attributes, uint64_t seed, uint64_t stream, uint64_t step, int rank,
          const Buffer& mask) {
  const double rate = attributes.rate;
  const int64_t count = mask.shape.NumElements(),
                per_draw = attributes.per_image ? ElementsPerImage(mask) : 1,
                first = rank * (count / per_draw);
  constexpr auto Mix = SplitMix64::Hash;
  const uint64_t key = Mix(Mix(Mix(seed) + stream) + step),
                 limit = static_cast<uint64_t>(rate * 18446744073709551616.0);
  const float keep = static_cast<float>(1 / (1 - rate));
  WithElementType(mask, [&]<typename T>(T*) {
    ParallelRanges(count, LeastItems(1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        mask.as<T>()[i] = static_cast<T>(
            Mix(key + (first + i / per_draw) * SplitMix64::kStep) < limit ? 0.0f : keep);
    });
  });
}

// The operation that draws masks. Its attributes are MaskAttributes.
class DropoutMaskOperation : public Leaf {
 public:
  const char* name() const override { return "dropout_mask"; }
  bool occurs_in_inference() const override { return false; }
  bool is_given() const override { return false; }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node, seed = kernel.seed,
            stream = static_cast<uint64_t>(kernel.index), rank = kernel.ranks.rank](int64_t step) {
      Draw(node.as<MaskAttributes>(), seed, stream, static_cast<uint64_t>(step), rank,
           buffer(node.outputs[0]));
    };
  }
};

const DropoutMaskOperation dropout_mask;

}  // namespace

const Op kDropoutMask = &dropout_mask;

absl::StatusOr<TensorId> DropoutMask(Graph& graph, absl::string_view name, TensorId like,
                                     double rate) {
  if (!(rate >= 0 && rate < 1))
    return Invalid(name, absl::StrCat("rate ", rate, " must be at least 0 and below 1"));
  return graph.AddNode(kDropoutMask, name, {}, MaskAttributes{rate, false}, graph.shape(like));
}

absl::StatusOr<TensorId> ImageMask(Graph& graph, absl::string_view name, TensorId images,
                                   double rate) {
  RETURN_IF_ERROR(NeedsImages(graph, name, images));
  if (!(rate >= 0 && rate < 1))
    return Invalid(name, absl::StrCat("rate ", rate, " must be at least 0 and below 1"));
  const Shape shape = {graph.shape(images)[0], graph.shape(images)[1], 1, 1};
  return graph.AddNode(kDropoutMask, name, {}, MaskAttributes{rate, true}, shape);
}

// ---- The layers of layers/network/network.proto that are built from the operation above ----

namespace {

absl::StatusOr<Value> DropoutLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.dropout();
  const std::string& name = b.name();
  const Value& input = b.input();
  if (!(text.rate() >= 0 && text.rate() < 1))
    return Error(absl::StrCat("rate is ", text.rate(), "; expected 0 to less than 1"));
  if (!b.training() || text.rate() == 0) return input;
  ASSIGN_OR_RETURN(const TensorId mask, DropoutMask(b.graph(), name, input.id, text.rate()));
  ASSIGN_OR_RETURN(const TensorId y,
                   Formula(b.graph(), name, "x * mask", {{"x", input.id}, {"mask", mask}}));
  return Value{y, input.is_flattened, ""};
}

absl::StatusOr<Value> DropPathLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.drop_path();
  const TensorId x = b.input().id;
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  if (!(text.rate() >= 0 && text.rate() < 1))
    return Error(absl::StrCat("rate is ", text.rate(), "; expected 0 to less than 1"));
  if (!b.training() || text.rate() == 0) return b.input();
  const Shape shape = b.shape(b.input());
  ASSIGN_OR_RETURN(const TensorId mask, ImageMask(b.graph(), b.name(), x, text.rate()));
  ASSIGN_OR_RETURN(const TensorId spread,
                   Spread(b.graph(), b.name(), mask, shape.height(), shape.width()));
  return b.Made(Formula(b.graph(), b.name(), "x * mask", {{"x", x}, {"mask", spread}}));
}

const RegisterLayer drop_path_layer(Layer::kDropPath, DropPathLayer,
                                    {.aliases = {"StochasticDepth"}});
const RegisterLayer dropout_layer(
    Layer::kDropout, DropoutLayer,
    {.field_aliases = {{"drop_rate", "rate"}, {"dropout_ratio", "rate"}, {"p", "rate"}}});

}  // namespace
}  // namespace cotangent::layers
