#include "tensor/winograd.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/cpu.h"
#include "base/parallel.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kOutputs;
using winograd::kPoints;

// Columns of products that a thread turns into outputs at a time.
constexpr int64_t kGroupColumns = 64;
// What a thread may keep of the last cache, and what all threads keep there together. Threads share
// as little as they can: what another core has written is slow to come.
constexpr int64_t kFarBytes = 3 << 20;
constexpr int64_t kCommonBytes = 8 << 20;
// Fewer tiles at a time than this are not worth the loading of their weights.
constexpr int64_t kFewestTiles = 24;
constexpr int64_t kMostTiles = 192;
// Tiles, or pairs of them, whose transforms are worth another thread.
constexpr int64_t kFewestTogether = 4;
// Sums over the tiles, for each thread: each is a share of the work, and costs a pass over its
// numbers in the end, so there are fewer where those are as many as the transforms of its tiles.
constexpr int64_t kMostSumsPerThread = 4;
// Products go by so many rows.
constexpr int64_t kRowsAtOnce = 6;
constexpr int64_t kBlockTiles = 48;

constexpr char kName[] = "wino_4x3:", kTogetherName[] = "wino_4x3_together:";

// Pointers to the kSize x kSize pixels from (row, column) on; `outside` for those that are not in
// the image.
template <int kSize>
void PointAt(const char* images, int64_t image, int64_t height, int64_t width, int64_t pixel_bytes,
             int64_t row, int64_t column, const void* outside, winograd::Pixels& pixels) {
  const char* line = images + ((image * height + row) * width + column) * pixel_bytes;
  const bool inside = row >= 0 && row + kSize <= height && column >= 0 && column + kSize <= width;
  for (int r = 0; r < kSize; ++r, line += width * pixel_bytes) {
    if (inside) {
      for (int c = 0; c < kSize; ++c) pixels.at[r * kSize + c] = line + c * pixel_bytes;
      continue;
    }
    const bool row_inside = row + r >= 0 && row + r < height;
    for (int c = 0; c < kSize; ++c) {
      const bool pixel_inside = row_inside && column + c >= 0 && column + c < width;
      pixels.at[r * kSize + c] = pixel_inside ? line + c * pixel_bytes : outside;
    }
  }
}

// Calls transform(i, tile, next) for `count` tiles, which find(i, tile) points at; after the last
// comes any.
template <typename Tile, typename Find, typename Transform>
void ForEachTile(int64_t count, Find find, Transform transform) {
  if (count == 0) return;
  Tile tiles[2];
  find(0, tiles[0]);
  tiles[1] = tiles[0];
  for (int64_t i = 0; i < count; ++i) {
    if (i + 1 < count) find(i + 1, tiles[(i + 1) % 2]);
    transform(i, tiles[i % 2], tiles[(i + 1) % 2]);
  }
}

}  // namespace

bool WinogradConvolution::IsAvailable(const ConvolutionShape& s, ElementType type) {
  return HaveOwnKernels(type) && s.kernel_height == 3 && s.kernel_width == 3 &&
         s.stride_height == 1 && s.stride_width == 1 && s.dilation_height == 1 &&
         s.dilation_width == 1 && s.groups == 1 &&
         std::max(s.in_channels, s.out_channels) < (1 << 20);
}

std::vector<std::string> WinogradConvolution::Implementations(const ConvolutionShape& shape,
                                                              Direction direction,
                                                              ElementType type) {
  if (!IsAvailable(shape, type)) return {};
  std::vector<std::string> names = {kName + OwnKernelsName(type)};
  if (direction == Direction::kWeightGradient) {
    const WinogradConvolution usual(shape, direction, type, names[0]);
    if (usual.by_thread_ && usual.threads_ > 1 && usual.packed_weight_bytes() > SecondCacheBytes())
      names.push_back(kTogetherName + OwnKernelsName(type));
  }
  return names;
}

