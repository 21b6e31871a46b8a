// Weight gradients of Winograd's convolutions (winograd.h), which are sums over tiles. In bf16,
// tiles are processed in pairs whose numbers lie side by side, as one step of a product takes them.
//
// A tile is 4x4 pixels of the output side with the 6x6 pixels of the input side that they depend
// on. A point is one of the 36 elements of a transformed tile. A panel is some adjacent channels
// that the product kernel processes at once, and a chunk is the tiles that are processed at a time.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "base/cpu.h"
#include "base/parallel.h"
#include "tensor/winograd.h"
#include "tensor/winograd_pooling.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kOutputs;
using winograd::kPoints;

// The tiles are divided into at most this many shares per thread. Each share has sums of its own,
// and a thread that is done early takes another share. At the end the sums of all shares are added,
// so there are fewer shares if the sums are large compared with the transformed tiles. The number
// was found by measuring, as winograd.cc describes.
constexpr int64_t kMostSumsPerThread = 4;

class WinogradWeightGradient final : public WinogradConvolution {
 public:
  explicit WinogradWeightGradient(const WinogradOptions& options);

  bool LeavesCaches() const {
    return by_thread_ && threads_ > 1 && packed_weight_bytes() > SecondCacheBytes();
  }

  int64_t packed_weight_bytes() const override {
    return kPoints * source_.channels * RoundUp(target_.channels, lanes()) * 4;
  }
  int64_t scratch_bytes() const override;
  void PackWeights(const float*, void*) const override {}
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override {
    by_thread_ ? RunByThread(arguments) : RunTogether(arguments);
  }

 private:
  // Transforms `count` pairs of tiles from tile `first` on, on both sides. `Gradient` is Pixels, or
  // Windows if the output side is pooled.
  template <typename Gradient>
  void TransformPairs(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                      int64_t count, char* in_points, char* out_points) const;
  void TransformChunk(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                      int64_t count, char* in_points, char* out_points) const;
  // Computes the products of `pairs` pairs of tiles at one point, for the input channels of one
  // panel and all output channels.
  void MultiplyPanel(int point, int64_t panel, int64_t pairs, const char* in_points,
                     const char* out_points, float* sums, bool accumulate) const;
  // Each thread computes sums over its shares of the tiles; at the end the sums of all shares are
  // added.
  void RunByThread(const ConvolutionArguments& arguments) const;
  // All threads transform one chunk of tiles, then divide the chunk's products among each other.
  // Used if the sums of all threads would be larger than the transformed tiles, or if
  // WinogradOptions::together asks for it.
  void RunTogether(const ConvolutionArguments& arguments) const;

  // Both sides store the transformed tiles of a chunk point by point, and at each point in panels
  // of PanelWidth() channels: all tiles of the first panel, then all of the next. At one point,
  // each tile (in bf16, each pair of tiles) is one step of a product.
  int64_t PanelWidth(int64_t channels) const {
    return std::min(panels_.width(), RoundUp(channels, lanes()));
  }
  // Bytes of one tile at one point: WidthBytes() counts the channels of one panel, RowBytes() those
  // of all panels.
  int64_t WidthBytes(int64_t channels) const { return PanelWidth(channels) * element_bytes(); }
  int64_t RowBytes(int64_t channels) const {
    return RoundUp(channels, PanelWidth(channels)) * element_bytes();
  }
  // Bytes from one point's tiles to the next point's.
  int64_t PointStride(int64_t channels) const {
    return PadAgainstCacheAliasing(RoundUp(chunk_, 2) * RowBytes(channels));
  }
  winograd::Places PlacesOf(int64_t channels) const {
    return {.point = PointStride(channels),
            .panel = RoundUp(chunk_, 2) * WidthBytes(channels),
            .width = PanelWidth(channels)};
  }

  int64_t sums_ = 1;  // if by_thread_: number of shares, each with its own sums
};

WinogradWeightGradient::WinogradWeightGradient(const WinogradOptions& options)
    : WinogradConvolution(options) {
  const int64_t tile_bytes = kPoints * (RowBytes(source_.channels) + RowBytes(target_.channels));
  const int64_t transforms_bytes = tiles_ * tile_bytes, sums_bytes = packed_weight_bytes();
  by_thread_ = threads_ * sums_bytes <= transforms_bytes && !options.together;
  if (!by_thread_) {
    chunk_ = TilesTogether(tile_bytes, sums_bytes);
    return;
  }
  if (threads_ > 1) {
    sums_ = threads_ * std::clamp<int64_t>(transforms_bytes / (4 * threads_ * sums_bytes), 1,
                                           kMostSumsPerThread);
  }
  chunk_ = TilesByThread(tile_bytes, sums_bytes, sums_);
}

int64_t WinogradWeightGradient::scratch_bytes() const {
  const int64_t copies = by_thread_ ? threads_ : 1;
  return ZeroBytes() +
         copies * kPoints * (PointStride(source_.channels) + PointStride(target_.channels)) +
         (sums_ - 1) * packed_weight_bytes();
}

void WinogradWeightGradient::UnpackWeightGradient(const void* packed, float* oihw) const {
  const int64_t row = RoundUp(target_.channels, lanes());
  ParallelRanges(source_.channels, LeastItems(kPoints * row), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      kernels_.transform_weight_gradient(static_cast<const float*>(packed) + c * row,
                                         source_.channels * row, target_.channels, oihw + c * 9,
                                         source_.channels * 9);
    }
  });
}

