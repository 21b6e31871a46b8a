// Gradients of convolutions by their weights in f32, as sums over pixels of outer products, for
// AVX2: any kernel, stride and dilation, with or without groups. See pixel_product.cc.
//
// The weights of a group lie as [segment][step of the segment][out channel]: a row for each float
// that a result reads (segments, steps, panels and pieces: pixel_convolution.h). They are cut into
// blocks of rows and columns, and the output's lines into parts. A share of the work is one block's
// sum over one part: for some lines at a time, it packs the output's gradients in panels and
// multiplies them with the source. At the end the sums of all parts are added in order.
#include <algorithm>
#include <cstdint>
#include <cstring>
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

// The most rows and panels of a block. Its sums (180 KiB), what it reads of the source for kPixels
// pixels (96 KiB) and their packed gradients (120 KiB) stay in the second-level cache. Each block
// packs its gradients anew, and the more rows they are multiplied with, the less this matters.
constexpr int64_t kMostRows = 192;
constexpr int64_t kMostPanels = 10;
// The pixels that are multiplied at a time, so that their panel and what is read of their sources
// stay in the nearest cache.
constexpr int64_t kPixels = 128;
// The shares per thread to aim for, as long as the sums of all parts but the first fit into
// kMostSumsBytes. (A single thread does not need several shares.)
constexpr int64_t kShares = 6;
constexpr int64_t kMostSumsBytes = 8 << 20;

class PixelCorrelation final : public ConvolutionImplementation {
 public:
  // Returns whether this is a weight gradient that the kernels suit (SuitsPixelKernels()). `type`
  // is the type of both sides, which are NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type) {
    return direction == Direction::kWeightGradient && SuitsPixelKernels(shape, type);
  }
  // Returns the choice with the implementation "pixel_correlation:avx2".
  static ConvolutionChoice Choice(ElementType type) {
    return NhwcChoice(Algorithm::kDirect, type, "pixel_correlation:avx2");
  }

  // REQUIRES: IsAvailable().
  PixelCorrelation(const ConvolutionShape& shape, Direction direction, ElementType type, bool relu);

  std::string implementation() const override { return Choice(ElementType::kF32).implementation; }
  int64_t packed_weight_bytes() const override { return SumsFloats() * 4; }
  int64_t scratch_bytes() const override {
    return ((parts_ - 1) * SumsFloats() + threads_ * ThreadFloats()) * 4;
  }
  void PackWeights(const float*, void*) const override {}
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // A block of the weights of one group: the rows of the steps that `rows` describes by `panels`
  // panels of out channels.
  struct Block {
    int64_t group;
    Piece rows;
    int64_t first_panel, panels;
  };

  // Adds to `sums` what unit number `unit` (a unit: up to most_lines_ lines of one image of the
  // output) contributes to a block. `copy` is the thread's memory.
  void AddBlock(const ConvolutionArguments& arguments, const Block& block, int64_t unit,
                float* copy, float* sums) const;
  // Copies to `to` the gradients of `count` pixels for the panels of a block, one panel of kPixels
  // rows after the other. Prefetches what the block's first segment reads at these pixels, at
  // source + source_at[p] for pixel p.
  void PackPanels(const float* gradient, int64_t count, const Block& block, const float* source,
                  const int64_t* source_at, float* to) const;

  int64_t depth() const { return taps_a_segment_ * channels_; }
  int64_t rows() const { return static_cast<int64_t>(segment_at_.size()) * depth(); }
  int64_t columns() const { return RoundUp(out_channels_, pixel_kernels::kLanes); }
  int64_t SumsFloats() const { return RoundUp(shape_.groups * rows() * columns(), 16); }
  int64_t ThreadFloats() const {
    return lines_->CopyFloats(most_lines_) +
           kPixels * kMostPanels * pixel_kernels::kMostVectors * pixel_kernels::kLanes;
  }

  const ConvolutionShape shape_;
  const int threads_ = Threads();
  const int64_t channels_, out_channels_;  // of a group
  const std::vector<Panel> panels_;        // of a group's out channels
  std::unique_ptr<SourceLines> lines_;
  int64_t taps_a_segment_;
  std::vector<int64_t> segment_at_;  // floats from what SourceLines::Read() returns
  std::vector<int64_t> source_at_;   // floats, for the pixels of most_lines_ lines
  std::vector<Block> blocks_;
  int64_t most_lines_;  // the most lines of the output that are processed at a time
  int64_t units_;       // the number of units, over all images
  int64_t parts_;
};