bool WinogradConvolution::CanPool(const ConvolutionShape& s) {
  return s.pad_top == 1 && s.pad_left == 1 && s.out_height() >= 2 && s.out_width() >= 2;
}

bool WinogradConvolution::IsImplementation(const std::string& implementation, ElementType type) {
  return implementation == kName + OwnKernelsName(type) ||
         implementation == kTogetherName + OwnKernelsName(type);
}

WinogradConvolution::WinogradConvolution(const ConvolutionShape& s, Direction direction,
                                         ElementType type, const std::string& implementation,
                                         bool relu, bool pooled)
    : kernels_(WinogradKernels()),
      products_(ProductKernels()),
      panels_(products_, direction == Direction::kInputGradient ? s.in_channels : s.out_channels),
      implementation_(implementation),
      direction_(direction),
      bf16_(type == ElementType::kBf16),
      relu_(relu),
      pooled_(pooled),
      pad_top_(s.pad_top),
      pad_left_(s.pad_left),
      threads_(Threads()) {
  source_ = {s.in_channels, s.in_height, s.in_width};
  target_ = {s.out_channels, s.out_height(), s.out_width()};
  if (direction == Direction::kInputGradient) {
    std::swap(source_, target_);
    pad_top_ = 2 - pad_top_, pad_left_ = 2 - pad_left_;
  }
  tile_rows_ = DivideUp(target_.height, kOutputs),
  tile_columns_ = DivideUp(target_.width, kOutputs);
  tiles_ = s.batch * tile_rows_ * tile_columns_;
  const bool gradient = direction == Direction::kWeightGradient;
  // Bytes of the sums over all tiles, and of what a tile takes beside them: its transforms, and
  // products that are not summed.
  const int64_t sums = gradient ? packed_weight_bytes() : 0;
  by_thread_ = gradient ? threads_ * sums <= tiles_ * kPoints * (SourceRow() + GradientRow())
                        : tiles_ >= threads_ * kFewestTiles;
  if (implementation == kTogetherName + OwnKernelsName(type)) by_thread_ = false;
  if (gradient && by_thread_ && threads_ > 1) {
    const int64_t transforms = tiles_ * kPoints * (SourceRow() + GradientRow());
    sums_ =
        threads_ * std::clamp<int64_t>(transforms / (4 * threads_ * sums), 1, kMostSumsPerThread);
  }
  const int64_t tile_bytes =
      kPoints * (SourceRow() + (gradient ? GradientRow() : ProductRow() * 4));
  if (by_thread_) {
    const int64_t near = (SecondCacheBytes() / 8 * 7 - sums) / tile_bytes,
                  far = kFarBytes / tile_bytes;
    const int64_t most =
        near >= kFewestTiles ? std::min(near, kMostTiles) : std::max(far, kFewestTiles);
    const int64_t share = DivideUp(tiles_, gradient ? sums_ : threads_);
    chunk_ = RoundUp(DivideUp(share, DivideUp(share, most)), kRowsAtOnce);
  } else {
    // The sums pass through the caches once a chunk, which should be worth it.
    const int64_t blocks = std::max(kCommonBytes, sums / 2) / (tile_bytes * kBlockTiles);
    chunk_ = std::min(std::max(blocks, int64_t{1}) * kBlockTiles, RoundUp(tiles_, 2));
  }
}

