// Convolutions in bf16 as sums of shifted products: forward with a stride of 1, and gradients by
// the inputs with any stride. A convolution reads one side, the source, and writes the other, the
// target. Each cell of the kernel (a tap) contributes the product of the source, shifted by the
// tap, and the tap's weights.
//
// With a stride, the target of a gradient consists of phases: the pixels whose coordinates leave
// the same remainder when divided by the stride. Each phase has its own taps and is a convolution
// with a stride of 1.
//
// Pixels of both sides are numbered as if each image had some more rows and columns (the gap),
// which are zero in the source and unused in the target. By a tap, the target pixel number i then
// reads the source pixel number i plus a constant, the tap's shift; if that pixel lies outside the
// image, it lies in a gap. The gap at the end of a row is also the gap before the next row. A share
// of the work is a block of target pixels by some groups of kGroup (16) target channels. For each
// share the source's pixels that it needs are copied, gaps as zeros, and multiplied.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/convolution_family.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"
#include "tensor/tile_kernels.h"
#include "tensor/tiled_convolution.h"

namespace cotangent::tensor {
namespace {

using tile_kernels::kGroup;
using tile_kernels::kStep;
using tile_kernels::kTileBytes;

// The number of target pixels of a block.
constexpr int64_t kPixels = 128;
// The largest number of steps (of kStep source channels by one tap) that are multiplied at a time:
// enough that loading and storing sums costs little, and few enough that the weights of two groups
// stay in the nearest cache.
constexpr int64_t kMostSteps = 12;
// The most bytes of source pixels that a block may need. This class does not compute convolutions
// that need more (those with a large dilation on a large image).
constexpr int64_t kMostSourceBytes = 1 << 20;

// A tap along one axis: the index of the kernel's cell, and the shift: target pixel number j of the
// phase reads source pixel j + shift.
struct AxisTap {
  int64_t cell, shift;
};
// One axis of a phase: the target's pixels `first`, first + step, and so on, `count` of them.
struct AxisPhase {
  int64_t first, step, count;
  std::vector<AxisTap> taps;
};
// One axis of the convolution, vertical or horizontal. All numbers are pixels: the extents of
// source, target and kernel, the stride, the dilation and the padding before the first pixel.
struct Axis {
  int64_t source, target, kernel, stride, dilation, pad;
  std::vector<AxisPhase> phases;
  int64_t extent;  // of the source with its gap, at least that of each phase, in pixels
};

// Adds the phases of a gradient by the inputs. Pixel number j of phase `first` is the input pixel
// stride * j + first. By kernel cell k it reads the output pixel o for which o * stride + k *
// dilation - pad is that input pixel.
void AddGradientPhases(Axis& axis) {
  for (int64_t first = 0; first < std::min(axis.stride, axis.target); ++first) {
    AxisPhase phase = {first, axis.stride, DivideUp(axis.target - first, axis.stride), {}};
    for (int64_t k = 0; k < axis.kernel; ++k) {
      const int64_t distance = first + axis.pad - k * axis.dilation;
      if (distance % axis.stride == 0) phase.taps.push_back({k, distance / axis.stride});
    }
    axis.phases.push_back(std::move(phase));
  }
}

Axis MakeAxis(Direction direction, int64_t in, int64_t out, int64_t kernel, int64_t stride,
              int64_t dilation, int64_t pad) {
  Axis axis = {in, out, kernel, stride, dilation, pad, {}, 0};
  if (direction == Direction::kForward) {
    AxisPhase phase = {0, 1, out, {}};
    for (int64_t k = 0; k < kernel; ++k) phase.taps.push_back({k, k * dilation - pad});
    axis.phases.push_back(std::move(phase));
  } else {
    std::swap(axis.source, axis.target);
    AddGradientPhases(axis);
  }
  int64_t gap = 0;
  for (const AxisPhase& phase : axis.phases) {
    for (const AxisTap& tap : phase.taps)
      gap = std::max({gap, -tap.shift, phase.count + tap.shift - axis.source});
  }
  axis.extent = axis.source + gap;
  for (const AxisPhase& phase : axis.phases) axis.extent = std::max(axis.extent, phase.count);
  return axis;
}

class ShiftedProduct final : public ConvolutionImplementation {
 public:
  // Returns whether this processor has the necessary instructions and the convolution is of a kind
  // that this file computes, not a linear layer, with shape.groups = 1, enough channels, and blocks
  // that need at most kMostSourceBytes of the source. The source must be bf16; the target may also
  // be f32.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction,
                          const SideTypes& types);
  // Returns the ConvolutionChoice that names this class: its implementation is
  // "shifted_product:amx", and both sides are NHWC.
  static ConvolutionChoice Choice(const SideTypes& types);

