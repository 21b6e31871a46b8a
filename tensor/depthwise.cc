// Depthwise convolution in all three directions, about as fast as memory allows. Every channel has
// a kernel of its own: groups = input channels = output channels.
//
// Images are NHWC, so neighbouring channels fill a register and every tap (cell of the kernel) is
// one multiply-add of registers. With the indices of convolution.h:
//
//   forward           out[n, y, x, c] = sum over ky, kx of
//                                       weights[ky, kx, c] * in[n, y', x', c]
//   input gradient    in_gradient[n, y', x', c] = sum over the (ky, kx) by which a (y, x) reads
//                                                 (y', x') of
//                                                 weights[ky, kx, c] * out_gradient[n, y, x, c]
//   weight gradient   weight_gradient[ky, kx, c] = sum over n, y, x of
//                                                  in[n, y', x', c] * out_gradient[n, y, x, c]
//
// Results at the border, and results between strides in the input gradient, read only some of the
// taps. The lists of taps along each axis (Taps) are made when the convolution is created, so that
// a single loop computes all results.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/convolution_axis.h"
#include "tensor/convolution_family.h"
#include "tensor/depthwise_kernels.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"

namespace cotangent::tensor {
namespace {

// The largest number of taps that these implementations compute: those of a kernel of 11x11.
constexpr int64_t kMostTaps = 121;
// For the weight gradient, the images are divided into up to this many shares. Each share has its
// own sum of gradients, and the sums are added at the end. The number does not depend on the number
// of threads, so the results do not depend on it, either.
constexpr int64_t kMostShares = 16;
// The rows of all images are divided among threads in at least this many parts, if there are as
// many rows.
constexpr int64_t kLeastUnits = 32;

class DepthwiseConvolution final : public ConvolutionImplementation {
 public:
  // Returns whether this processor has the necessary instructions and the convolution is depthwise,
  // with more than one channel and at most kMostTaps taps. `type` is the type of both sides, which
  // are NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction, ElementType type);
  // Returns the ConvolutionChoice that names this class: its implementation is "depthwise:avx2",
  // "depthwise:avx512" or "depthwise:avx512_bf16".
  static ConvolutionChoice Choice(ElementType type);

  // REQUIRES: IsAvailable(). If relu, results of kForward are max(0, y).
  DepthwiseConvolution(const ConvolutionShape& shape, Direction direction, ElementType type,
                       bool relu);

  std::string implementation() const override {
    return Choice(bf16_ ? ElementType::kBf16 : ElementType::kF32).implementation;
  }
  int64_t packed_weight_bytes() const override { return taps() * row() * 4; }
  // In kWeightGradient, the bytes that the sums of all shares of the images take; otherwise 0.
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // A Taps describes results along one axis that read the same cells of the kernel: the results
  // `first`, first + step, ... (`count` of them). For the kernel cell with index `kernel`, the
  // first result reads the source at index `source`; each further result reads `source_step`
  // further on.
  struct Tap {
    int64_t kernel, source;
  };
  struct Taps {
    int64_t first, step, count, source_step;
    std::vector<Tap> taps;
  };
  // One row of results: of the rows that `rows` describes, the one with this index, counted from 0.
  struct Line {
    const Taps* rows;
    int64_t index;
    int64_t row() const { return rows->first + index * rows->step; }
  };
  static std::vector<Taps> OfResults(const ConvolutionAxis& axis, bool gradient);
  static std::vector<Taps> OfKernel(const ConvolutionAxis& axis);
  // Returns the phases of a row (convolution_axis.h: a phase is the results that read by the same
  // taps, whether inside or outside of the image), whose taps read neighbouring sources. Returns
  // none if the horizontal dilation is not 1, since the sources are then no neighbours, or if some
  // phase has no taps.
  std::vector<AxisPhase> PhasesOfRow() const;

  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  int64_t row() const;  // floats from one tap's weights to the next's
  int64_t pixel_bytes() const { return shape_.in_channels * (bf16_ ? 2 : 4); }
  int64_t shares() const;