int64_t WinogradConvolution::PanelWidth(int64_t channels) const {
  return std::min(panels_.width(), RoundUp(channels, lanes()));
}
int64_t WinogradConvolution::WidthBytes(int64_t channels) const {
  return PanelWidth(channels) * element_bytes();
}
int64_t WinogradConvolution::SourceRow() const {
  return direction_ == Direction::kWeightGradient
             ? RoundUp(source_.channels, PanelWidth(source_.channels)) * element_bytes()
             : Depth(source_.channels) * 4;
}
int64_t WinogradConvolution::GradientRow() const {
  return RoundUp(target_.channels, PanelWidth(target_.channels)) * element_bytes();
}
winograd::Places WinogradConvolution::GradientPlaces(int64_t channels, int64_t point_stride) const {
  return {.point = point_stride,
          .panel = RoundUp(chunk_, 2) * WidthBytes(channels),
          .width = PanelWidth(channels)};
}
int64_t WinogradConvolution::SourcePointStride() const {
  return Spread(RoundUp(chunk_, 2) * SourceRow());
}
int64_t WinogradConvolution::GradientPointStride() const {
  return Spread(RoundUp(chunk_, 2) * GradientRow());
}
int64_t WinogradConvolution::ProductRow() const {
  const int64_t columns = RoundUp(target_.channels, lanes());
  return by_thread_ ? std::min(kGroupColumns, columns) : columns;
}
int64_t WinogradConvolution::ProductPointStride() const {
  return Spread(chunk_ * ProductRow() * 4) / 4;
}
int64_t WinogradConvolution::ZeroBytes() const {
  return RoundUp(std::max(source_.channels, target_.channels) * 4, 64) + 64;
}
int64_t WinogradConvolution::lanes() const { return products_.lanes; }

int64_t WinogradConvolution::WeightPointStride(int64_t panel) const {
  return Spread(Depth(source_.channels) * panels_.Columns(panel) * 4);
}

int64_t WinogradConvolution::packed_weight_bytes() const {
  if (direction_ == Direction::kWeightGradient)
    return kPoints * source_.channels * RoundUp(target_.channels, lanes()) * 4;
  return kPoints *
         ((panels_.count() - 1) * WeightPointStride(0) + WeightPointStride(panels_.count() - 1));
}

int64_t WinogradConvolution::scratch_bytes() const {
  const int64_t copies = by_thread_ ? threads_ : 1;
  if (direction_ == Direction::kWeightGradient) {
    return ZeroBytes() + copies * kPoints * (SourcePointStride() + GradientPointStride()) +
           (sums_ - 1) * packed_weight_bytes();
  }
  return ZeroBytes() + copies * kPoints * (SourcePointStride() + ProductPointStride() * 4);
}

void WinogradConvolution::PackWeights(const float* oihw, void* packed) const {
  // Taps of (source channel k, target channel n).
  const bool rotated = direction_ == Direction::kInputGradient;
  const int64_t row_stride = rotated ? 9 * target_.channels : 9;
  const int64_t column_stride = rotated ? 9 : 9 * source_.channels;
  const int64_t pieces = DivideUp(source_.channels, 2);
  ParallelRanges(panels_.count() * pieces, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / pieces, piece = i % pieces;
      const int64_t vectors = panels_.Vectors(panel), column = panel * panels_.width(),
                    columns = std::min(panels_.width(), target_.channels - column);
      const int64_t rows = std::min<int64_t>(2, source_.channels - piece * 2);
      char* out = static_cast<char*>(packed) + panel * kPoints * WeightPointStride(0) +
                  Depth(2 * piece) * vectors * lanes() * 4;
      kernels_.transform_weights(bf16_, oihw + 2 * piece * row_stride + column * column_stride,
                                 rows, columns, row_stride, column_stride, rotated, vectors, out,
                                 WeightPointStride(panel));
    }
  });
}

void WinogradConvolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  const int64_t row = RoundUp(target_.channels, lanes());
  ParallelRanges(source_.channels, LeastItems(kPoints * row), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      kernels_.transform_weight_gradient(static_cast<const float*>(packed) + c * row,
                                         source_.channels * row, target_.channels, oihw + c * 9,
                                         source_.channels * 9);
    }
  });
}

WinogradConvolution::Tile WinogradConvolution::TileAt(int64_t index) const {
  const int64_t column = index % tile_columns_, rest = index / tile_columns_;
  return {rest / tile_rows_, rest % tile_rows_ * kOutputs, column * kOutputs};
}

