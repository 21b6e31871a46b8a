// Padding of images, and its adjoint.

#include "layers/ops/pad.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kPad, kUnpad;

// Returns the row or column of the image (of `size` rows or columns) that row or column `index` of
// the padded image copies, or -1 for a row or column of zeros. Both are counted from the first row
// or column of the image, 0; so an `index` below 0 or from `size` on lies in the padding.
int64_t SourceIndex(PadMode mode, int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  switch (mode) {
    case PadMode::kZeros:
      return -1;
    case PadMode::kCircular:
      return (index % size + size) % size;
    case PadMode::kReflect:
      return index < 0 ? -index : 2 * (size - 1) - index;
  }
  return -1;
}

// The rows or columns of the padded image, counted from its own first, that are copies of a given
// row or column of the image. There are at most three, because the padding is no longer than the
// image.
constexpr int kMostCopies = 3;
struct Copies {
  std::array<int64_t, kMostCopies> at;
  int count = 0;
};
Copies CopiesOf(PadMode mode, int64_t index, int64_t size, int64_t before, int64_t after) {
  Copies copies;
  const auto add = [&](int64_t place) {
    if (place >= -before && place < size + after) copies.at[copies.count++] = place + before;
  };
  add(index);
  if (mode == PadMode::kCircular) add(index - size), add(index + size);
  if (mode == PadMode::kReflect && index > 0) add(-index);
  if (mode == PadMode::kReflect && index < size - 1) add(2 * (size - 1) - index);
  return copies;
}

void PadForward(PadMode mode, const Padding& padding, const Buffer& x, const Buffer& y) {
  const int64_t channels = x.shape[1], height = Height(y), width = Width(y);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(
        x.shape[0] * height, LeastItems(width * channels), [&](int64_t begin, int64_t end) {
          for (int64_t line = begin; line < end; ++line) {
            const int64_t n = line / height;
            const int64_t from_h = SourceIndex(mode, line % height - padding.top, Height(x));
            for (int64_t w = 0; w < width; ++w) {
              const int64_t from_w = SourceIndex(mode, w - padding.left, Width(x));
              T* to = y.as<T>() + (line * width + w) * channels;
              if (from_h < 0 || from_w < 0) {
                std::memset(to, 0, channels * sizeof(T));
              } else {
                std::memcpy(to,
                            x.as<T>() + ((n * Height(x) + from_h) * Width(x) + from_w) * channels,
                            channels * sizeof(T));
              }
            }
          }
        });
  });
}

// The number of channels that AddCopies() adds up at a time.
constexpr int64_t kChannels = 64;

// Writes to `to` the sum of the `count` pixels that begin at `from`, each of `channels` numbers.
template <typename T>
void AddCopies(const T* const* from, int count, int64_t channels, T* to) {
  if (count == 1) return (void)std::memcpy(to, from[0], channels * sizeof(T));
  float sums[kChannels];
  for (int64_t first = 0; first < channels; first += kChannels) {
    const int64_t size = std::min(kChannels, channels - first);
    std::fill_n(sums, size, 0.0f);
    for (int i = 0; i < count; ++i) {
#pragma omp simd
      for (int64_t c = 0; c < size; ++c) sums[c] += static_cast<float>(from[i][first + c]);
    }
    for (int64_t c = 0; c < size; ++c) to[first + c] = static_cast<T>(sums[c]);
  }
}

void PadBackward(PadMode mode, const Padding& padding, const Buffer& dy, const Buffer& dx) {
  const int64_t channels = dx.shape[1], height = Height(dx), width = Width(dx);
  WithElementType(dx, [&]<typename T>(T*) {
    ParallelRanges(
        dx.shape[0] * height, LeastItems(width * channels), [&](int64_t begin, int64_t end) {
          const T* copies[kMostCopies * kMostCopies];
          for (int64_t line = begin; line < end; ++line) {
            const int64_t n = line / height;
            const Copies lines = CopiesOf(mode, line % height, height, padding.top, padding.bottom);
            for (int64_t w = 0; w < width; ++w) {
              const Copies columns = CopiesOf(mode, w, width, padding.left, padding.right);
              int count = 0;
              for (int i = 0; i < lines.count; ++i) {
                const int64_t row = (n * Height(dy) + lines.at[i]) * Width(dy);
                for (int j = 0; j < columns.count; ++j)
                  copies[count++] = dy.as<T>() + (row + columns.at[j]) * channels;
              }
              AddCopies(copies, count, channels, dx.as<T>() + (line * width + w) * channels);
            }
          }
        });
  });
}