  void SumRow(const ConvolutionArguments& arguments, int64_t image, const Line& line) const;
  // Do the same as SumRow() and CorrelateImage() by kernels for whole rows, if there are any for
  // this convolution; return whether there are.
  bool SumWholeRow(const ConvolutionArguments& arguments, int64_t image, const Line& line) const;
  bool CorrelateRows(const ConvolutionArguments& arguments, int64_t image, float* sums) const;
  void SumAll(const ConvolutionArguments& arguments) const;
  void CorrelateImage(const ConvolutionArguments& arguments, int64_t image, float* sums) const;
  void CorrelateAll(const ConvolutionArguments& arguments) const;

  const depthwise_kernels::Kernels& kernels_;
  const ConvolutionShape shape_;
  const Direction direction_;
  const bool bf16_, relu_;
  // kForward and kInputGradient: results along each axis, grouped by the taps that they read.
  // kWeightGradient: rows_ groups the output rows in the same way; columns_ has, for each column of
  // the kernel, the outputs in a row that use its taps.
  std::vector<Taps> rows_, columns_;
  std::vector<Line> lines_;  // all rows of results, from top to bottom
  std::vector<AxisPhase> row_phases_;
};

bool DepthwiseConvolution::IsAvailable(const ConvolutionShape& s, Direction, ElementType type) {
  return HaveOwnKernels(type) && s.groups > 1 && s.groups == s.in_channels &&
         s.groups == s.out_channels && s.kernel_height * s.kernel_width <= kMostTaps;
}

ConvolutionChoice DepthwiseConvolution::Choice(ElementType type) {
  return NhwcChoice(Algorithm::kDirect, type, "depthwise:" + OwnKernelsName(type));
}

DepthwiseConvolution::DepthwiseConvolution(const ConvolutionShape& shape, Direction direction,
                                           ElementType type, bool relu)
    : kernels_(DepthwiseKernels()),
      shape_(shape),
      direction_(direction),
      bf16_(type == ElementType::kBf16),
      relu_(relu) {
  if (direction == Direction::kWeightGradient) {
    rows_ = OfResults(VerticalAxis(shape_), /*gradient=*/false);
    columns_ = OfKernel(HorizontalAxis(shape_));
  } else {
    rows_ = OfResults(VerticalAxis(shape_), direction == Direction::kInputGradient);
    columns_ = OfResults(HorizontalAxis(shape_), direction == Direction::kInputGradient);
  }
  for (const Taps& rows : rows_) {
    for (int64_t i = 0; i < rows.count; ++i) lines_.push_back({&rows, i});
  }
  std::sort(lines_.begin(), lines_.end(),
            [](const Line& a, const Line& b) { return a.row() < b.row(); });
  if (!bf16_ && kernels_.sum_row != nullptr) row_phases_ = PhasesOfRow();
}

// Groups the results along an axis by the taps that they read. By tap k, output o reads input o *
// stride + k * dilation - pad. So input i is read by output (i + pad - k * dilation) / stride, if
// that is a whole number. Results with the same taps are neighbours if the results are outputs, and
// one stride apart if they are input gradients (`gradient`).
std::vector<DepthwiseConvolution::Taps> DepthwiseConvolution::OfResults(const ConvolutionAxis& a,
                                                                        bool gradient) {
  const int64_t count = gradient ? a.in : a.out, sources = gradient ? a.out : a.in;
  const int64_t phases = gradient ? std::min(a.stride, count) : 1;
  std::vector<Taps> all;
  for (int64_t phase = 0; phase < phases; ++phase) {
    for (int64_t result = phase; result < count; result += phases) {
      Taps taps{.first = result,
                .step = phases,
                .count = 1,
                .source_step = gradient ? 1 : a.stride,
                .taps = {}};
      for (int64_t k = 0; k < a.kernel; ++k) {
        const int64_t at =
            gradient ? result + a.pad - k * a.dilation : result * a.stride + k * a.dilation - a.pad;
        if (at < 0 || (gradient && at % a.stride != 0)) continue;
        const int64_t source = gradient ? at / a.stride : at;
        if (source < sources) taps.taps.push_back({k, source});
      }
      const bool goes_on =
          result > phase && std::equal(taps.taps.begin(), taps.taps.end(), all.back().taps.begin(),
                                       all.back().taps.end(), [](const Tap& x, const Tap& y) {
                                         return x.kernel == y.kernel;
                                       });
      if (goes_on)
        ++all.back().count;
      else
        all.push_back(std::move(taps));
    }
  }
  return all;
}

// Returns, for each tap along an axis of the kernel, the outputs that by this tap read an input
// inside the image. Taps without such outputs are left out.
std::vector<DepthwiseConvolution::Taps> DepthwiseConvolution::OfKernel(const ConvolutionAxis& a) {
  std::vector<Taps> all;
  for (int64_t k = 0; k < a.kernel; ++k) {
    const auto source = [&](int64_t out) { return out * a.stride + k * a.dilation - a.pad; };
    int64_t first = 0, end = a.out;
    while (first < end && source(first) < 0) ++first;
    while (first < end && source(end - 1) >= a.in) --end;
    if (first < end)
      all.push_back({.first = first,
                     .step = 1,
                     .count = end - first,
                     .source_step = a.stride,
                     .taps = {{k, source(first)}}});
  }
  return all;
}

std::vector<AxisPhase> DepthwiseConvolution::PhasesOfRow() const {
  const ConvolutionAxis axis = HorizontalAxis(shape_);
  if (axis.dilation != 1) return {};
  std::vector<AxisPhase> phases = PhasesOf(axis, direction_ == Direction::kInputGradient);
  const bool lacks_taps =
      std::any_of(phases.begin(), phases.end(), [](const AxisPhase& p) { return p.taps.empty(); });
  return lacks_taps ? std::vector<AxisPhase>() : phases;
}

int64_t DepthwiseConvolution::row() const { return RoundUp(shape_.in_channels, 16); }
int64_t DepthwiseConvolution::shares() const { return std::min(shape_.batch, kMostShares); }

int64_t DepthwiseConvolution::scratch_bytes() const {
  return direction_ == Direction::kWeightGradient ? shares() * packed_weight_bytes() : 0;
}

void DepthwiseConvolution::PackWeights(const float* oihw, void* packed) const {
  float* const to = static_cast<float*>(packed);
  std::memset(to, 0, packed_weight_bytes());
  for (int64_t c = 0; c < shape_.in_channels; ++c) {
    for (int64_t t = 0; t < taps(); ++t) to[t * row() + c] = oihw[c * taps() + t];
  }
}

void DepthwiseConvolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  const float* const from = static_cast<const float*>(packed);
  for (int64_t c = 0; c < shape_.in_channels; ++c) {
    for (int64_t t = 0; t < taps(); ++t) oihw[c * taps() + t] = from[t * row() + c];
  }
}

void DepthwiseConvolution::SumRow(const ConvolutionArguments& arguments, int64_t image,
                                  const Line& line) const {
  const bool forward = direction_ == Direction::kForward;
  const int64_t source_height = forward ? shape_.in_height : shape_.out_height(),
                source_width = forward ? shape_.in_width : shape_.out_width();
  const int64_t height = forward ? shape_.out_height() : shape_.in_height,
                width = forward ? shape_.out_width() : shape_.in_width;
  const char* const sources = static_cast<const char*>(forward ? arguments.in : arguments.out) +
                              image * source_height * source_width * pixel_bytes();
  const int64_t begin = (image * height + line.row()) * width * pixel_bytes();
  char* const results = static_cast<char*>(forward ? arguments.out : arguments.in);
  int64_t source_at[kMostTaps], weight_at[kMostTaps];
  for (const Taps& columns : columns_) {
    int64_t count = 0;
    for (const Tap& y : line.rows->taps) {
      for (const Tap& x : columns.taps) {
        source_at[count] =
            ((y.source + line.index * line.rows->source_step) * source_width + x.source) *
            pixel_bytes();
        weight_at[count++] = (y.kernel * shape_.kernel_width + x.kernel) * row();
      }
    }
    const int64_t at = begin + columns.first * pixel_bytes();
    kernels_.sum(bf16_, {.channels = shape_.in_channels,
                         .pixels = columns.count,
                         .taps = count,
                         .source = sources,
                         .source_at = source_at,
                         .source_step = columns.source_step * pixel_bytes(),
                         .weights = static_cast<const float*>(arguments.weights),
                         .weight_at = weight_at,
                         .bias = forward ? static_cast<const float*>(arguments.bias) : nullptr,
                         .addend = forward && arguments.addend != nullptr
                                       ? static_cast<const char*>(arguments.addend) + at
                                       : nullptr,
                         .relu = relu_,
                         .out = results + at,
                         .out_step = columns.step * pixel_bytes()});
  }
}

bool DepthwiseConvolution::SumWholeRow(const ConvolutionArguments& arguments, int64_t image,
                                       const Line& line) const {
  const bool forward = direction_ == Direction::kForward;
  const ConvolutionAxis y = VerticalAxis(shape_), x = HorizontalAxis(shape_);
  const int64_t source_height = forward ? y.in : y.out, source_width = forward ? x.in : x.out,
                height = forward ? y.out : y.in, width = forward ? x.out : x.in,
                channels = shape_.in_channels;
  const float* const source = static_cast<const float*>(forward ? arguments.in : arguments.out) +
                              image * source_height * source_width * channels;
  float* const results = static_cast<float*>(forward ? arguments.out : arguments.in);
  int64_t row_at[kMostTaps], weight_at[kMostTaps];
  for (const AxisPhase& phase : row_phases_) {
    int64_t rows = 0, count = 0;
    const std::vector<Tap>& taps = line.rows->taps;
    for (size_t t = 0; t < taps.size(); ++t) {
      // row_at lists the source rows from top to bottom. In the gradient, the first tap reads the
      // bottom row.
      const Tap& tap = forward ? taps[t] : taps[taps.size() - 1 - t];
      row_at[rows++] = (tap.source + line.index * line.rows->source_step) * source_width * channels;
      for (const AxisPhase::Tap& column : phase.taps)
        weight_at[count++] = (tap.kernel * shape_.kernel_width + column.kernel) * row();
    }
    const int64_t at = ((image * height + line.row()) * width + phase.first) * channels;
    const bool done =
        kernels_.sum_row({.channels = channels,
                          .pixels = phase.count,
                          .rows = rows,
                          .taps = static_cast<int64_t>(phase.taps.size()),
                          .width = source_width,
                          .first = phase.taps[0].offset,
                          .source_step = forward ? x.stride : 1,
                          .source = source,
                          .row_at = row_at,
                          .weights = static_cast<const float*>(arguments.weights),
                          .weight_at = weight_at,
                          .bias = forward ? static_cast<const float*>(arguments.bias) : nullptr,
                          .addend = forward && arguments.addend != nullptr
                                        ? static_cast<const float*>(arguments.addend) + at
                                        : nullptr,
                          .relu = relu_,
                          .out = results + at,
                          .out_step = phase.step * channels});
    if (!done) return false;
  }
  return !row_phases_.empty();
}

void DepthwiseConvolution::SumAll(const ConvolutionArguments& arguments) const {
  // If there are few images, the rows of each image are divided among threads, too.
  const int64_t height = static_cast<int64_t>(lines_.size()),
                parts = std::min(height, DivideUp(kLeastUnits, shape_.batch));
  ParallelFor(shape_.batch * parts, [&](int64_t share) {
    const auto [begin, end] = PartOf(height, share % parts, parts);
    for (int64_t i = begin; i < end; ++i) {
      if (!SumWholeRow(arguments, share / parts, lines_[i]))
        SumRow(arguments, share / parts, lines_[i]);
    }
  });
}

void DepthwiseConvolution::CorrelateImage(const ConvolutionArguments& arguments, int64_t image,
                                          float* sums) const {
  const char* const in = static_cast<const char*>(arguments.in) +
                         image * shape_.in_height * shape_.in_width * pixel_bytes();
  const char* const gradient = static_cast<const char*>(arguments.out) +
                               image * shape_.out_height() * shape_.out_width() * pixel_bytes();
  int64_t source_at[kMostTaps], sum_at[kMostTaps];
  for (const Line& line : lines_) {
    const std::vector<Tap>& rows = line.rows->taps;
    for (const Taps& columns : columns_) {
      const Tap& x = columns.taps.front();
      for (size_t t = 0; t < rows.size(); ++t) {
        source_at[t] =
            ((rows[t].source + line.index * line.rows->source_step) * shape_.in_width + x.source) *
            pixel_bytes();
        sum_at[t] = (rows[t].kernel * shape_.kernel_width + x.kernel) * row();
      }
      kernels_.correlate(
          bf16_,
          {.channels = shape_.in_channels,
           .pixels = columns.count,
           .taps = static_cast<int64_t>(rows.size()),
           .source = in,
           .source_at = source_at,
           .source_step = columns.source_step * pixel_bytes(),
           .gradient = gradient + (line.row() * shape_.out_width() + columns.first) * pixel_bytes(),
           .gradient_step = pixel_bytes(),
           .sums = sums,
           .sum_at = sum_at});
    }
  }
}

bool DepthwiseConvolution::CorrelateRows(const ConvolutionArguments& arguments, int64_t image,
                                         float* sums) const {
  const int64_t channels = shape_.in_channels, row_floats = shape_.in_width * channels,
                out_floats = shape_.out_width() * channels;
  const float* const in =
      static_cast<const float*>(arguments.in) + image * shape_.in_height * row_floats;
  const float* const gradient =
      static_cast<const float*>(arguments.out) + image * shape_.out_height() * out_floats;
  int64_t row_at[kMostTaps], sum_at[kMostTaps];
  for (const AxisPhase& phase : row_phases_) {
    for (const Line& line : lines_) {
      int64_t rows = 0, count = 0;
      for (const Tap& tap : line.rows->taps) {
        row_at[rows++] = (tap.source + line.index * line.rows->source_step) * row_floats;
        for (const AxisPhase::Tap& column : phase.taps)
          sum_at[count++] = (tap.kernel * shape_.kernel_width + column.kernel) * row();
      }
      if (!kernels_.correlate_row({.channels = channels,
                                   .pixels = phase.count,
                                   .rows = rows,
                                   .taps = shape_.kernel_width,
                                   .width = shape_.in_width,
                                   .first = phase.taps[0].offset,
                                   .source_step = shape_.stride_width,
                                   .source = in,
                                   .row_at = row_at,
                                   .gradient = gradient + line.row() * out_floats,
                                   .sums = sums,
                                   .sum_at = sum_at}))
        return false;
    }
  }
  return !row_phases_.empty();
}

void DepthwiseConvolution::CorrelateAll(const ConvolutionArguments& arguments) const {
  const int64_t count = taps() * row();
  float* const sums = static_cast<float*>(arguments.scratch);
  std::memset(sums, 0, shares() * count * 4);
  ParallelFor(shares(), [&](int64_t share) {
    const auto [begin, end] = PartOf(shape_.batch, share, shares());
    for (int64_t image = begin; image < end; ++image) {
      if (!CorrelateRows(arguments, image, sums + share * count))
        CorrelateImage(arguments, image, sums + share * count);
    }
  });
  float* const gradient = static_cast<float*>(arguments.weights);
  std::memcpy(gradient, sums, count * 4);
  for (int64_t share = 1; share < shares(); ++share) {
    for (int64_t i = 0; i < count; ++i) gradient[i] += sums[share * count + i];
  }
}

void DepthwiseConvolution::Run(const ConvolutionArguments& arguments) const {
  direction_ == Direction::kWeightGradient ? CorrelateAll(arguments) : SumAll(arguments);
}

}  // namespace

extern constexpr ConvolutionFamily kDepthwiseFamily =
    NhwcFamily<DepthwiseConvolution>("depthwise", Algorithm::kDirect);

}  // namespace cotangent::tensor
