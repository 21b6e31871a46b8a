// Gradients of convolutions by their weights in bf16, as sums over output pixels of outer products:
// the output gradient at a pixel times the inputs that the pixel depends on. Made for 1x1
// convolutions, small images and strides, where neither Winograd's algorithm nor oneDNN's direct
// kernels are fast.
//
// The weights lie as [out channel][tap][in channel], where a tap is a cell of the kernel. They are
// divided into blocks of rows (out channels) and columns (taps and in channels), whose sizes are
// counted in groups of kGroup (16) channels, and the pixels are divided into parts. A share of the
// work is one block's sum over one part. A thread packs both sides of some pixels of the part (a
// chunk) as tile_kernels.h asks, multiplies them, and goes on with the next chunk. At the end the
// sums of all parts are added in order.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/convolution_family.h"
#include "tensor/own_kernels.h"
#include "tensor/tile_kernels.h"
#include "tensor/tiled_convolution.h"

namespace cotangent::tensor {
namespace {

using tile_kernels::kGroup;
using tile_kernels::kStep;
using tile_kernels::kTileBytes;

// The number of pixels of a chunk: enough that loading and storing sums costs little.
constexpr int64_t kChunk = 256;
// The largest number of groups (of kGroup out channels) in a block's rows. The larger the blocks,
// the less often pixels are packed again for another block.
constexpr int64_t kRowGroups = 8;
// The number of shares per thread to aim for, as long as the sums of all parts but the first fit
// into kMostSumsBytes. (A single thread does not need several shares.)
constexpr int64_t kShares = 4;
constexpr int64_t kMostSumsBytes = 8 << 20;

class OuterProduct final : public ConvolutionImplementation {
 public:
  // Returns whether this processor has the necessary instructions and this is the weight gradient
  // in bf16 of a convolution without groups that has enough channels and is not a linear layer.
  // `type` is the type of both sides, which are NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type) {
    return type == ElementType::kBf16 && direction == Direction::kWeightGradient &&
           SuitsTiles(shape);
  }
  // Returns the ConvolutionChoice that names this class: its implementation is "outer_product:amx".
  static ConvolutionChoice Choice(ElementType type) {
    return NhwcChoice(Algorithm::kDirect, type, "outer_product:amx");
  }

  // REQUIRES: IsAvailable().
  OuterProduct(const ConvolutionShape& shape, Direction direction, ElementType type, bool relu);

  std::string implementation() const override { return Choice(ElementType::kBf16).implementation; }
  int64_t packed_weight_bytes() const override { return weights() * 4; }
  int64_t scratch_bytes() const override {
    return ZeroBytes() + (parts_ - 1) * SumsBytes() + threads_ * ThreadBytes();
  }
  bool weights_are_plain() const override { return taps_ == 1; }
  void PackWeights(const float*, void*) const override {}
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // Some groups of the in channels of a tap: [first, first + count) of the tap's groups_a_tap_
  // groups.
  struct Columns {
    int64_t tap, first, count;
    int64_t channel() const { return first * kGroup; }
  };
  // A block of weights: row_count groups of out channels from number row_first on, by column_count
  // groups of columns from number column_first on. Groups of columns are counted over all taps.
  struct Block {
    int64_t row_first, row_count, column_first, column_count;
  };
  // A thread's memory: packed pixels of both sides, and the sums of a block.
  struct Work {
    char* left;
    char* right;
    float* sums;
  };

  Block BlockOf(int64_t index) const;
  Work WorkOf(char* scratch, int64_t thread) const;
  // Calls f(columns, group) for each tap that has columns in a block: `columns` are these, and
  // `group` is the number of their first group, counted from the block's first column.
  template <typename Function>
  void ForEachTap(const Block& block, Function f) const;
  // Adds the products of pixels [first, first + count) to a block's sums, or sets the sums to them.
  void MultiplyChunk(const ConvolutionArguments& arguments, const char* zeros, const Block& block,
                     int64_t first, int64_t count, bool accumulate, const Work& work) const;
  // Writes to `rows` the addresses of the inputs that output pixels [first, first + count) read by
  // a tap. The address of an input outside the image is `zeros`.
  void FindInputs(const char* in, const char* zeros, int64_t tap, int64_t first, int64_t count,
                  const char** rows) const;
  // Writes a block's sums to `weights`, [out channel][tap][in channel].
  void StoreBlock(const Block& block, const float* sums, float* weights) const;

