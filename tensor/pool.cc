#include "tensor/pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/dispatch.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cotangent::tensor {
namespace {

// The number of channels processed together: the floats of an AVX-512 register.
constexpr int64_t kLanes = 16, kHalf = kLanes / 2;
// Without AVX-512, forward averages over windows of at least kCellsOfLargeWindow cells take groups
// of kWideLanes channels (Row::wide): the longer the pieces of memory that are read at once, the
// earlier the processor fetches what follows.
constexpr int64_t kWideLanes = 64, kCellsOfLargeWindow = 16;

// One row of pixels of the tensor that is written (the output in the forward direction, the input
// gradient in the backward direction), for one span of adjacent channels of one image. Everything
// that contributes to an element of the row is summed or compared at once, so rows are independent
// of each other and each is written once.
struct Row {
  const PoolShape* shape;
  int64_t y;             // index of the row
  int64_t span;          // number of adjacent channels
  int64_t pixel_stride;  // elements from one pixel to the next
  const void* read;      // the other side: input in forward, output gradient in backward
  void* positions;       // of the image's output side
  void* write;           // the side of the image being written
  bool count_include_pad;
  bool wide;  // forward averages take kWideLanes channels at a time
};

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Returns the cells of a window that do not lie in the padding, along one axis; `out` is the
// window's output coordinate.
COTANGENT_INLINE Range CellsOfWindow(int64_t out, int64_t stride, int64_t pad, int64_t window,
                                     int64_t in_extent) {
  const int64_t first = out * stride - pad;
  return {std::max<int64_t>(0, -first), std::min(window, in_extent - first)};
}

// Returns the output coordinates of the windows that contain input coordinate `in`, along one axis.
COTANGENT_INLINE Range WindowsOver(int64_t in, int64_t stride, int64_t pad, int64_t window,
                                   int64_t out_extent) {
  const int64_t padded = in + pad;
  return {padded < window ? 0 : (padded - window) / stride + 1,
          std::min(out_extent, padded / stride + 1)};
}

// Divides the `span` channels of a row into groups of kGroup, then of kLanes, then of kHalf, and
// calls body(first channel, count) for each, where `count` is a compile-time constant. If channels
// are left over, the last kHalf channels are a group, so some channels are computed twice. Only if
// there are fewer than kHalf channels is there one group of a size that the compiler does not know.
template <int64_t kGroup = kLanes, typename Body>
COTANGENT_INLINE void ForEachLanes(int64_t span, Body body) {
  using Half = std::integral_constant<int64_t, kHalf>;
  if (span < kHalf) return body(0, span);
  int64_t c = 0;
  for (; c + kGroup <= span; c += kGroup) body(c, std::integral_constant<int64_t, kGroup>{});
  for (; kGroup > kLanes && c + kLanes <= span; c += kLanes)
    body(c, std::integral_constant<int64_t, kLanes>{});
  for (; c + kHalf <= span; c += kHalf) body(c, Half{});
  if (c < span) body(span - kHalf, Half{});
}

// Whether ForEachLanes() gave a group whose size the compiler knows.
template <typename Count>
constexpr bool kIsConstant = !std::is_same_v<Count, int64_t>;

// Max pooling compares and selects kHalf numbers at once as vectors (of GCC and clang, for any
// instruction set), since compilers do not vectorise loops whose comparison selects in two arrays.
using Floats = float __attribute__((vector_size(4 * kHalf)));
using Ints = int32_t __attribute__((vector_size(4 * kHalf)));

// Reads kHalf numbers of one of the types of tensors or of positions. Results are arguments, since
// how functions return such vectors depends on the instruction set.
COTANGENT_INLINE void Read(const float* from, Floats& to) { std::memcpy(&to, from, sizeof(to)); }
COTANGENT_INLINE void Read(const Bf16* from, Floats& to) {
  float wide[kHalf];
  for (int64_t i = 0; i < kHalf; ++i) wide[i] = static_cast<float>(from[i]);
  Read(wide, to);
}
COTANGENT_INLINE void Read(const int32_t* from, Ints& to) { std::memcpy(&to, from, sizeof(to)); }
COTANGENT_INLINE void Read(const uint8_t* from, Ints& to) {
  int32_t wide[kHalf];
  for (int64_t i = 0; i < kHalf; ++i) wide[i] = from[i];
  Read(wide, to);
}

// Where the inputs of a window lie.
struct Window {
  Range rows = {}, columns = {};  // cells that are not padding
  int64_t y = 0, x = 0;  // of the window's first cell in the input, negative in the padding

