// Group normalisation (Wu and He, "Group normalization", 2018): elementwise arithmetic on means
// over groups of channels.

#include "layers/ops/group_norm.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/average_pool.h"
#include "layers/ops/combine.h"
#include "layers/ops/elementwise.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kGroupMean;

// Replaces each value by the mean, at the same pixel, over the channels of the value's group. This
// operation is a symmetric projection, so it is its own adjoint. The attribute of its nodes is the
// number of groups, an int64_t.
class GroupMeanOperation : public LinearWithAdjoint<OperationWithKernel<GroupMeanOperation>> {
 public:
  const char* name() const override { return "group_mean"; }

  Op adjoint() const override { return kGroupMean; }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const TensorId x = node.inputs[0];
    const int64_t pixels = e.Pixels(x), size = e.Channels(x) / node.as<int64_t>();
    std::vector<T> y = e.Zeros(x);
    for (int64_t i = 0; i < e.Elements(x); ++i) {
      const int64_t first = i / (size * pixels) * size * pixels + i % pixels;
      for (int64_t c = 0; c < size; ++c)
        y[i] = y[i] + T(1.0 / static_cast<double>(size)) * e.values[x][first + c * pixels];
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      Mean(node.as<int64_t>(), buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }

 private:
  static void Mean(int64_t groups, const Buffer& x, const Buffer& y) {
    const int64_t size = x.shape[1] / groups, rows = x.shape.NumElements() / size;
    WithElementType(x, [&]<typename T>(T*) {
      ParallelRanges(rows, LeastItems(size), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const T* in = x.as<T>() + row * size;
          float sum = 0;
#pragma omp simd reduction(+ : sum)
          for (int64_t c = 0; c < size; ++c) sum += static_cast<float>(in[c]);
          const T mean = static_cast<T>(sum / static_cast<float>(size));
          T* out = y.as<T>() + row * size;
          for (int64_t c = 0; c < size; ++c) out[c] = mean;
        }
      });
    });
  }
};

const GroupMeanOperation group_mean;
const Op kGroupMean = &group_mean;

}  // namespace

absl::StatusOr<TensorId> ScaledAndShifted(Graph& graph, absl::string_view name, TensorId x,
                                          std::pair<TensorId, TensorId> scale_and_shift) {
  const auto [scale, shift] = scale_and_shift;
  Expr y = graph.Operand(0);
  std::vector<TensorId> operands = {x};
  if (scale != kNoTensor) {
    y = y * graph.Operand(static_cast<int>(operands.size()));
    operands.push_back(scale);
  }
  if (shift != kNoTensor) {
    y = y + graph.Operand(static_cast<int>(operands.size()));
    operands.push_back(shift);
  }
  return Elementwise(graph, name, y, std::move(operands));
}

absl::StatusOr<TensorId> GroupNorm(Graph& graph, absl::string_view name, TensorId x, int64_t groups,
                                   double epsilon) {
  const Shape shape = graph.shape(x);
  // Adds the operations that compute, at every element, the mean of t over the element's group.
  const auto mean_of = [&](TensorId t) -> absl::StatusOr<TensorId> {
    ASSIGN_OR_RETURN(TensorId mean, GlobalAveragePool(graph, name, t));
    if (groups != shape[1])
      mean = graph.AddNode(kGroupMean, name, {mean}, groups, Shape(graph.shape(mean)));
    return Spread(graph, name, mean, shape.height(), shape.width());
  };
  ASSIGN_OR_RETURN(const TensorId mean, mean_of(x));
  ASSIGN_OR_RETURN(const TensorId centred,
                   Formula(graph, name, "x - mean", {{"x", x}, {"mean", mean}}));
  ASSIGN_OR_RETURN(const TensorId squares, Formula(graph, name, "x^2", {{"x", centred}}));
  ASSIGN_OR_RETURN(const TensorId variance, mean_of(squares));
  const Expr a0 = graph.Operand(0), a1 = graph.Operand(1);
  return Elementwise(graph, name,
                     a0 * autodiff::symbolic::Pow(a1 + epsilon, graph.pool().Constant(-0.5)),
                     {centred, variance});
}

// ---- The layer of layers/network/network.proto that is built from GroupNorm() ----

namespace {

absl::StatusOr<Value> GroupNormLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.group_norm();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const int64_t channels = b.shape(b.input())[1];
  if (!text.has_groups())
    return Error("has no groups; expected a number of them, such as groups: 32");
  RETURN_IF_ERROR(CheckSize("groups", text.groups(), 1, kMostChannels));
  if (channels % text.groups() != 0)
    return Error(absl::StrCat("groups is ", text.groups(), ", which does not divide the ", channels,
                              " channels of '", b.input().maker, "'; expected a divisor of ",
                              channels));
  ASSIGN_OR_RETURN(const auto scale_and_shift, b.ScaleAndShift(text, channels));
  ASSIGN_OR_RETURN(const TensorId y,
                   GroupNorm(b.graph(), b.name(), b.input().id, text.groups(), text.epsilon()));
  return b.Made(ScaledAndShifted(b.graph(), b.name(), y, scale_and_shift));
}

const RegisterLayer group_norm_layer(Layer::kGroupNorm, GroupNormLayer,
                                     {.aliases = {"GN", "GroupNormalization", "InstanceNorm",
                                                  "InstanceNorm2d", "InstanceNormalization"},
                                      .field_aliases = {{"num_groups", "groups"}}});

}  // namespace
}  // namespace cotangent::layers