template <int kSide>
void WinogradConvolution::PointAtWindows(const ConvolutionArguments& arguments, int64_t image,
                                         int64_t row, int64_t column, int64_t channel,
                                         const void* outside, winograd::Windows& windows) const {
  const Side& side = direction_ == Direction::kInputGradient ? source_ : target_;
  const int64_t height = side.height / 2, width = side.width / 2;
  const char* const values = static_cast<const char*>(arguments.out) + channel * element_bytes();
  PointAt<kSide>(values, image, height, width, side.channels * element_bytes(), row, column,
                 outside, windows.value);
  if (arguments.positions != nullptr) {
    PointAt<kSide>(reinterpret_cast<const char*>(arguments.positions) + channel, image, height,
                   width, side.channels, row, column, outside, windows.position);
  } else {
    windows.position = {};
  }
}

// ---- Forward, and the gradient by the input ---------------------------------------------------------------------------

void WinogradConvolution::TransformSource(const ConvolutionArguments& arguments, const char* zeros,
                                          int64_t first, int64_t count, char* points) const {
  const winograd::Places places = {.point = SourcePointStride(), .width = source_.channels};
  if (pooled_ && direction_ == Direction::kInputGradient) {
    ForEachTile<winograd::Windows>(
        count,
        [&](int64_t t, winograd::Windows& windows) {
          // A tile begins a row and a column before a window does.
          const Tile tile = TileAt(first + t);
          PointAtWindows<4>(arguments, tile.image, tile.row / 2 - 1, tile.column / 2 - 1, 0, zeros,
                            windows);
        },
        [&](int64_t t, const winograd::Windows& tile, const winograd::Windows& next) {
          kernels_.transform_pooled_input(bf16_, tile, next, source_.channels,
                                          points + t * SourceRow(), places);
        });
    return;
  }
  const char* const source =
      static_cast<const char*>(direction_ == Direction::kForward ? arguments.in : arguments.out);
  ForEachTile<winograd::Pixels>(
      count,
      [&](int64_t t, winograd::Pixels& pixels) {
        const Tile tile = TileAt(first + t);
        PointAt<kInputs>(source, tile.image, source_.height, source_.width,
                         source_.channels * element_bytes(), tile.row - pad_top_,
                         tile.column - pad_left_, zeros, pixels);
      },
      [&](int64_t t, const winograd::Pixels& tile, const winograd::Pixels& next) {
        kernels_.transform_input(bf16_, tile, next, source_.channels, points + t * SourceRow(),
                                 places);
      });
}

void WinogradConvolution::MultiplyPanel(const ConvolutionArguments& arguments, int point,
                                        int64_t panel, int64_t tiles, const char* points,
                                        float* products) const {
  const int64_t vectors = panels_.Vectors(panel);
  const char* weights =
      static_cast<const char*>(arguments.weights) + panel * kPoints * WeightPointStride(0);
  products_.multiply(bf16_, {.rows = tiles,
                             .vectors = vectors,
                             .depth = Depth(source_.channels),
                             .a = points + point * SourcePointStride(),
                             .a_row = SourceRow(),
                             .a_step = 4,
                             .b = weights + point * WeightPointStride(panel),
                             .b_step = vectors * lanes() * 4,
                             .c = products + point * ProductPointStride(),
                             .c_row = ProductRow()});
}