  // Returns the first true cell, which is the maximum of a window that holds nothing but -infinity.
  COTANGENT_INLINE int32_t FirstCell(const Row& row) const {
    return static_cast<int32_t>(rows.begin * row.shape->window_width + columns.begin);
  }
};

// Calls visit(offset of the input pixel, cell) for each true pixel of a window in row-major order.
template <typename Visit>
COTANGENT_INLINE void ForEachCell(const Row& row, const Window& window, Visit visit) {
  const PoolShape& s = *row.shape;
  for (int64_t ky = window.rows.begin; ky < window.rows.end; ++ky) {
    for (int64_t kx = window.columns.begin; kx < window.columns.end; ++kx) {
      visit(((window.y + ky) * s.in_width + window.x + kx) * row.pixel_stride,
            static_cast<int32_t>(ky * s.window_width + kx));
    }
  }
}

// Computes max pooling of kVectors * kHalf channels of one window. Here and in MaxOfFew(), T is the
// type of the numbers, P the type of stored positions, which may be null.
template <int64_t kVectors, typename T, typename P>
COTANGENT_INLINE void MaxOfVectors(const Row& row, const Window& window, const T* in, T* out,
                                   P* positions) {
  Floats best[kVectors] = {};
  Ints position[kVectors] = {};
  for (int64_t v = 0; v < kVectors; ++v) best[v] -= INFINITY, position[v] += window.FirstCell(row);
  ForEachCell(
      row, window, [&](int64_t offset, int32_t cell) __attribute__((always_inline)) {
        for (int64_t v = 0; v < kVectors; ++v) {
          Floats value;
          Read(in + offset + v * kHalf, value);
          const Ints wins = (value > best[v]) | (value != value);  // a NaN wins, too
          best[v] = wins ? value : best[v];
          position[v] = wins ? Ints{} + cell : position[v];
        }
      });
  for (int64_t v = 0; v < kVectors; ++v) {
    for (int64_t i = 0; i < kHalf; ++i) out[v * kHalf + i] = T(best[v][i]);
    if (positions == nullptr) continue;
    for (int64_t i = 0; i < kHalf; ++i) positions[v * kHalf + i] = static_cast<P>(position[v][i]);
  }
}

// The same for `count` channels, one after the other.
template <typename T, typename P>
COTANGENT_INLINE void MaxOfFew(const Row& row, const Window& window, int64_t count, const T* in,
                               T* out, P* positions) {
  for (int64_t i = 0; i < count; ++i) {
    float best = -INFINITY;
    int32_t position = window.FirstCell(row);
    ForEachCell(
        row, window, [&](int64_t offset, int32_t cell) __attribute__((always_inline)) {
          const float value = static_cast<float>(in[offset + i]);
          if (value > best || value != value) best = value, position = cell;
        });
    out[i] = T(best);
    if (positions != nullptr) positions[i] = static_cast<P>(position);
  }
}

template <typename T, typename P>
COTANGENT_INLINE void MaxForwardRow(const Row& row) {
  const PoolShape& s = *row.shape;
  Window window = {
      .rows = CellsOfWindow(row.y, s.stride_height, s.pad_top, s.window_height, s.in_height),
      .y = row.y * s.stride_height - s.pad_top};
  const int64_t out_width = s.out_width();
  for (int64_t x = 0; x < out_width; ++x) {
    window.columns = CellsOfWindow(x, s.stride_width, s.pad_left, s.window_width, s.in_width);
    window.x = x * s.stride_width - s.pad_left;
    const int64_t out_offset = (row.y * out_width + x) * row.pixel_stride;
    ForEachLanes(
        row.span, [&](int64_t c, auto count) __attribute__((always_inline)) {
          const T* const in = static_cast<const T*>(row.read) + c;
          T* const out = static_cast<T*>(row.write) + out_offset + c;
          P* const positions =
              row.positions == nullptr ? nullptr : static_cast<P*>(row.positions) + out_offset + c;
          if constexpr (kIsConstant<decltype(count)>) {
            MaxOfVectors<count / kHalf>(row, window, in, out, positions);
          } else {
            MaxOfFew(row, window, count, in, out, positions);
          }
        });
  }
}

template <typename T, typename P>
COTANGENT_INLINE void MaxBackwardRow(const Row& row) {
  const PoolShape& s = *row.shape;
  const T* out_gradient = static_cast<const T*>(row.read);
  const P* positions = static_cast<const P*>(row.positions);
  const int64_t out_width = s.out_width();
  const Range rows =
      WindowsOver(row.y, s.stride_height, s.pad_top, s.window_height, s.out_height());
  for (int64_t x = 0; x < s.in_width; ++x) {
    const Range columns = WindowsOver(x, s.stride_width, s.pad_left, s.window_width, out_width);
    T* in_gradient = static_cast<T*>(row.write) + (row.y * s.in_width + x) * row.pixel_stride;
    // Calls visit(offset of the window's results, this pixel's cell of it) for each window.
    const auto for_each_window = [&](auto visit) __attribute__((always_inline)) {
      for (int64_t out_y = rows.begin; out_y < rows.end; ++out_y) {
        const int64_t ky = row.y + s.pad_top - out_y * s.stride_height;
        for (int64_t out_x = columns.begin; out_x < columns.end; ++out_x) {
          visit(
              (out_y * out_width + out_x) * row.pixel_stride,
              static_cast<int32_t>(ky * s.window_width + x + s.pad_left - out_x * s.stride_width));
        }
      }
    };
    ForEachLanes(
        row.span, [&](int64_t c, auto count) __attribute__((always_inline)) {
          if constexpr (kIsConstant<decltype(count)>) {
            constexpr int64_t kVectors = count / kHalf;
            Floats sum[kVectors] = {};
            for_each_window([&](int64_t offset, int32_t cell) __attribute__((always_inline)) {
              for (int64_t v = 0; v < kVectors; ++v) {
                Floats gradient;
                Ints position;
                Read(out_gradient + offset + c + v * kHalf, gradient);
                Read(positions + offset + c + v * kHalf, position);
                sum[v] += (Floats)((Ints)gradient & (position == cell));
              }
            });
            for (int64_t v = 0; v < kVectors; ++v) {
              for (int64_t i = 0; i < kHalf; ++i) in_gradient[c + v * kHalf + i] = T(sum[v][i]);
            }
          } else {
            for (int64_t i = c; i < c + count; ++i) {
              float sum = 0;
              for_each_window([&](int64_t offset, int32_t cell) __attribute__((always_inline)) {
                if (positions[offset + i] == cell)
                  sum += static_cast<float>(out_gradient[offset + i]);
              });
              in_gradient[i] = T(sum);
            }
          }
        });
  }
}

// Returns 1 / the number of cells of a window that count: all of them or, without
// count_include_pad, those that are not padding. `rows` and `columns` are the latter along each
// axis.
COTANGENT_INLINE float Weight(const Row& row, Range rows, Range columns) {
  const int64_t cells = row.count_include_pad ? row.shape->window_height * row.shape->window_width
                                              : rows.size() * columns.size();
  return 1.0f / static_cast<float>(cells);
}

// The forward average sums this many rows of a window at a time, then adds up these sums: a single
// sum over a window of millions of cells would lose digits of what it adds, because f32 has 24
// bits.
constexpr int64_t kRowsTogether = 16;

template <typename T>
COTANGENT_INLINE void AverageForwardRow(const Row& row) {
  const PoolShape& s = *row.shape;
  const T* in = static_cast<const T*>(row.read);
  const Range rows = CellsOfWindow(row.y, s.stride_height, s.pad_top, s.window_height, s.in_height);
  const int64_t out_width = s.out_width();
  for (int64_t x = 0; x < out_width; ++x) {
    const Range columns = CellsOfWindow(x, s.stride_width, s.pad_left, s.window_width, s.in_width);
    const float weight = Weight(row, rows, columns);
    T* out = static_cast<T*>(row.write) + (row.y * out_width + x) * row.pixel_stride;
    const auto average = [&](int64_t c, auto count) __attribute__((always_inline)) {
      using Wide = std::integral_constant<int64_t, kWideLanes>;
      constexpr int64_t kMost = std::is_same_v<decltype(count), Wide> ? kWideLanes : kLanes;
      float sum[kMost] = {};
      for (int64_t begin = rows.begin; begin < rows.end; begin += kRowsTogether) {
        float part[kMost] = {};
        for (int64_t ky = begin; ky < std::min(begin + kRowsTogether, rows.end); ++ky) {
          const int64_t in_y = row.y * s.stride_height - s.pad_top + ky;
          for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
            const int64_t in_x = x * s.stride_width - s.pad_left + kx;
            const T* at = in + (in_y * s.in_width + in_x) * row.pixel_stride + c;
            for (int64_t i = 0; i < count; ++i) part[i] += static_cast<float>(at[i]);
          }
        }
        for (int64_t i = 0; i < count; ++i) sum[i] += part[i];
      }
      for (int64_t i = 0; i < count; ++i) out[c + i] = T(sum[i] * weight);
    };
    row.wide ? ForEachLanes<kWideLanes>(row.span, average) : ForEachLanes(row.span, average);
  }
}