template <typename Gradient>
void WinogradWeightGradient::TransformPairs(const ConvolutionArguments& arguments,
                                            const char* zeros, int64_t first, int64_t count,
                                            char* in_points, char* out_points) const {
  constexpr bool kPooled = std::is_same_v<Gradient, winograd::Windows>;
  struct Both {
    winograd::Pair<winograd::Pixels> in;
    winograd::Pair<Gradient> out;
  };
  const int64_t in_bytes = WidthBytes(source_.channels), out_bytes = WidthBytes(target_.channels);
  const winograd::Places in_places = PlacesOf(source_.channels),
                         out_places = PlacesOf(target_.channels);
  const PooledImages pooled =
      PooledImages::Of(arguments, target_.channels, target_.height, target_.width, element_bytes());
  const auto point_at = [&](int64_t t, winograd::Pixels& in, Gradient& out) {
    const Tile tile = TileAt(std::min(t, tiles_ - 1));
    const int64_t below =
        t < tiles_ ? 0 : source_.height + target_.height;  // below the image, where all is zero
    PointAt<kInputs>(static_cast<const char*>(arguments.in), tile.image, source_.height,
                     source_.width, source_.channels * element_bytes(), tile.row - pad_top_ + below,
                     tile.column - pad_left_, zeros, in);
    if constexpr (kPooled) {
      pooled.PointAtWindows<2>(tile.image, tile.row / 2 + below, tile.column / 2, 0, zeros, out);
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

void WinogradWeightGradient::TransformChunk(const ConvolutionArguments& arguments,
                                            const char* zeros, int64_t first, int64_t count,
                                            char* in_points, char* out_points) const {
  if (pooled_) {
    TransformPairs<winograd::Windows>(arguments, zeros, first, count, in_points, out_points);
  } else {
    TransformPairs<winograd::Pixels>(arguments, zeros, first, count, in_points, out_points);
  }
}

void WinogradWeightGradient::MultiplyPanel(int point, int64_t panel, int64_t pairs,
                                           const char* in_points, const char* out_points,
                                           float* sums, bool accumulate) const {
  const int64_t columns = RoundUp(target_.channels, lanes()), width = PanelWidth(target_.channels);
  const int64_t row = panel * PanelWidth(source_.channels),
                rows = std::min(PanelWidth(source_.channels), source_.channels - row);
  const winograd::Places in = PlacesOf(source_.channels), out = PlacesOf(target_.channels);
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

void WinogradWeightGradient::RunByThread(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  const int64_t own_bytes =
                    kPoints * (PointStride(source_.channels) + PointStride(target_.channels)),
                floats = packed_weight_bytes() / 4;
  const int64_t source_panels = DivideUp(source_.channels, PanelWidth(source_.channels));
  float* total = static_cast<float*>(arguments.weights);
  float* others = reinterpret_cast<float*>(zeros + ZeroBytes() + threads_ * own_bytes);
  ParallelFor(sums_, [&](int64_t share, int thread) {
    char* in_points = zeros + ZeroBytes() + thread * own_bytes;
    char* out_points = in_points + kPoints * PointStride(source_.channels);
    float* sums = share == 0 ? total : others + (share - 1) * floats;
    if (target_.channels % lanes() != 0)
      std::memset(out_points, 0, kPoints * PointStride(target_.channels));
    const auto [begin, end] = PartOf(DivideUp(tiles_, 2), share, sums_);
    if (begin == end) std::memset(sums, 0, floats * sizeof(float));
    for (int64_t first = begin; first < end; first += chunk_ / 2) {
      const int64_t pairs = std::min(chunk_ / 2, end - first);
      TransformChunk(arguments, zeros, 2 * first, pairs, in_points, out_points);
      for (int p = 0; p < kPoints; ++p) {
        for (int64_t i = 0; i < source_panels; ++i)
          MultiplyPanel(p, i, pairs, in_points, out_points, sums, first > begin);
      }
    }
  });
  ParallelRanges(floats, LeastItems(sums_), [&](int64_t from, int64_t to) {
    for (int64_t other = 0; other < sums_ - 1; ++other) {
      for (int64_t i = from; i < to; ++i) total[i] += others[other * floats + i];
    }
  });
}

void WinogradWeightGradient::RunTogether(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  char* in_points = zeros + ZeroBytes();
  char* out_points = in_points + kPoints * PointStride(source_.channels);
  if (target_.channels % lanes() != 0)
    std::memset(out_points, 0, kPoints * PointStride(target_.channels));
  const int64_t source_panels = DivideUp(source_.channels, PanelWidth(source_.channels));
  for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
    const int64_t pairs = DivideUp(std::min(chunk_, tiles_ - begin), 2);
    ParallelRanges(pairs, kLeastTilesPerTask, [&](int64_t first, int64_t last) {
      TransformChunk(arguments, zeros, begin + 2 * first, last - first,
                     in_points + 2 * first * WidthBytes(source_.channels),
                     out_points + 2 * first * WidthBytes(target_.channels));
    });
    ParallelRanges(kPoints * source_panels, 1, [&](int64_t task, int64_t end) {
      for (int64_t i = task; i < end; ++i) {
        MultiplyPanel(static_cast<int>(i / source_panels), i % source_panels, pairs, in_points,
                      out_points, static_cast<float*>(arguments.weights), begin > 0);
      }
    });
  }
}

}  // namespace

std::unique_ptr<ConvolutionImplementation> MakeWinogradWeightGradient(
    const WinogradOptions& options) {
  return std::make_unique<WinogradWeightGradient>(options);
}

bool WeightGradientLeavesCaches(const WinogradOptions& options) {
  return WinogradWeightGradient(options).LeavesCaches();
}

}  // namespace cotangent::tensor