void WinogradConvolution::TransformTarget(const ConvolutionArguments& arguments, int64_t first,
                                          int64_t count, int64_t channel,
                                          const float* products) const {
  const bool forward = direction_ == Direction::kForward;
  const int64_t pixel_bytes = target_.channels * element_bytes(),
                channels = std::min(ProductRow(), target_.channels - channel);
  const char* target =
      static_cast<const char*>(forward ? arguments.out : arguments.in) + channel * element_bytes();
  winograd::Finish finish{.relu = relu_};
  if (forward && arguments.bias != nullptr)
    finish.bias = static_cast<const float*>(arguments.bias) + channel;
  const char* addend = forward && arguments.addend != nullptr
                           ? static_cast<const char*>(arguments.addend) + channel * element_bytes()
                           : nullptr;
  if (addend != nullptr) finish.addend_offset = addend - target;
  finish.add = addend != nullptr;
  if (pooled_ && forward) {
    ForEachTile<winograd::Windows>(
        count,
        [&](int64_t t, winograd::Windows& windows) {
          const Tile tile = TileAt(first + t);
          PointAtWindows<2>(arguments, tile.image, tile.row / 2, tile.column / 2, channel, nullptr,
                            windows);
        },
        [&](int64_t t, const winograd::Windows& tile, const winograd::Windows& next) {
          kernels_.transform_pooled_output(bf16_, products + t * ProductRow(), ProductPointStride(),
                                           channels, finish, tile, next);
        });
    return;
  }
  ForEachTile<winograd::Pixels>(
      count,
      [&](int64_t t, winograd::Pixels& pixels) {
        const Tile tile = TileAt(first + t);
        PointAt<kOutputs>(target, tile.image, target_.height, target_.width, pixel_bytes, tile.row,
                          tile.column, nullptr, pixels);
      },
      [&](int64_t t, const winograd::Pixels& tile, const winograd::Pixels& next) {
        kernels_.transform_output(bf16_, products + t * ProductRow(), ProductPointStride(),
                                  channels, finish, tile, next);
      });
}

void WinogradConvolution::RunForwardByThread(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  const int64_t own_bytes = kPoints * (SourcePointStride() + ProductPointStride() * 4);
  ParallelFor(DivideUp(tiles_, chunk_), [&](int64_t share, int thread) {
    const int64_t first = share * chunk_, tiles = std::min(chunk_, tiles_ - first);
    char* points = zeros + ZeroBytes() + thread * own_bytes;
    float* products = reinterpret_cast<float*>(points + kPoints * SourcePointStride());
    TransformSource(arguments, zeros, first, tiles, points);
    for (int64_t channel = 0; channel < target_.channels; channel += kGroupColumns) {
      const int64_t panel = channel / panels_.width(),
                    end_panel = std::min(panel + kGroupColumns / panels_.width(), panels_.count());
      for (int p = 0; p < kPoints; ++p) {
        for (int64_t i = panel; i < end_panel; ++i)
          MultiplyPanel(arguments, p, i, tiles, points, products + (i - panel) * panels_.width());
      }
      TransformTarget(arguments, first, tiles, channel, products);
    }
  });
}

void WinogradConvolution::RunForwardTogether(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  char* points = zeros + ZeroBytes();
  float* products = reinterpret_cast<float*>(points + kPoints * SourcePointStride());
  for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
    const int64_t count = std::min(chunk_, tiles_ - begin);
    ParallelRanges(count, kFewestTogether, [&](int64_t first, int64_t last) {
      TransformSource(arguments, zeros, begin + first, last - first, points + first * SourceRow());
    });
    ParallelRanges(kPoints * panels_.count(), 1, [&](int64_t task, int64_t end) {
      for (int64_t i = task; i < end; ++i) {
        MultiplyPanel(arguments, static_cast<int>(i / panels_.count()), i % panels_.count(), count,
                      points, products + i % panels_.count() * panels_.width());
      }
    });
    ParallelRanges(count, kFewestTogether, [&](int64_t first, int64_t last) {
      TransformTarget(arguments, begin + first, last - first, 0, products + first * ProductRow());
    });
  }
}

// ---- The gradient by the weights ----------------------------------------------------------------------------------