template <typename T>
COTANGENT_INLINE void AverageBackwardRow(const Row& row) {
  const PoolShape& s = *row.shape;
  const T* out_gradient = static_cast<const T*>(row.read);
  const int64_t out_width = s.out_width();
  const Range rows =
      WindowsOver(row.y, s.stride_height, s.pad_top, s.window_height, s.out_height());
  for (int64_t x = 0; x < s.in_width; ++x) {
    const Range columns = WindowsOver(x, s.stride_width, s.pad_left, s.window_width, out_width);
    T* in_gradient = static_cast<T*>(row.write) + (row.y * s.in_width + x) * row.pixel_stride;
    ForEachLanes(
        row.span, [&](int64_t c, auto count) __attribute__((always_inline)) {
          float sum[kLanes] = {};
          for (int64_t out_y = rows.begin; out_y < rows.end; ++out_y) {
            const Range cell_rows =
                CellsOfWindow(out_y, s.stride_height, s.pad_top, s.window_height, s.in_height);
            for (int64_t out_x = columns.begin; out_x < columns.end; ++out_x) {
              const float weight = Weight(
                  row, cell_rows,
                  CellsOfWindow(out_x, s.stride_width, s.pad_left, s.window_width, s.in_width));
              const T* at = out_gradient + (out_y * out_width + out_x) * row.pixel_stride + c;
              for (int64_t i = 0; i < count; ++i) sum[i] += static_cast<float>(at[i]) * weight;
            }
          }
          for (int64_t i = 0; i < count; ++i) in_gradient[c + i] = T(sum[i]);
        });
  }
}