  // REQUIRES: IsAvailable(). If relu, results of kForward are max(0, y).
  ShiftedProduct(const ConvolutionShape& shape, Direction direction, const SideTypes& types,
                 bool relu);

  std::string implementation() const override { return Choice(types_).implementation; }
  int64_t packed_weight_bytes() const override { return taps() * steps() * groups() * kTileBytes; }
  int64_t scratch_bytes() const override { return threads_ * ThreadBytes(); }
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // A phase sums over its taps and, for each tap, over all source channels: kStep channels are a
  // step. The steps of the phase are divided into pieces, which are multiplied one after the other.
  struct Phase {
    AxisPhase rows, columns;
    int64_t least_shift = 0, most_shift = 0;
    std::vector<int64_t> steps;  // bytes to each from the first source pixel that a block needs
    int64_t first_tile = 0;      // in the packed weights, counted in tiles, for one group
    int64_t pieces() const { return DivideUp(static_cast<int64_t>(steps.size()), kMostSteps); }
  };
  // Where the packed weights of a step begin for group 0, in bytes, and the number of steps of its
  // piece.
  struct PackedStep {
    int64_t offset, piece_steps;
  };
  // Target pixels [pixel, pixel + kPixels) of a phase, and some groups of the target's channels.
  struct Block {
    const Phase* phase;
    int64_t pixel, group, groups;
  };
  // The image and the coordinates of the pixel that has a given number.
  struct Place {
    int64_t image, y, x;
  };

  void AddPhase(const AxisPhase& rows, const AxisPhase& columns);
  Place PlaceOf(int64_t pixel) const;
  // Copies `count` source pixels from number `first` on to `rows`, RowBytes() apart. Pixels in a
  // gap, and channels up to a multiple of kStep, become zeros.
  void CopySource(const char* source, int64_t first, int64_t count, char* rows) const;
  void Multiply(const ConvolutionArguments& arguments, const Block& block, char* rows,
                float* sums) const;
  // Calls f(run, y, x, count) for each row of target pixels in a block: `count` pixels of the
  // phase, from number block.pixel + run on. The first of them lies in row y of the target, counted
  // over all images, and column x.
  template <typename Function>
  void ForEachRun(const Block& block, Function f) const;
  // Finishes a block's sums (bias, addend, relu) and writes them, or writes zeros if no tap
  // contributes to its phase.
  void StoreBlock(const ConvolutionArguments& arguments, const Block& block,
                  const float* sums) const;
  // Packs the weights of a tap from the source channels of one step to the target channels of one
  // group. Channels that do not exist get zeros.
  void PackTile(const float* oihw, int64_t tap, int64_t step, int64_t group, float* tile) const;

  bool forward() const { return direction_ == Direction::kForward; }
  int64_t source_channels() const { return forward() ? shape_.in_channels : shape_.out_channels; }
  int64_t target_channels() const { return forward() ? shape_.out_channels : shape_.in_channels; }
  ElementType target_type() const { return forward() ? types_.out : types_.in; }
  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  int64_t steps() const { return DivideUp(source_channels(), kStep); }  // steps of a tap
  int64_t groups() const { return DivideUp(target_channels(), kGroup); }
  int64_t RowBytes() const { return PadAgainstCacheAliasing(steps() * kStep * 2); }
  // Floats from one row of sums to the next: one group more than needed, so that the rows of the
  // largest blocks (16 or 32 groups) do not lie a power of two apart.
  int64_t SumsRow() const { return (groups_ + 1) * kGroup; }
  int64_t ThreadBytes() const { return source_rows_ * RowBytes() + kPixels * SumsRow() * 4; }
  int64_t pixels() const { return shape_.batch * rows_.extent * columns_.extent; }

