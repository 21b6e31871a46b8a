// Convolutions and their gradients by the input in f32, as products of pixels by weights, for AVX2:
// any kernel, stride and dilation, without groups or with groups of at least four channels. Made
// for what Winograd's algorithm does not compute, or not fast: 1x1 convolutions, strides, few or
// odd numbers of channels.
//
// A result is the sum over segments (pixel_convolution.h) of products of the floats in a segment by
// weights. In the gradient by the input with a stride s, every s-th result along an axis reads by
// the same taps (cells of the kernel); these are a phase, and have segments and packed weights of
// their own. Results that read by no tap are a phase without segments.
//
// A share of the work is some lines of results of one image. Its source stays in the second-level
// cache while one panel of the results' channels after the other is computed.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/convolution_axis.h"
#include "tensor/convolution_family.h"
#include "tensor/pixel_convolution.h"

namespace cotangent::tensor {
namespace {

// The most steps (floats of segments) of a piece: its weights for a panel (15 KiB) stay in the
// nearest cache, beside what is read of the source.
constexpr int64_t kPieceSteps = 160;
// The most lines of an image that a share gets, unless kLeastShares requires fewer: as many as have
// at most kPixels results (pixels of one phase), but at least one; then more as long as the share
// reads at most kMostFloatsRead floats of its source. ChooseLines() then makes the shares of an
// image about equal.
constexpr int64_t kPixels = 192;
constexpr int64_t kMostFloatsRead = 48 << 10;
// The number of shares that each thread gets at least, if there are so many lines.
constexpr int64_t kLeastShares = 8;

class PixelProduct final : public ConvolutionImplementation {
 public:
  // Returns whether this is not a weight gradient, and the kernels suit it (SuitsPixelKernels()).
  // `type` is the type of both sides, which are NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type) {
    return direction != Direction::kWeightGradient && SuitsPixelKernels(shape, type);
  }
  // Returns the choice with the implementation "pixel_product:avx2".
  static ConvolutionChoice Choice(ElementType type) {
    return NhwcChoice(Algorithm::kDirect, type, "pixel_product:avx2");
  }

  // REQUIRES: IsAvailable(). If relu, results of kForward are max(0, y).
  PixelProduct(const ConvolutionShape& shape, Direction direction, ElementType type, bool relu);

  std::string implementation() const override { return Choice(ElementType::kF32).implementation; }
  int64_t packed_weight_bytes() const override { return packed_floats_ * 4; }
  int64_t scratch_bytes() const override { return threads_ * lines_->CopyFloats(most_lines_) * 4; }
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // A segment of a Phase: taps_a_segment taps of the kernel's row `y`, from columns.taps[x] on.
  struct Segment {
    int64_t y, x;
  };
  struct Phase {
    AxisPhase rows, columns;
    int64_t taps_a_segment, depth;
    std::vector<Segment> segments;
    std::vector<int64_t> segment_at;  // floats from what SourceLines::Read() returns
    std::vector<Piece> pieces;
    std::vector<int64_t> source_at, out_at;  // floats, for the pixels of a share
    int64_t weights_at;                      // where its packed weights begin, in floats
  };

  bool forward() const { return direction_ == Direction::kForward; }
  SourceLines::Axis SourceAxis(const ConvolutionAxis& axis,
                               const std::vector<AxisPhase>& phases) const;
  void AddPhase(const AxisPhase& rows, const AxisPhase& columns);
  void ChooseLines(int64_t columns);
  void ComputeLines(const ConvolutionArguments& arguments, const float* source, int64_t image,
                    int64_t first, const Phase& phase) const;
  // Calls f(group, piece, panel, at) in the order in which a phase's weights are packed. `at` is
  // where the weights of this piece and panel begin, in floats from the phase's first weight.
  template <typename Function>
  void ForEachPanel(const Phase& phase, Function f) const;