using RowKernel = void (*)(const Row&);

// The loops above in the form that LoopFor() (base/dispatch.h) takes. T is the element type, Index
// the type of stored positions.
template <typename T, typename Index>
struct MaxForward {
  static COTANGENT_INLINE void Run(const Row& row) { MaxForwardRow<T, Index>(row); }
};
template <typename T, typename Index>
struct MaxBackward {
  static COTANGENT_INLINE void Run(const Row& row) { MaxBackwardRow<T, Index>(row); }
};
template <typename T, typename>
struct AverageForward {
  static COTANGENT_INLINE void Run(const Row& row) { AverageForwardRow<T>(row); }
};
template <typename T, typename>
struct AverageBackward {
  static COTANGENT_INLINE void Run(const Row& row) { AverageBackwardRow<T>(row); }
};

template <template <typename, typename> typename Loop>
RowKernel KernelOf(ElementType type, ElementType positions = ElementType::kU8) {
  const InstructionSet set = WidestInstructionSet();
  if (positions == ElementType::kU8)
    return type == ElementType::kF32 ? LoopFor<Loop<float, uint8_t>>(set)
                                     : LoopFor<Loop<Bf16, uint8_t>>(set);
  return type == ElementType::kF32 ? LoopFor<Loop<float, int32_t>>(set)
                                   : LoopFor<Loop<Bf16, int32_t>>(set);
}

// Runs a kernel over all rows of the tensor `written`, in parallel. Positions have the shape of the
// output side.
void ForEachRow(RowKernel kernel, const PoolShape& shape, Layout layout, ElementType type,
                const Shape& read_shape, const void* read, const Shape& written, void* write,
                void* positions, bool count_include_pad) {
  const Strides to = StridesOf(written, layout), from = StridesOf(read_shape, layout);
  const bool output_written = written == shape.out();
  const int64_t positions_n = output_written ? to.n : from.n,
                positions_c = output_written ? to.c_block : from.c_block;
  const int64_t size = Bytes(type), blocks = PaddedChannels(shape.channels, layout) / to.block;
  const int64_t position_size = Bytes(PositionType(shape.window_height, shape.window_width));
  const bool wide = !HasAvx512() && shape.window_height * shape.window_width >= kCellsOfLargeWindow;
  const int64_t rows = shape.batch * blocks * written.height();
  ParallelRanges(rows, LeastItems(written.width() * to.block), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t y = i % written.height(), block = i / written.height() % blocks,
                    n = i / written.height() / blocks;
      kernel({.shape = &shape,
              .y = y,
              .span = to.block,
              .pixel_stride = to.w,
              .read = static_cast<const char*>(read) + (n * from.n + block * from.c_block) * size,
              .positions = positions == nullptr
                               ? nullptr
                               : static_cast<char*>(positions) +
                                     (n * positions_n + block * positions_c) * position_size,
              .write = static_cast<char*>(write) + (n * to.n + block * to.c_block) * size,
              .count_include_pad = count_include_pad,
              .wide = wide});
    }
  });
}