  const tile_kernels::Kernels& kernels_ = TileKernels();
  const ConvolutionShape shape_;
  const Direction direction_;
  const SideTypes types_;
  const bool relu_;
  const int threads_ = Threads();
  const Axis rows_, columns_;
  std::vector<Phase> phases_;
  std::vector<PackedStep> packed_steps_;  // [tap][step]
  int64_t source_rows_ = 0;               // largest number of source pixels that a block needs
  int64_t groups_;                        // largest number of groups in a block
};

ShiftedProduct::ShiftedProduct(const ConvolutionShape& shape, Direction direction,
                               const SideTypes& types, bool relu)
    : shape_(shape),
      direction_(direction),
      types_(types),
      relu_(relu),
      rows_(MakeAxis(direction, shape.in_height, shape.out_height(), shape.kernel_height,
                     shape.stride_height, shape.dilation_height, shape.pad_top)),
      columns_(MakeAxis(direction, shape.in_width, shape.out_width(), shape.kernel_width,
                        shape.stride_width, shape.dilation_width, shape.pad_left)) {
  for (const AxisPhase& rows : rows_.phases)
    for (const AxisPhase& columns : columns_.phases) AddPhase(rows, columns);
  groups_ = DivideUp(groups(), DivideUp(groups(), MostColumnGroups()));
}

void ShiftedProduct::AddPhase(const AxisPhase& rows, const AxisPhase& columns) {
  Phase phase;
  phase.rows = rows, phase.columns = columns;
  const auto shift_of = [&](const AxisTap& y, const AxisTap& x) {
    return y.shift * columns_.extent + x.shift;
  };
  for (const AxisTap& y : rows.taps) {
    for (const AxisTap& x : columns.taps) {
      phase.least_shift = std::min(phase.least_shift, shift_of(y, x));
      phase.most_shift = std::max(phase.most_shift, shift_of(y, x));
    }
  }
  source_rows_ = std::max(source_rows_, kPixels + phase.most_shift - phase.least_shift);
  if (!phases_.empty()) phase.first_tile = phases_.back().first_tile + phases_.back().steps.size();

  std::vector<int64_t> places;  // of the phase's steps in packed_steps_
  for (const AxisTap& y : rows.taps) {
    for (const AxisTap& x : columns.taps) {
      const int64_t cell = y.cell * shape_.kernel_width + x.cell;
      for (int64_t step = 0; step < steps(); ++step) {
        places.push_back(cell * steps() + step);
        phase.steps.push_back((shift_of(y, x) - phase.least_shift) * RowBytes() + step * kStep * 2);
      }
    }
  }
  packed_steps_.resize(taps() * steps());
  for (int64_t piece = 0; piece < phase.pieces(); ++piece) {
    const auto [begin, end] = PartOf(phase.steps.size(), piece, phase.pieces());
    for (int64_t i = begin; i < end; ++i) {
      packed_steps_[places[i]] = {
          .offset = ((phase.first_tile + begin) * groups() + i - begin) * kTileBytes,
          .piece_steps = end - begin};
    }
  }
  phases_.push_back(std::move(phase));
}

bool ShiftedProduct::IsAvailable(const ConvolutionShape& s, Direction direction,
                                 const SideTypes& types) {
  if (!SuitsTiles(s)) return false;
  const auto is_real = [](ElementType type) {
    return type == ElementType::kF32 || type == ElementType::kBf16;
  };
  if (direction == Direction::kWeightGradient) return false;
  const bool forward = direction == Direction::kForward;
  if (forward && (s.stride_height != 1 || s.stride_width != 1)) return false;
  if ((forward ? types.in : types.out) != ElementType::kBf16) return false;
  if (!is_real(forward ? types.out : types.in)) return false;
  const ShiftedProduct made(s, direction, types, /*relu=*/false);
  return made.source_rows_ * made.RowBytes() <= kMostSourceBytes;
}

ConvolutionChoice ShiftedProduct::Choice(const SideTypes& types) {
  return {Algorithm::kDirect, Layout::kNhwc, Layout::kNhwc,
          types.in,           types.out,     "shifted_product:amx"};
}

void ShiftedProduct::PackTile(const float* oihw, int64_t tap, int64_t step, int64_t group,
                              float* tile) const {
  const int64_t out_stride = shape_.in_channels * taps(), in_stride = taps();
  const int64_t source_stride = forward() ? in_stride : out_stride,
                target_stride = forward() ? out_stride : in_stride;
  const int64_t sources = std::min(kStep, source_channels() - step * kStep),
                targets = std::min(kGroup, target_channels() - group * kGroup);
  const float* const from =
      oihw + step * kStep * source_stride + group * kGroup * target_stride + tap;
  for (int64_t s = 0; s < kStep; s += 2, tile += kGroup) {
    float pair[2][kGroup] = {};
    for (int64_t half = 0; half < 2 && s + half < sources; ++half) {
      for (int64_t t = 0; t < targets; ++t)
        pair[half][t] = from[(s + half) * source_stride + t * target_stride];
    }
    ProductKernels().pair_rows(pair[0], pair[1], kGroup, tile);
  }
}

void ShiftedProduct::PackWeights(const float* oihw, void* packed) const {
  ParallelFor(steps() * groups(), [&](int64_t share) {
    const int64_t step = share / groups(), group = share % groups();
    for (int64_t tap = 0; tap < taps(); ++tap) {
      const PackedStep& at = packed_steps_[tap * steps() + step];
      char* const tile =
          static_cast<char*>(packed) + at.offset + group * at.piece_steps * kTileBytes;
      PackTile(oihw, tap, step, group, reinterpret_cast<float*>(tile));
    }
  });
}

ShiftedProduct::Place ShiftedProduct::PlaceOf(int64_t pixel) const {
  const int64_t image_pixels = rows_.extent * columns_.extent;
  int64_t image = pixel / image_pixels;
  if (image * image_pixels > pixel) --image;  // numbers before the first image are negative
  const int64_t rest = pixel - image * image_pixels;
  return {image, rest / columns_.extent, rest % columns_.extent};
}

void ShiftedProduct::CopySource(const char* source, int64_t first, int64_t count,
                                char* rows) const {
  const int64_t bytes = source_channels() * 2, row_bytes = RowBytes();
  Place at = PlaceOf(first);
  for (int64_t i = 0; i < count; ++i, rows += row_bytes) {
    const bool inside =
        at.image >= 0 && at.image < shape_.batch && at.y < rows_.source && at.x < columns_.source;
    const int64_t filled = inside ? bytes : 0;
    if (inside) {
      const int64_t pixel = (at.image * rows_.source + at.y) * columns_.source + at.x;
      std::memcpy(rows, source + pixel * bytes, bytes);
    }
    std::memset(rows + filled, 0, steps() * kStep * 2 - filled);
    if (++at.x < columns_.extent) continue;
    at.x = 0;
    if (++at.y < rows_.extent) continue;
    at.y = 0, ++at.image;
  }
}

void ShiftedProduct::Multiply(const ConvolutionArguments& arguments, const Block& block, char* rows,
                              float* sums) const {
  const Phase& phase = *block.phase;
  CopySource(static_cast<const char*>(forward() ? arguments.in : arguments.out),
             block.pixel + phase.least_shift, kPixels + phase.most_shift - phase.least_shift, rows);
  const char* const weights = static_cast<const char*>(arguments.weights);
  for (int64_t piece = 0; piece < phase.pieces(); ++piece) {
    const auto [begin, end] = PartOf(phase.steps.size(), piece, phase.pieces());
    const int64_t steps = end - begin;
    kernels_.multiply(
        {.left_groups = kPixels / kGroup,
         .right_groups = block.groups,
         .steps = steps,
         .left = rows,
         .left_steps = phase.steps.data() + begin,
         .left_row = RowBytes(),
         .left_group = kGroup * RowBytes(),
         .right =
             weights + ((phase.first_tile + begin) * groups() + block.group * steps) * kTileBytes,
         .c = sums,
         .c_row = SumsRow(),
         .accumulate = piece > 0});
  }
}

template <typename Function>
void ShiftedProduct::ForEachRun(const Block& block, Function f) const {
  const AxisPhase& rows = block.phase->rows;
  const AxisPhase& columns = block.phase->columns;
  const int64_t end = std::min(kPixels, pixels() - block.pixel);
  for (int64_t run = 0; run < end;) {
    const Place at = PlaceOf(block.pixel + run);
    const int64_t rest = std::min(columns_.extent - at.x, end - run);
    const int64_t count = std::min(columns.count - at.x, rest);
    if (at.y < rows.count && count > 0) {
      f(run, at.image * rows_.target + rows.first + at.y * rows.step,
        columns.first + at.x * columns.step, count);
    }
    run += rest;
  }
}

void ShiftedProduct::StoreBlock(const ConvolutionArguments& arguments, const Block& block,
                                const float* sums) const {
  const int64_t channel = block.group * kGroup,
                channels = std::min(block.groups * kGroup, target_channels() - channel);
  const int64_t element = Bytes(target_type()), pixel_bytes = target_channels() * element,
                run_step = block.phase->columns.step * pixel_bytes;
  char* const target = static_cast<char*>(forward() ? arguments.out : arguments.in);
  const bool has_bias = forward() && arguments.bias != nullptr;
  ForEachRun(block, [&](int64_t run, int64_t row, int64_t x, int64_t count) {
    const int64_t at = (row * columns_.target + x) * pixel_bytes + channel * element;
    if (block.phase->steps.empty()) {
      for (int64_t i = 0; i < count; ++i)
        std::memset(target + at + i * run_step, 0, channels * element);
      return;
    }
    ProductKernels().finish(
        target_type() == ElementType::kBf16,
        {.rows = count,
         .columns = channels,
         .sums = sums + run * SumsRow(),
         .sums_row = SumsRow(),
         .bias = has_bias ? static_cast<const float*>(arguments.bias) + channel : nullptr,
         .addend = forward() && arguments.addend != nullptr
                       ? static_cast<const char*>(arguments.addend) + at
                       : nullptr,
         .relu = relu_,
         .out = target + at,
         .out_row = run_step});
  });
}

void ShiftedProduct::Run(const ConvolutionArguments& arguments) const {
  const int64_t pixel_blocks = DivideUp(pixels(), kPixels),
                group_blocks = DivideUp(groups(), groups_);
  ParallelFor(phases_.size() * pixel_blocks * group_blocks, [&](int64_t share, int thread) {
    const int64_t group = share % group_blocks * groups_, rest = share / group_blocks;
    const Block block = {&phases_[rest / pixel_blocks], rest % pixel_blocks * kPixels, group,
                         std::min(groups_, groups() - group)};
    char* const rows = static_cast<char*>(arguments.scratch) + thread * ThreadBytes();
    float* const sums = reinterpret_cast<float*>(rows + source_rows_ * RowBytes());
    if (!block.phase->steps.empty()) Multiply(arguments, block, rows, sums);
    StoreBlock(arguments, block, sums);
  });
}

}  // namespace

extern constexpr ConvolutionFamily kShiftedProductFamily = {
    .name = "shifted product",
    .algorithm = Algorithm::kDirect,
    .available = ShiftedProduct::IsAvailable,
    .candidates =
        [](const ConvolutionShape&, Direction, const SideTypes& types) {
          return std::vector<ConvolutionCandidate>{
              {ShiftedProduct::Choice(types), KernelKind::kAvx512}};
        },
    .has =
        [](const ConvolutionChoice& choice) {
          return choice == ShiftedProduct::Choice({choice.in_type, choice.out_type});
        },
    .create =
        [](const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
           const Epilogue& epilogue) -> absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> {
      return std::make_unique<ShiftedProduct>(
          shape, direction, SideTypes{choice.in_type, choice.out_type}, epilogue.relu);
    },
};

}  // namespace cotangent::tensor