template <typename Gradient>
void WinogradConvolution::TransformPairs(const ConvolutionArguments& arguments, const char* zeros,
                                         int64_t first, int64_t count, char* in_points,
                                         char* out_points) const {
  constexpr bool kPooled = std::is_same_v<Gradient, winograd::Windows>;
  struct Both {
    winograd::Pair<winograd::Pixels> in;
    winograd::Pair<Gradient> out;
  };
  const int64_t in_bytes = WidthBytes(source_.channels), out_bytes = WidthBytes(target_.channels);
  const winograd::Places in_places = GradientPlaces(source_.channels, SourcePointStride()),
                         out_places = GradientPlaces(target_.channels, GradientPointStride());
  const auto point_at = [&](int64_t t, winograd::Pixels& in, Gradient& out) {
    const Tile tile = TileAt(std::min(t, tiles_ - 1));
    const int64_t below =
        t < tiles_ ? 0 : source_.height + target_.height;  // a tile beyond the last is all zeros
    PointAt<kInputs>(static_cast<const char*>(arguments.in), tile.image, source_.height,
                     source_.width, source_.channels * element_bytes(), tile.row - pad_top_ + below,
                     tile.column - pad_left_, zeros, in);
    if constexpr (kPooled) {
      PointAtWindows<2>(arguments, tile.image, tile.row / 2 + below, tile.column / 2, 0, zeros,
                        out);
    } else {
      PointAt<kOutputs>(static_cast<const char*>(arguments.out), tile.image, target_.height,
                        target_.width, target_.channels * element_bytes(), tile.row + below,
                        tile.column, zeros, out);
    }
  };
  const auto transform_gradient = [&](const Gradient& tile, const Gradient& next, char* points) {
    if constexpr (kPooled)
      kernels_.transform_pooled_gradient(false, tile, next, target_.channels, points, out_places);
    else
      kernels_.transform_gradient(false, tile, next, target_.channels, points, out_places);
  };
  const auto transform_gradient_pair = [&](const winograd::Pair<Gradient>& tiles,
                                           const winograd::Pair<Gradient>& next, char* points) {
    if constexpr (kPooled)
      kernels_.transform_pooled_gradient_pair(tiles, next, target_.channels, points, out_places);
    else
      kernels_.transform_gradient_pair(tiles, next, target_.channels, points, out_places);
  };
  ForEachTile<Both>(
      count,
      [&](int64_t i, Both& pair) {
        point_at(first + 2 * i, pair.in.first, pair.out.first);
        point_at(first + 2 * i + 1, pair.in.second, pair.out.second);
      },
      [&](int64_t i, const Both& pair, const Both& next) {
        char* const in = in_points + 2 * i * in_bytes;
        char* const out = out_points + 2 * i * out_bytes;
        if (bf16_) {
          kernels_.transform_input_pair(pair.in, next.in, source_.channels, in, in_places);
          transform_gradient_pair(pair.out, next.out, out);
        } else {
          kernels_.transform_input(false, pair.in.first, next.in.first, source_.channels, in,
                                   in_places);
          kernels_.transform_input(false, pair.in.second, next.in.second, source_.channels,
                                   in + in_bytes, in_places);
          transform_gradient(pair.out.first, next.out.first, out);
          transform_gradient(pair.out.second, next.out.second, out + out_bytes);
        }
      });
}

void WinogradConvolution::TransformChunk(const ConvolutionArguments& arguments, const char* zeros,
                                         int64_t first, int64_t count, char* in_points,
                                         char* out_points) const {
  if (pooled_) {
    TransformPairs<winograd::Windows>(arguments, zeros, first, count, in_points, out_points);
  } else {
    TransformPairs<winograd::Pixels>(arguments, zeros, first, count, in_points, out_points);
  }
}

void WinogradConvolution::WeightGradientPanel(int point, int64_t panel, int64_t pairs,
                                              const char* in_points, const char* out_points,
                                              float* sums, bool accumulate) const {
  const int64_t columns = RoundUp(target_.channels, lanes()), width = PanelWidth(target_.channels);
  const int64_t row = panel * PanelWidth(source_.channels),
                rows = std::min(PanelWidth(source_.channels), source_.channels - row);
  const winograd::Places in = GradientPlaces(source_.channels, SourcePointStride()),
                         out = GradientPlaces(target_.channels, GradientPointStride());
  for (int64_t n = 0; n < columns; n += width) {
    products_.multiply(bf16_, {.rows = rows,
                               .vectors = std::min(width, columns - n) / lanes(),
                               .depth = Depth(2 * pairs),
                               .a = in_points + point * in.point + panel * in.panel,
                               .a_row = 4,
                               .a_step = in.width * 4,
                               .b = out_points + point * out.point + n / width * out.panel,
                               .b_step = out.width * 4,
                               .c = sums + (point * source_.channels + row) * columns + n,
                               .c_row = columns,
                               .accumulate = accumulate});
  }
}