absl::Status CheckArguments(const PoolShape& shape, ElementType type) {
  if (type != ElementType::kF32 && type != ElementType::kBf16) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooling of ", std::string(Name(type)), "; f32 or bf16 expected"));
  }
  return shape.Validate();
}

}  // namespace

int64_t PoolShape::out_height() const {
  return (in_height + pad_top + pad_bottom - window_height) / stride_height + 1;
}
int64_t PoolShape::out_width() const {
  return (in_width + pad_left + pad_right - window_width) / stride_width + 1;
}

absl::Status PoolShape::Validate() const {
  for (int64_t size : {batch, channels, in_height, in_width, window_height, window_width,
                       stride_height, stride_width}) {
    if (size < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "pooling with a size of ", size, "; image, window and stride must be at least 1"));
    }
  }
  const bool pads_fit = std::min({pad_top, pad_bottom, pad_left, pad_right}) >= 0 &&
                        std::max(pad_top, pad_bottom) < window_height &&
                        std::max(pad_left, pad_right) < window_width;
  if (!pads_fit) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooling with padding ", pad_top, ",", pad_bottom, ",", pad_left, ",",
                     pad_right, " and a window of ", window_height, "x", window_width,
                     ": padding must not be negative, and less than the window"));
  }
  if (window_height > in_height + pad_top + pad_bottom ||
      window_width > in_width + pad_left + pad_right) {
    return absl::InvalidArgumentError(
        absl::StrCat("a pooling window of ", window_height, "x", window_width,
                     " is larger than its padded input of ", in_height + pad_top + pad_bottom, "x",
                     in_width + pad_left + pad_right));
  }
  if (window_height > std::numeric_limits<int32_t>::max() / window_width) {
    return absl::InvalidArgumentError(absl::StrCat("a pooling window of ", window_height, "x",
                                                   window_width, " has more than 2^31 - 1 cells"));
  }
  return in().Validate();
}

std::string PoolShape::ToString() const {
  return absl::StrCat(batch, "x", channels, "x", in_height, "x", in_width, " -> ", out_height(),
                      "x", out_width(), " window ", window_height, "x", window_width, " s",
                      stride_height, "x", stride_width, " p", pad_top, ",", pad_bottom, ",",
                      pad_left, ",", pad_right);
}

absl::Status MaxPoolForward(const PoolShape& shape, Layout layout, ElementType type, const void* in,
                            void* out, void* positions) {
  RETURN_IF_ERROR(CheckArguments(shape, type));
  ForEachRow(KernelOf<MaxForward>(type, PositionType(shape.window_height, shape.window_width)),
             shape, layout, type, shape.in(), in, shape.out(), out, positions, false);
  return absl::OkStatus();
}

absl::Status MaxPoolBackward(const PoolShape& shape, Layout layout, ElementType type,
                             const void* out_gradient, const void* positions, void* in_gradient) {
  RETURN_IF_ERROR(CheckArguments(shape, type));
  ForEachRow(KernelOf<MaxBackward>(type, PositionType(shape.window_height, shape.window_width)),
             shape, layout, type, shape.out(), out_gradient, shape.in(), in_gradient,
             const_cast<void*>(positions), false);
  return absl::OkStatus();
}

absl::Status AveragePoolForward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                ElementType type, const void* in, void* out) {
  RETURN_IF_ERROR(CheckArguments(shape, type));
  ForEachRow(KernelOf<AverageForward>(type), shape, layout, type, shape.in(), in, shape.out(), out,
             nullptr, count_include_pad);
  return absl::OkStatus();
}

absl::Status AveragePoolBackward(const PoolShape& shape, bool count_include_pad, Layout layout,
                                 ElementType type, const void* out_gradient, void* in_gradient) {
  RETURN_IF_ERROR(CheckArguments(shape, type));
  ForEachRow(KernelOf<AverageBackward>(type), shape, layout, type, shape.out(), out_gradient,
             shape.in(), in_gradient, nullptr, count_include_pad);
  return absl::OkStatus();
}

}  // namespace cotangent::tensor