  int64_t weights() const { return shape_.out_channels * taps_ * shape_.in_channels; }
  int64_t columns() const { return taps_ * groups_a_tap_; }
  // Floats from one row of sums to the next: one group more than needed, so that the rows of the
  // largest blocks (16 or 32 groups) do not lie a power of two apart.
  int64_t SumsRow() const { return (column_groups_ + 1) * kGroup; }
  int64_t SumsBytes() const { return RoundUp(weights() * 4, 64); }
  // Bytes of the buffer of zeros, which is read in place of pixels that do not exist: room for a
  // bf16 pixel of the input or of the output gradient, whichever has more channels.
  int64_t ZeroBytes() const {
    return RoundUp(std::max(shape_.in_channels, shape_.out_channels) * 2, 64);
  }
  int64_t PackedBytes(int64_t groups) const { return groups * kChunk / kStep * kTileBytes; }
  int64_t ThreadBytes() const {
    return PackedBytes(row_groups_) + PackedBytes(column_groups_) +
           row_groups_ * kGroup * SumsRow() * 4;
  }

  const tile_kernels::Kernels& kernels_ = TileKernels();
  const ConvolutionShape shape_;
  const int threads_ = Threads();
  const int64_t pixels_, taps_, groups_a_tap_;
  int64_t row_groups_, column_groups_;  // the largest numbers of groups in a block
  int64_t row_blocks_, column_blocks_, chunks_, parts_;
  std::array<int64_t, kChunk / kStep> step_bytes_;  // bytes to each step of a packed group
};

OuterProduct::OuterProduct(const ConvolutionShape& shape, Direction, ElementType, bool)
    : shape_(shape),
      pixels_(shape.batch * shape.out_height() * shape.out_width()),
      taps_(shape.kernel_height * shape.kernel_width),
      groups_a_tap_(DivideUp(shape.in_channels, kGroup)) {
  const int64_t rows = DivideUp(shape.out_channels, kGroup);
  row_blocks_ = DivideUp(rows, kRowGroups), row_groups_ = DivideUp(rows, row_blocks_);
  column_blocks_ = DivideUp(columns(), MostColumnGroups());
  column_groups_ = DivideUp(columns(), column_blocks_);
  chunks_ = DivideUp(pixels_, kChunk);
  for (size_t step = 0; step < step_bytes_.size(); ++step) step_bytes_[step] = step * kTileBytes;
  const int64_t shares = threads_ == 1 ? 1 : kShares * threads_;
  parts_ = std::clamp<int64_t>(DivideUp(shares, row_blocks_ * column_blocks_), 1,
                               std::min(chunks_, 1 + kMostSumsBytes / SumsBytes()));
}

OuterProduct::Block OuterProduct::BlockOf(int64_t index) const {
  const int64_t row = index / column_blocks_ * row_groups_,
                column = index % column_blocks_ * column_groups_;
  return {.row_first = row,
          .row_count = std::min(row_groups_, DivideUp(shape_.out_channels, kGroup) - row),
          .column_first = column,
          .column_count = std::min(column_groups_, columns() - column)};
}

OuterProduct::Work OuterProduct::WorkOf(char* scratch, int64_t thread) const {
  char* const left = scratch + thread * ThreadBytes();
  char* const right = left + PackedBytes(row_groups_);
  return {left, right, reinterpret_cast<float*>(right + PackedBytes(column_groups_))};
}

template <typename Function>
void OuterProduct::ForEachTap(const Block& block, Function f) const {
  for (int64_t group = 0; group < block.column_count;) {
    const int64_t column = block.column_first + group, first = column % groups_a_tap_,
                  count = std::min(groups_a_tap_ - first, block.column_count - group);
    f(Columns{column / groups_a_tap_, first, count}, group);
    group += count;
  }
}

void OuterProduct::FindInputs(const char* in, const char* zeros, int64_t tap, int64_t first,
                              int64_t count, const char** rows) const {
  const ConvolutionShape& s = shape_;
  const int64_t top = tap / s.kernel_width * s.dilation_height - s.pad_top,
                left = tap % s.kernel_width * s.dilation_width - s.pad_left,
                pixel_bytes = s.in_channels * 2;
  int64_t x = first % s.out_width(), y = first / s.out_width() % s.out_height();
  const char* image =
      in + first / (s.out_width() * s.out_height()) * s.in_height * s.in_width * pixel_bytes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t in_x = x * s.stride_width + left, in_y = y * s.stride_height + top;
    const bool inside = in_x >= 0 && in_x < s.in_width && in_y >= 0 && in_y < s.in_height;
    rows[i] = inside ? image + (in_y * s.in_width + in_x) * pixel_bytes : zeros;
    if (++x < s.out_width()) continue;
    x = 0;
    if (++y < s.out_height()) continue;
    y = 0, image += s.in_height * s.in_width * pixel_bytes;
  }
}