// Returns how many floats apart the pixels of the source should lie. Pixels that lie a multiple of
// 1 KiB apart share few sets of the nearest cache, and evict each other; so they are copied a
// little further apart.
int64_t PixelFloats(int64_t channels) { return channels % 256 == 0 ? channels + 16 : channels; }

SourceLines LinesOf(const ConvolutionShape& s) {
  const auto axis = [](const ConvolutionAxis& a) {
    return SourceLines::Axis{a.in, a.out, a.stride, -a.pad, (a.kernel - 1) * a.dilation - a.pad};
  };
  return SourceLines(axis(VerticalAxis(s)), axis(HorizontalAxis(s)), s.in_channels,
                     PixelFloats(s.in_channels));
}

PixelCorrelation::PixelCorrelation(const ConvolutionShape& shape, Direction, ElementType, bool)
    : shape_(AsOneImage(shape)),
      channels_(shape.in_channels / shape.groups),
      out_channels_(shape.out_channels / shape.groups),
      panels_(PanelsOf(out_channels_)),
      lines_(std::make_unique<SourceLines>(LinesOf(shape_))) {
  const ConvolutionShape& s = shape_;
  const bool neighbours =
      s.groups == 1 && s.dilation_width == 1 && lines_->pixel() == s.in_channels;
  taps_a_segment_ = neighbours ? s.kernel_width : 1;
  for (int64_t y = 0; y < s.kernel_height; ++y) {
    for (int64_t x = 0; x < s.kernel_width; x += taps_a_segment_)
      segment_at_.push_back(
          lines_->At(0, 0, y * s.dilation_height - s.pad_top, x * s.dilation_width - s.pad_left));
  }
  most_lines_ = std::clamp<int64_t>(kPixels / s.out_width(), 1, s.out_height());
  for (int64_t i = 0; i < most_lines_; ++i) {
    for (int64_t j = 0; j < s.out_width(); ++j)
      source_at_.push_back(lines_->At(i, j, 0, 0) - lines_->At(0, 0, 0, 0));
  }
  for (int64_t group = 0; group < s.groups; ++group) {
    const auto pieces = PiecesOf(static_cast<int64_t>(segment_at_.size()), depth(), kMostRows);
    for (const Piece& piece : pieces) {
      const int64_t count = static_cast<int64_t>(panels_.size()),
                    parts = DivideUp(count, kMostPanels);
      for (int64_t part = 0; part < parts; ++part) {
        const auto [begin, end] = PartOf(count, part, parts);
        blocks_.push_back({group, piece, begin, end - begin});
      }
    }
  }
  units_ = s.batch * DivideUp(s.out_height(), most_lines_);
  const int64_t shares = threads_ == 1 ? 1 : kShares * threads_;
  parts_ = std::clamp<int64_t>(DivideUp(shares, static_cast<int64_t>(blocks_.size())), 1,
                               std::min(units_, 1 + kMostSumsBytes / (SumsFloats() * 4)));
}

void PixelCorrelation::PackPanels(const float* gradient, int64_t count, const Block& block,
                                  const float* source, const int64_t* source_at, float* to) const {
  constexpr int64_t kLanes = pixel_kernels::kLanes;
  for (int64_t p = 0; p < count; ++p, gradient += shape_.out_channels) {
    for (int64_t i = 0; i < block.rows.depth; i += 16)
      __builtin_prefetch(source + source_at[p] + i);
    float* panel = to;
    for (int64_t i = block.first_panel; i < block.first_panel + block.panels; ++i) {
      const int64_t width = panels_[i].width(), columns = panels_[i].count;
      const float* const from = gradient + panels_[i].first;
      float* const row = panel + p * width;
      int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes) std::memcpy(row + c, from + c, kLanes * 4);
      for (; c < width; ++c) row[c] = c < columns ? from[c] : 0;
      panel += kPixels * width;
    }
  }
}

