// Local response normalisation: Krizhevsky, Sutskever and Hinton, "ImageNet classification with
// deep convolutional neural networks" (2012), section 3.3, in PyTorch's form:
//   y = x (k + alpha m)^-beta
// For each element, m is the mean of x^2 at the same pixel over `size` channels: the element's own,
// size / 2 (rounded down) before it and the others after it. Channels before the first and after
// the last count as zeros.

#include "layers/ops/local_response_norm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kChannelWindowSum;

// Computes y_c = x_{c - before} + ... + x_{c + after} at every pixel; channels that do not exist
// count as zeros. The adjoint is the same operation with `before` and `after` exchanged.
class ChannelWindowSum : public LinearOperation<OperationWithKernel<ChannelWindowSum>> {
 public:
  const char* name() const override { return "channel_window_sum"; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const ChannelWindow& window = rule.node.as<ChannelWindow>();
    rule.Contribute(rule.in(0), rule.graph.AddNode(kChannelWindowSum, rule.node.name, {rule.d[0]},
                                                   ChannelWindow{window.after, window.before},
                                                   Shape(rule.shape(rule.in(0)))));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const TensorId x = node.inputs[0];
    const ChannelWindow& window = node.as<ChannelWindow>();
    const int64_t channels = e.Channels(x), pixels = e.Pixels(x);
    std::vector<T> y = e.Zeros(x);
    for (int64_t i = 0; i < e.Elements(x); ++i) {
      const int64_t c = i / pixels % channels;
      const int64_t beyond = std::min(channels, c + window.after + 1);
      for (int64_t j = std::max<int64_t>(0, c - window.before); j < beyond; ++j)
        y[i] = y[i] + e.values[x][i + (j - c) * pixels];
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      Sum(node.as<ChannelWindow>(), buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }

 private:
  // The number of channels that Sum() processes at a time, so that their sums stay in the nearest
  // cache.
  static constexpr int64_t kChannels = 64;

  static void Sum(const ChannelWindow& window, const Buffer& x, const Buffer& y) {
    const int64_t channels = x.shape[1], pixels = x.shape[0] * Height(x) * Width(x);
    WithElementType(x, [&]<typename T>(T*) {
      ParallelRanges(pixels, LeastItems(channels), [&](int64_t begin, int64_t end) {
        for (int64_t pixel = begin; pixel < end; ++pixel) {
          for (int64_t first = 0; first < channels; first += kChannels)
            SumOf(window, x.as<T>() + pixel * channels, channels, first,
                  y.as<T>() + pixel * channels);
        }
      });
    });
  }

  // Computes the channels [first, first + kChannels) of a pixel. Neighbours are added up from the
  // lowest channel to the highest.
  template <typename T>
  static void SumOf(const ChannelWindow& window, const T* in, int64_t channels, int64_t first,
                    T* out) {
    const int64_t beyond = std::min(channels, first + kChannels);
    float sums[kChannels] = {};
    // Neighbours beyond all channels are left out: a window may be far larger than the image is deep.
    const int64_t lowest = std::max(-window.before, 1 - beyond),
                  highest = std::min(window.after, channels - 1 - first);
    for (int64_t d = lowest; d <= highest; ++d) {
      const int64_t begin = std::max(first, -d), end = std::min(beyond, channels - d);
#pragma omp simd
      for (int64_t c = begin; c < end; ++c) sums[c - first] += static_cast<float>(in[c + d]);
    }
#pragma omp simd
    for (int64_t c = first; c < beyond; ++c) out[c] = static_cast<T>(sums[c - first]);
  }
};

const ChannelWindowSum channel_window_sum;
const Op kChannelWindowSum = &channel_window_sum;

absl::StatusOr<Value> LocalResponseNorm(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.local_response_norm();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  RETURN_IF_ERROR(CheckSize("size", text.size(), 1, kMostChannels));
  if (!(text.k() > 0) || !std::isfinite(text.k()))
    return Error(absl::StrCat("k is ", text.k(), "; expected more than 0"));
  if (!(text.alpha() >= 0) || !std::isfinite(text.alpha()))
    return Error(absl::StrCat("alpha is ", text.alpha(), "; expected 0 or more"));
  if (!std::isfinite(text.beta()))
    return Error(absl::StrCat("beta is ", text.beta(), "; expected a finite number"));
  Graph& graph = b.graph();
  const TensorId x = b.input().id;
  const Expr a0 = graph.Operand(0), a1 = graph.Operand(1);
  ASSIGN_OR_RETURN(const TensorId squares, Elementwise(graph, b.name(), a0 * a0, {x}));
  const ChannelWindow window = {text.size() / 2, (text.size() - 1) / 2};
  const TensorId sum =
      graph.AddNode(kChannelWindowSum, b.name(), {squares}, window, Shape(graph.shape(x)));
  const Expr base = text.k() + (text.alpha() / static_cast<double>(text.size())) * a1;
  return b.Made(Elementwise(graph, b.name(),
                            a0 * autodiff::symbolic::Pow(base, graph.pool().Constant(-text.beta())),
                            {x, sum}));
}

const RegisterLayer local_response_norm(Layer::kLocalResponseNorm, LocalResponseNorm,
                                        {.aliases = {"CrossMapLRN", "LRN",
                                                     "LocalResponseNormalization"},
                                         .field_aliases = {{"bias", "k"}, {"local_size", "size"}}});

}  // namespace
}  // namespace cotangent::layers