  const ConvolutionShape shape_;
  const Direction direction_;
  const bool relu_;
  const int threads_ = Threads();
  const ConvolutionAxis vertical_, horizontal_;
  const int64_t source_channels_, channels_;  // of all groups; channels_: of the results
  const std::vector<Panel> panels_;           // of a group's results
  std::unique_ptr<SourceLines> lines_;
  std::vector<Phase> phases_;
  int64_t result_lines_ = 0;  // of the phase that has most
  int64_t most_lines_ = 1;    // lines of a share, of each phase
  int64_t packed_floats_ = 0;
};

PixelProduct::PixelProduct(const ConvolutionShape& shape, Direction direction, ElementType,
                           bool relu)
    : shape_(AsOneImage(shape)),
      direction_(direction),
      relu_(relu),
      vertical_(VerticalAxis(shape_)),
      horizontal_(HorizontalAxis(shape_)),
      source_channels_(forward() ? shape_.in_channels : shape_.out_channels),
      channels_(forward() ? shape_.out_channels : shape_.in_channels),
      panels_(PanelsOf(channels_ / shape_.groups)) {
  const std::vector<AxisPhase> rows = PhasesOf(vertical_, !forward()),
                               columns = PhasesOf(horizontal_, !forward());
  lines_ =
      std::make_unique<SourceLines>(SourceAxis(vertical_, rows), SourceAxis(horizontal_, columns),
                                    source_channels_, source_channels_);
  result_lines_ = rows[0].count;
  ChooseLines(columns[0].count);
  for (const AxisPhase& y : rows) {
    for (const AxisPhase& x : columns) AddPhase(y, x);
  }
}

SourceLines::Axis PixelProduct::SourceAxis(const ConvolutionAxis& a,
                                           const std::vector<AxisPhase>& phases) const {
  SourceLines::Axis axis = {.size = forward() ? a.in : a.out,
                            .results = phases[0].count,
                            .step = forward() ? a.stride : 1,
                            .low = 0,
                            .high = 0};
  bool first = true;
  for (const AxisPhase& phase : phases) {
    for (const AxisPhase::Tap& tap : phase.taps) {
      axis.low = first ? tap.offset : std::min(axis.low, tap.offset);
      axis.high = first ? tap.offset : std::max(axis.high, tap.offset);
      first = false;
    }
  }
  return axis;
}

// Sets most_lines_. `columns` is the largest number of results in a line of a phase.
void PixelProduct::ChooseLines(int64_t columns) {
  most_lines_ = std::clamp<int64_t>(kPixels / columns, 1, result_lines_);
  while (most_lines_ < result_lines_ && lines_->FloatsRead(most_lines_ + 1) <= kMostFloatsRead)
    ++most_lines_;
  const int64_t shares = kLeastShares * threads_;
  most_lines_ = std::min(most_lines_, DivideUp(shape_.batch * result_lines_, shares));
  // Makes the parts into which the lines are cut about equal.
  most_lines_ = DivideUp(result_lines_, DivideUp(result_lines_, most_lines_));
}

void PixelProduct::AddPhase(const AxisPhase& rows, const AxisPhase& columns) {
  Phase phase;
  phase.rows = rows, phase.columns = columns, phase.weights_at = packed_floats_;
  const int64_t taps = static_cast<int64_t>(columns.taps.size()),
                group_channels = source_channels_ / shape_.groups;
  bool neighbours = shape_.groups == 1;
  for (int64_t i = 1; i < taps; ++i)
    neighbours = neighbours && columns.taps[i].offset == columns.taps[i - 1].offset + 1;
  phase.taps_a_segment = neighbours ? taps : 1;
  phase.depth = phase.taps_a_segment * group_channels;
  for (const AxisPhase::Tap& y : rows.taps) {
    for (int64_t x = 0; x < taps; x += phase.taps_a_segment) {
      phase.segments.push_back({y.kernel, x});
      phase.segment_at.push_back(lines_->At(0, 0, y.offset, columns.taps[x].offset));
    }
  }
  phase.pieces = PiecesOf(static_cast<int64_t>(phase.segments.size()), phase.depth, kPieceSteps);
  // Without segments there is one piece of no steps, which makes zeros.
  if (phase.segments.empty()) phase.pieces = {{0, 0, 0, 0}};
  const int64_t width = (forward() ? horizontal_.out : horizontal_.in) * channels_;
  for (int64_t i = 0; i < most_lines_; ++i) {
    for (int64_t j = 0; j < columns.count; ++j) {
      const auto [y, x] = std::pair(rows.step * i, columns.step * j);
      phase.source_at.push_back(lines_->At(i, j, 0, 0) - lines_->At(0, 0, 0, 0));
      phase.out_at.push_back(y * width + x * channels_);
    }
  }
  ForEachPanel(phase, [&](int64_t, const Piece& piece, const Panel& panel, int64_t at) {
    packed_floats_ = phase.weights_at + at + piece.steps() * panel.width();
  });
  phases_.push_back(std::move(phase));
}

template <typename Function>
void PixelProduct::ForEachPanel(const Phase& phase, Function f) const {
  int64_t at = 0;
  for (int64_t group = 0; group < shape_.groups; ++group) {
    for (const Piece& piece : phase.pieces) {
      for (const Panel& panel : panels_) {
        f(group, piece, panel, at);
        at += piece.steps() * panel.width();
      }
    }
  }
}

void PixelProduct::PackWeights(const float* oihw, void* packed) const {
  const int64_t sources = source_channels_ / shape_.groups, results = channels_ / shape_.groups,
                taps = shape_.kernel_height * shape_.kernel_width;
  for (const Phase& phase : phases_) {
    ForEachPanel(phase, [&](int64_t group, const Piece& piece, const Panel& panel, int64_t at) {
      float* to = static_cast<float*>(packed) + phase.weights_at + at;
      for (int64_t s = piece.segment; s < piece.segment + piece.count; ++s) {
        for (int64_t k = piece.first; k < piece.first + piece.depth; ++k, to += panel.width()) {
          const Segment& segment = phase.segments[s];
          const int64_t source = k % sources,
                        column = phase.columns.taps[segment.x + k / sources].kernel,
                        tap = segment.y * shape_.kernel_width + column;
          for (int64_t c = 0; c < panel.width(); ++c) {
            const int64_t result = panel.first + c,
                          row = forward() ? (group * results + result) * sources + source
                                          : (group * sources + source) * results + result;
            to[c] = c < panel.count ? oihw[row * taps + tap] : 0;
          }
        }
      }
    });
  }
}

void PixelProduct::ComputeLines(const ConvolutionArguments& arguments, const float* source,
                                int64_t image, int64_t first, const Phase& phase) const {
  const int64_t lines = std::min(most_lines_, phase.rows.count - first);
  if (lines <= 0) return;
  const int64_t height = forward() ? vertical_.out : vertical_.in,
                width = forward() ? horizontal_.out : horizontal_.in;
  const int64_t begin = ((image * height + phase.rows.first + first * phase.rows.step) * width +
                         phase.columns.first) *
                        channels_;
  float* const out = static_cast<float*>(forward() ? arguments.out : arguments.in) + begin;
  const float* const bias = forward() ? static_cast<const float*>(arguments.bias) : nullptr;
  const float* const addend = forward() && arguments.addend != nullptr
                                  ? static_cast<const float*>(arguments.addend) + begin
                                  : nullptr;
  const float* const weights = static_cast<const float*>(arguments.weights) + phase.weights_at;
  ForEachPanel(phase, [&](int64_t group, const Piece& piece, const Panel& panel, int64_t at) {
    const int64_t channel = group * (channels_ / shape_.groups) + panel.first;
    const bool begins = &piece == &phase.pieces.front(), ends = &piece == &phase.pieces.back();
    PixelKernels().multiply(
        {.pixels = lines * phase.columns.count,
         .columns = panel.count,
         .vectors = panel.vectors,
         .segments = piece.count,
         .depth = piece.depth,
         .source = source + group * (source_channels_ / shape_.groups) + piece.first,
         .source_at = phase.source_at.data(),
         .segment_at = phase.segment_at.data() + piece.segment,
         .weights = weights + at,
         .out = out + channel,
         .out_at = phase.out_at.data(),
         .accumulate = !begins,
         .bias = begins && bias != nullptr ? bias + channel : nullptr,
         .addend = ends && addend != nullptr ? addend + channel : nullptr,
         .relu = ends && relu_});
  });
}

void PixelProduct::Run(const ConvolutionArguments& arguments) const {
  const int64_t blocks = DivideUp(result_lines_, most_lines_);
  const float* const images = static_cast<const float*>(forward() ? arguments.in : arguments.out);
  const int64_t image_floats =
      (forward() ? vertical_.in * horizontal_.in : vertical_.out * horizontal_.out) *
      source_channels_;
  ParallelFor(shape_.batch * blocks, [&](int64_t share, int thread) {
    const int64_t image = share / blocks, first = share % blocks * most_lines_;
    const float* const source = lines_->Read(
        images + image * image_floats, first, std::min(most_lines_, result_lines_ - first),
        static_cast<float*>(arguments.scratch) + thread * lines_->CopyFloats(most_lines_));
    for (const Phase& phase : phases_) ComputeLines(arguments, source, image, first, phase);
  });
}

}  // namespace

extern constexpr ConvolutionFamily kPixelProductFamily =
    NhwcFamily<PixelProduct>("pixel product", Algorithm::kDirect);

}  // namespace cotangent::tensor
