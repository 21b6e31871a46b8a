// Resampling of images by a sparse matrix of weights for each axis (see resample.h), and the layers
// built from this operation.

#include "layers/ops/resample.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kResample;

// The operation is linear. Its adjoint is the same operation with both matrices transposed.
class ResampleOperation : public LinearOperation<OperationWithKernel<ResampleOperation>> {
 public:
  const char* name() const override { return "resample"; }
  bool is_cheap() const override { return true; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const auto& weights = rule.node.as<ResampleAttributes>();
    rule.Contribute(rule.in(0), rule.graph.AddNode(kResample, rule.node.name, {rule.d[0]},
                                                   ResampleAttributes{weights.rows.Transposed(),
                                                                      weights.columns.Transposed()},
                                                   Shape(rule.shape(rule.in(0)))));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const auto& weights = node.as<ResampleAttributes>();
    const Shape &in = e.shape(node.inputs[0]), &out = e.shape(node.outputs[0]);
    std::vector<T> y;
    for (int64_t plane = 0; plane < out[0] * out[1]; ++plane) {
      for (int64_t i = 0; i < out[2]; ++i) {
        for (int64_t j = 0; j < out[3]; ++j) {
          T sum(0.0);
          for (const AxisWeights::Term& row : weights.rows.terms[i]) {
            for (const AxisWeights::Term& column : weights.columns.terms[j]) {
              const int64_t at = (plane * in[2] + row.from) * in[3] + column.from;
              sum = sum + T(row.weight * column.weight) * e.in(node, 0)[at];
            }
          }
          y.push_back(sum);
        }
      }
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      Run(node.as<ResampleAttributes>(), buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }

 private:
  // The number of channels that Run() processes at a time. The sums of so many channels fit into
  // registers and the first-level cache.
  static constexpr int64_t kChannels = 64;
  // The most lines whose pixels are added up one after the other: a single sum in f32 over millions
  // of pixels would lose what it adds.
  static constexpr size_t kLines = 16;

  static void Run(const ResampleAttributes& weights, const Buffer& x, const Buffer& y) {
    const int64_t channels = x.shape[1], height = Height(x), width = Width(x);
    const int64_t out_width = Width(y), lines = y.shape[0] * Height(y);
    WithElementType(x, [&]<typename T>(T*) {
      ParallelRanges(lines, LeastItems(out_width * channels), [&](int64_t begin, int64_t end) {
        float sums[kChannels], part[kChannels];
        for (int64_t line = begin; line < end; ++line) {
          const int64_t n = line / Height(y), i = line % Height(y);
          for (int64_t j = 0; j < out_width; ++j) {
            for (int64_t first = 0; first < channels; first += kChannels) {
              const int64_t count = std::min(kChannels, channels - first);
              std::fill_n(sums, count, 0.0f);
              const std::vector<AxisWeights::Term>& rows = weights.rows.terms[i];
              for (size_t row = 0; row < rows.size(); row += kLines) {
                float* const to = row == 0 ? sums : part;
                if (row > 0) std::fill_n(part, count, 0.0f);
                for (size_t r = row; r < std::min(row + kLines, rows.size()); ++r) {
                  for (const AxisWeights::Term& column : weights.columns.terms[j]) {
                    const float weight = static_cast<float>(rows[r].weight * column.weight);
                    const T* in = x.as<T>() +
                                  ((n * height + rows[r].from) * width + column.from) * channels +
                                  first;
#pragma omp simd
                    for (int64_t c = 0; c < count; ++c) to[c] += weight * static_cast<float>(in[c]);
                  }
                }
                for (int64_t c = 0; row > 0 && c < count; ++c) sums[c] += part[c];
              }
              T* out = y.as<T>() + (line * out_width + j) * channels + first;
              for (int64_t c = 0; c < count; ++c) out[c] = static_cast<T>(sums[c]);
            }
          }
        }
      });
    });
  }
};

const ResampleOperation resample;
const Op kResample = &resample;

// Makes the matrix whose row i consists of the terms terms_of(i).
template <typename TermsOf>
AxisWeights Weights(int64_t from, int64_t to, TermsOf terms_of) {
  AxisWeights weights;
  weights.from = from;
  for (int64_t i = 0; i < to; ++i) weights.terms.push_back(terms_of(i));
  return weights;
}

// Returns a row of the matrix with the weight 1 / total at each input pixel in [begin, end), from
// 0.
std::vector<AxisWeights::Term> Mean(int64_t begin, int64_t end, int64_t total) {
  std::vector<AxisWeights::Term> terms;
  for (int64_t i = begin; i < end; ++i) terms.push_back({i, 1.0 / static_cast<double>(total)});
  return terms;
}

}  // namespace

AxisWeights AxisWeights::Transposed() const {
  AxisWeights result;
  result.from = static_cast<int64_t>(terms.size());
  result.terms.resize(from);
  for (int64_t i = 0; i < result.from; ++i) {
    for (const Term& term : terms[i]) result.terms[term.from].push_back({i, term.weight});
  }
  return result;
}

AxisWeights NearestWeights(int64_t from, int64_t to) {
  return Weights(from, to, [&](int64_t i) { return Mean(i * from / to, i * from / to + 1, 1); });
}

AxisWeights BilinearWeights(int64_t from, int64_t to) {
  return Weights(from, to, [&](int64_t i) -> std::vector<AxisWeights::Term> {
    const double at = std::max(
        0.0,
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
    const int64_t below = std::min(static_cast<int64_t>(at), from - 1);
    const double share = at - static_cast<double>(below);
    if (share == 0 || below == from - 1) return {{below, 1}};
    return {{below, 1 - share}, {below + 1, share}};
  });
}

AxisWeights AdaptiveWeights(int64_t from, int64_t to) {
  return Weights(from, to, [&](int64_t i) {
    const int64_t begin = i * from / to, end = ((i + 1) * from + to - 1) / to;
    return Mean(begin, end, end - begin);
  });
}

AxisWeights WindowWeights(int64_t from, int64_t to, int64_t extent, int64_t stride, int64_t before,
                          int64_t after) {
  return Weights(from, to, [&](int64_t i) {
    const int64_t begin = i * stride - before, end = std::min(begin + extent, from + after);
    return Mean(std::max<int64_t>(begin, 0), std::min(end, from), end - begin);
  });
}

absl::StatusOr<TensorId> Resample(Graph& graph, absl::string_view name, TensorId x,
                                  AxisWeights rows, AxisWeights columns) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape in = graph.shape(x);
  if (rows.from != in[2] || columns.from != in[3])
    return Invalid(name, absl::StrCat("weights for ", rows.from, "x", columns.from,
                                      " pixels cannot resample ", in.ToString()));
  const Shape out = {in[0], in[1], static_cast<int64_t>(rows.terms.size()),
                     static_cast<int64_t>(columns.terms.size())};
  return graph.AddNode(kResample, name, {x},
                       ResampleAttributes{std::move(rows), std::move(columns)}, out);
}

// ---- The layers of layers/network/network.proto that are built from Resample() ----

namespace {

absl::StatusOr<Value> ResizeLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.resize();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape in = b.shape(b.input());
  if (text.size().empty() == text.times().empty())
    return Error(text.size().empty()
                     ? "has neither a size nor times; expected one of them, such as times: 2"
                     : "has both size and times; expected one of them");
  ASSIGN_OR_RETURN(const Pair times, PairOf("times", text.times(), {1, 1}, 1));
  ASSIGN_OR_RETURN(const Pair size,
                   PairOf("size", text.size(), {in[2] * times.height, in[3] * times.width}, 1));
  RETURN_IF_ERROR(CheckSize("height of its result", size.height, 1, kLargestExtent));
  RETURN_IF_ERROR(CheckSize("width of its result", size.width, 1, kLargestExtent));
  RETURN_IF_ERROR(b.CheckResult({in[1], size.height, size.width}));
  if (size.height == in[2] && size.width == in[3]) return b.input();
  const auto weights = text.mode() == Layer::Resize::BILINEAR ? BilinearWeights : NearestWeights;
  return b.Made(Resample(b.graph(), b.name(), b.input().id, weights(in[2], size.height),
                         weights(in[3], size.width)));
}

absl::StatusOr<Value> AdaptiveAveragePoolLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.adaptive_average_pool();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape in = b.shape(b.input());
  if (text.size().empty())
    return Error("has no size; expected that of its result, such as size: 7");
  ASSIGN_OR_RETURN(const Pair size, PairOf("size", text.size(), {1, 1}, 1));
  RETURN_IF_ERROR(b.CheckResult({in[1], size.height, size.width}));
  if (size.height == in[2] && size.width == in[3]) return b.input();
  return b.Made(Resample(b.graph(), b.name(), b.input().id, AdaptiveWeights(in[2], size.height),
                         AdaptiveWeights(in[3], size.width)));
}

const RegisterLayer resize_layer(Layer::kResize, ResizeLayer,
                                 {.aliases = {"Bilinear", "Interpolate", "Nearest", "UpSampling",
                                              "UpSampling2D", "Upsample"},
                                  .field_aliases = {{"factor", "times"},
                                                    {"height", "size"},
                                                    {"scale", "times"},
                                                    {"scale_factor", "times"},
                                                    {"width", "size"}}});
const RegisterLayer adaptive_layer(Layer::kAdaptiveAveragePool, AdaptiveAveragePoolLayer,
                                   {.aliases = {"AdaptiveAvgPool2d"},
                                    .field_aliases = {{"output_size", "size"}}});

}  // namespace
}  // namespace cotangent::layers