// Every thread sums its own tiles; the sums are added in the end.
void WinogradConvolution::RunWeightGradientByThread(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  const int64_t own_bytes = kPoints * (SourcePointStride() + GradientPointStride()),
                floats = packed_weight_bytes() / 4;
  const int64_t source_panels = DivideUp(source_.channels, PanelWidth(source_.channels));
  float* total = static_cast<float*>(arguments.weights);
  float* others = reinterpret_cast<float*>(zeros + ZeroBytes() + threads_ * own_bytes);
  ParallelFor(sums_, [&](int64_t share, int thread) {
    char* in_points = zeros + ZeroBytes() + thread * own_bytes;
    char* out_points = in_points + kPoints * SourcePointStride();
    float* sums = share == 0 ? total : others + (share - 1) * floats;
    if (target_.channels % lanes() != 0)
      std::memset(out_points, 0, kPoints * GradientPointStride());
    const auto [begin, end] = PartOf(DivideUp(tiles_, 2), share, sums_);
    if (begin == end) std::memset(sums, 0, floats * sizeof(float));
    for (int64_t first = begin; first < end; first += chunk_ / 2) {
      const int64_t pairs = std::min(chunk_ / 2, end - first);
      TransformChunk(arguments, zeros, 2 * first, pairs, in_points, out_points);
      for (int p = 0; p < kPoints; ++p) {
        for (int64_t i = 0; i < source_panels; ++i)
          WeightGradientPanel(p, i, pairs, in_points, out_points, sums, first > begin);
      }
    }
  });
  ParallelRanges(floats, LeastItems(sums_), [&](int64_t from, int64_t to) {
    for (int64_t other = 0; other < sums_ - 1; ++other) {
      for (int64_t i = from; i < to; ++i) total[i] += others[other * floats + i];
    }
  });
}

void WinogradConvolution::RunWeightGradientTogether(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  char* in_points = zeros + ZeroBytes();
  char* out_points = in_points + kPoints * SourcePointStride();
  if (target_.channels % lanes() != 0) std::memset(out_points, 0, kPoints * GradientPointStride());
  const int64_t source_panels = DivideUp(source_.channels, PanelWidth(source_.channels));
  for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
    const int64_t pairs = DivideUp(std::min(chunk_, tiles_ - begin), 2);
    ParallelRanges(pairs, kFewestTogether, [&](int64_t first, int64_t last) {
      TransformChunk(arguments, zeros, begin + 2 * first, last - first,
                     in_points + 2 * first * WidthBytes(source_.channels),
                     out_points + 2 * first * WidthBytes(target_.channels));
    });
    ParallelRanges(kPoints * source_panels, 1, [&](int64_t task, int64_t end) {
      for (int64_t i = task; i < end; ++i) {
        WeightGradientPanel(static_cast<int>(i / source_panels), i % source_panels, pairs,
                            in_points, out_points, static_cast<float*>(arguments.weights),
                            begin > 0);
      }
    });
  }
}

void WinogradConvolution::Run(const ConvolutionArguments& arguments) const {
  if (direction_ == Direction::kWeightGradient) {
    by_thread_ ? RunWeightGradientByThread(arguments) : RunWeightGradientTogether(arguments);
  } else {
    by_thread_ ? RunForwardByThread(arguments) : RunForwardTogether(arguments);
  }
}

}  // namespace cotangent::tensor