void OuterProduct::MultiplyChunk(const ConvolutionArguments& arguments, const char* zeros,
                                 const Block& block, int64_t first, int64_t count, bool accumulate,
                                 const Work& work) const {
  const char* rows[kChunk];
  const int64_t steps = DivideUp(count, kStep), channel = block.row_first * kGroup,
                out_bytes = shape_.out_channels * 2;
  std::fill(rows + count, rows + steps * kStep, zeros);
  for (int64_t i = 0; i < count; ++i)
    rows[i] = static_cast<const char*>(arguments.out) + (first + i) * out_bytes + channel * 2;
  kernels_.pack_left(
      {rows, steps, std::min(block.row_count * kGroup, shape_.out_channels - channel)}, work.left);
  ForEachTap(block, [&](const Columns& columns, int64_t group) {
    FindInputs(static_cast<const char*>(arguments.in), zeros, columns.tap, first, count, rows);
    for (int64_t i = 0; i < count; ++i) rows[i] += columns.channel() * 2;
    kernels_.pack_right(
        {rows, steps, std::min(columns.count * kGroup, shape_.in_channels - columns.channel())},
        work.right + group * steps * kTileBytes);
  });
  kernels_.multiply({.left_groups = block.row_count,
                     .right_groups = block.column_count,
                     .steps = steps,
                     .left = work.left,
                     .left_steps = step_bytes_.data(),
                     .left_row = kTileBytes / kGroup,
                     .left_group = steps * kTileBytes,
                     .right = work.right,
                     .c = work.sums,
                     .c_row = SumsRow(),
                     .accumulate = accumulate});
}

void OuterProduct::StoreBlock(const Block& block, const float* sums, float* weights) const {
  const int64_t first = block.row_first * kGroup,
                count = std::min(block.row_count * kGroup, shape_.out_channels - first);
  for (int64_t o = 0; o < count; ++o) {
    ForEachTap(block, [&](const Columns& columns, int64_t group) {
      const int64_t channels =
          std::min(columns.count * kGroup, shape_.in_channels - columns.channel());
      std::memcpy(
          weights + ((first + o) * taps_ + columns.tap) * shape_.in_channels + columns.channel(),
          sums + o * SumsRow() + group * kGroup, channels * 4);
    });
  }
}

void OuterProduct::Run(const ConvolutionArguments& arguments) const {
  float* const weights_gradient = static_cast<float*>(arguments.weights);
  char* const zeros = static_cast<char*>(arguments.scratch);
  char* const other_parts = zeros + ZeroBytes();
  char* const threads = other_parts + (parts_ - 1) * SumsBytes();
  // The sums of part 0 are stored directly in the result.
  const auto sums_of = [&](int64_t part) {
    return part == 0 ? weights_gradient
                     : reinterpret_cast<float*>(other_parts + (part - 1) * SumsBytes());
  };
  std::memset(zeros, 0, ZeroBytes());
  const int64_t blocks = row_blocks_ * column_blocks_;
  ParallelFor(blocks * parts_, [&](int64_t share, int thread) {
    const int64_t part = share / blocks;
    const Block block = BlockOf(share % blocks);
    const Work work = WorkOf(threads, thread);
    const auto [begin, end] = PartOf(chunks_, part, parts_);
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * kChunk;
      MultiplyChunk(arguments, zeros, block, first, std::min(kChunk, pixels_ - first),
                    /*accumulate=*/chunk > begin, work);
    }
    StoreBlock(block, work.sums, sums_of(part));
  });
  if (parts_ == 1) return;
  ParallelRanges(weights(), LeastItems(parts_), [&](int64_t begin, int64_t end) {
    for (int64_t part = 1; part < parts_; ++part) {
      const float* const sums = sums_of(part);
      for (int64_t i = begin; i < end; ++i) weights_gradient[i] += sums[i];
    }
  });
}

void OuterProduct::UnpackWeightGradient(const void* packed, float* oihw) const {
  const int64_t channels = shape_.in_channels, row = taps_ * channels;
  const float* const from = static_cast<const float*>(packed);
  ParallelRanges(shape_.out_channels, LeastItems(row), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t tap = 0; tap < taps_; ++tap)
          oihw[o * row + c * taps_ + tap] = from[o * row + tap * channels + c];
      }
    }
  });
}

}  // namespace

extern constexpr ConvolutionFamily kOuterProductFamily =
    NhwcFamily<OuterProduct>("outer product", Algorithm::kDirect);

}  // namespace cotangent::tensor