// Calls visit(index in `inner`, index in `outer`) for every element of the padded image `outer`
// that is a copy of an element of the image `inner`. Indices are row-major, from 0.
template <class T, class Visit>
void ForEachPadded(const Node& node, const Evaluation<T>& e, TensorId inner, TensorId outer,
                   Visit visit) {
  // Returns the row or column of `inner` (which has `size` of them) that row or column `index` of
  // `outer` copies, or -1 for zeros. Both are counted from the first row or column of `inner`, so
  // an `index` below 0 or from `size` on lies in the padding.
  const auto source = [&](int64_t index, int64_t size) -> int64_t {
    if (node.as<PadAttributes>().mode == PadMode::kCircular) return (index + size) % size;
    if (node.as<PadAttributes>().mode == PadMode::kReflect)
      return index < 0 ? -index : index >= size ? 2 * size - 2 - index : index;
    return index < 0 || index >= size ? -1 : index;
  };
  const Shape& small = e.shape(inner);
  const Shape& large = e.shape(outer);
  for (int64_t o = 0; o < e.Elements(outer); ++o) {
    const int64_t y =
        source(o / large[3] % large[2] - node.as<PadAttributes>().padding.top, small[2]);
    const int64_t x = source(o % large[3] - node.as<PadAttributes>().padding.left, small[3]);
    if (y >= 0 && x >= 0) visit((o / (large[2] * large[3]) * small[2] + y) * small[3] + x, o);
  }
}

class PadOperation : public LinearWithAdjoint<OperationWithKernel<PadOperation>> {
 public:
  const char* name() const override { return "pad"; }
  bool is_cheap() const override { return true; }
  Op adjoint() const override { return kUnpad; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachPadded(node, e, node.inputs[0], node.outputs[0],
                  [&](int64_t inner, int64_t outer) { y[outer] = e.in(node, 0)[inner]; });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const PadAttributes& pad = node.as<PadAttributes>();
      PadForward(pad.mode, pad.padding, buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }
};

// The adjoint of padding: each pixel of the result is the sum of its copies in the padded image.
class UnpadOperation : public LinearWithAdjoint<OperationWithKernel<UnpadOperation>> {
 public:
  const char* name() const override { return "unpad"; }
  bool occurs_in_inference() const override { return false; }
  Op adjoint() const override { return kPad; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachPadded(node, e, node.outputs[0], node.inputs[0], [&](int64_t inner, int64_t outer) {
      y[inner] = y[inner] + e.in(node, 0)[outer];
    });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const PadAttributes& pad = node.as<PadAttributes>();
      PadBackward(pad.mode, pad.padding, buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }
};

const PadOperation pad_operation;
const UnpadOperation unpad_operation;
const Op kPad = &pad_operation, kUnpad = &unpad_operation;

}  // namespace

PadMode PadModeOf(Layer::PaddingMode mode) {
  return mode == Layer::CIRCULAR  ? PadMode::kCircular
         : mode == Layer::REFLECT ? PadMode::kReflect
                                  : PadMode::kZeros;
}

absl::StatusOr<TensorId> Pad(Graph& graph, absl::string_view name, TensorId x, PadMode mode,
                             const Padding& padding) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape& in = graph.shape(x);
  const Shape out = {in[0], in[1], in[2] + padding.top + padding.bottom,
                     in[3] + padding.left + padding.right};
  if (out[2] < 1 || out[3] < 1)
    return Invalid(name, absl::StrCat("padding leaves nothing of its input ", in.ToString()));
  const int64_t most_height = std::max(padding.top, padding.bottom),
                most_width = std::max(padding.left, padding.right);
  const int64_t limit = mode == PadMode::kReflect ? 1 : 0;
  if (mode != PadMode::kZeros && (most_height > in[2] - limit || most_width > in[3] - limit)) {
    return Invalid(name, absl::StrCat(mode == PadMode::kReflect ? "reflect" : "circular",
                                      " padding of ", most_height, "x", most_width,
                                      " needs more rows or columns than its input ", in.ToString(),
                                      " has; pad less, or with zeros"));
  }
  return graph.AddNode(kPad, name, {x}, PadAttributes{mode, padding}, out);
}

// ---- The layer of layers/network/network.proto that is built from Pad() ----

namespace {

absl::StatusOr<Value> PadLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.pad();
  const std::string& name = b.name();
  const Value& input = b.input();
  RETURN_IF_ERROR(b.NeedImage(input));
  if (text.pad().empty())
    return Error("pad is missing; expected the number of pixels, such as pad: 2");
  ASSIGN_OR_RETURN(const Padding padding, PadOf(text.pad(), -kLargestExtent));
  const Shape& in = b.shape(input);
  const int64_t height = in.height() + padding.top + padding.bottom,
                width = in.width() + padding.left + padding.right;
  if (height < 1 || width < 1)
    return Error(absl::StrCat("leaves nothing of its input ", b.Seen(input), "; crop less"));
  RETURN_IF_ERROR(b.CheckResult({in.channels(), height, width}));
  return b.Made(Pad(b.graph(), name, input.id, PadModeOf(text.mode()), padding));
}

const RegisterLayer pad_layer(Layer::kPad, PadLayer,
                              {.aliases = {"CircularPad2d", "ConstantPad2d", "Padding",
                                           "ReflectionPad2d", "ReplicationPad2d", "ZeroPad2d",
                                           "ZeroPadding", "ZeroPadding2D"},
                               .field_aliases = {{"padding", "pad"}, {"size", "pad"}}});

}  // namespace
}  // namespace cotangent::layers