void PixelCorrelation::AddBlock(const ConvolutionArguments& arguments, const Block& block,
                                int64_t unit, float* copy, float* sums) const {
  const ConvolutionShape& s = shape_;
  const int64_t height = s.out_height(), width = s.out_width(),
                units = DivideUp(height, most_lines_), image = unit / units,
                first = unit % units * most_lines_, lines = std::min(most_lines_, height - first);
  const float* const source = lines_->Read(static_cast<const float*>(arguments.in) +
                                               image * s.in_height * s.in_width * s.in_channels,
                                           first, lines, copy) +
                              block.group * channels_ + block.rows.first;
  const float* const gradient = static_cast<const float*>(arguments.out) +
                                (image * height + first) * width * s.out_channels +
                                block.group * out_channels_;
  float* const packed = copy + lines_->CopyFloats(most_lines_);
  for (int64_t pixel = 0; pixel < lines * width; pixel += kPixels) {
    const int64_t count = std::min(kPixels, lines * width - pixel);
    PackPanels(gradient + pixel * s.out_channels, count, block,
               source + segment_at_[block.rows.segment], source_at_.data() + pixel, packed);
    const float* packed_panel = packed;
    for (int64_t i = block.first_panel; i < block.first_panel + block.panels; ++i) {
      const Panel& panel = panels_[i];
      for (int64_t k = 0; k < block.rows.count; ++k) {
        const int64_t segment = block.rows.segment + k;
        PixelKernels().correlate(
            {.pixels = count,
             .rows = block.rows.depth,
             .vectors = panel.vectors,
             .source = source + segment_at_[segment],
             .source_at = source_at_.data() + pixel,
             .gradient = packed_panel,
             .sums = sums +
                     ((block.group * static_cast<int64_t>(segment_at_.size()) + segment) * depth() +
                      block.rows.first) *
                         columns() +
                     panel.first,
             .sums_row = columns()});
      }
      packed_panel += kPixels * panel.width();
    }
  }
}

void PixelCorrelation::Run(const ConvolutionArguments& arguments) const {
  float* const result = static_cast<float*>(arguments.weights);
  float* const other_parts = static_cast<float*>(arguments.scratch);
  float* const threads = other_parts + (parts_ - 1) * SumsFloats();
  // The sums of part 0 are computed directly in the result.
  const auto sums_of = [&](int64_t part) {
    return part == 0 ? result : other_parts + (part - 1) * SumsFloats();
  };
  const int64_t blocks = static_cast<int64_t>(blocks_.size());
  ParallelFor(blocks * parts_, [&](int64_t share, int thread) {
    const int64_t part = share / blocks;
    const Block& block = blocks_[share % blocks];
    float* const sums = sums_of(part);
    const Panel &first_panel = panels_[block.first_panel],
                &last_panel = panels_[block.first_panel + block.panels - 1];
    const int64_t begin_row =
        (block.group * static_cast<int64_t>(segment_at_.size()) + block.rows.segment) * depth() +
        block.rows.first;
    for (int64_t i = 0; i < block.rows.steps(); ++i) {
      std::memset(sums + (begin_row + i) * columns() + first_panel.first, 0,
                  (last_panel.first + last_panel.width() - first_panel.first) * 4);
    }
    const auto [begin, end] = PartOf(units_, part, parts_);
    for (int64_t unit = begin; unit < end; ++unit)
      AddBlock(arguments, block, unit, threads + thread * ThreadFloats(), sums);
  });
  if (parts_ == 1) return;
  ParallelRanges(SumsFloats(), LeastItems(parts_), [&](int64_t begin, int64_t end) {
    for (int64_t part = 1; part < parts_; ++part) {
      const float* const sums = sums_of(part);
      for (int64_t i = begin; i < end; ++i) result[i] += sums[i];
    }
  });
}

void PixelCorrelation::UnpackWeightGradient(const void* packed, float* oihw) const {
  const int64_t taps = shape_.kernel_height * shape_.kernel_width;
  const float* const from = static_cast<const float*>(packed);
  ParallelRanges(shape_.out_channels, LeastItems(rows()), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* const column = from + o / out_channels_ * rows() * columns() + o % out_channels_;
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t c = 0; c < channels_; ++c)
          oihw[(o * channels_ + c) * taps + tap] = column[(tap * channels_ + c) * columns()];
      }
    }
  });
}

}  // namespace

extern constexpr ConvolutionFamily kPixelCorrelationFamily =
    NhwcFamily<PixelCorrelation>("pixel correlation", Algorithm::kDirect);

}  // namespace cotangent::tensor
