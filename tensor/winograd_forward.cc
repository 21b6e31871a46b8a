// Winograd's convolutions (winograd.h) in the forward direction, and their input gradients, which
// are forward convolutions with the kernel rotated and its input and output channels exchanged.
//
// "Source" is the side of the convolution that is read, "target" the side that is written. A tile
// is 4x4 pixels of the target with the 6x6 pixels of the source that they depend on. A point is one
// of the 36 elements of a transformed tile. A panel is the target channels that the product kernel
// computes at once, and a chunk is the tiles that are processed at a time.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/parallel.h"
#include "tensor/winograd.h"
#include "tensor/winograd_pooling.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kOutputs;
using winograd::kPoints;

// Columns of products (target channels) that a thread turns into outputs at a time.
constexpr int64_t kGroupColumns = 64;

class WinogradForward final : public WinogradConvolution {
 public:
  explicit WinogradForward(const WinogradOptions& options);

  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override {
    by_thread_ ? RunByThread(arguments) : RunTogether(arguments);
  }

 private:
  // Transforms tiles [first, first + count) of the source. The result of the first of them goes to
  // `points`.
  void TransformSource(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                       int64_t count, char* points) const;
  // Does what TransformSource() does if the source is the gradient of a pooled output.
  void TransformPooledSource(const ConvolutionArguments& arguments, const char* zeros,
                             int64_t first, int64_t count, char* points) const;
  // Computes the products of one panel of target channels at one point, for the first `tiles` tiles
  // in `points`.
  void MultiplyPanel(const ConvolutionArguments& arguments, int point, int64_t panel, int64_t tiles,
                     const char* points, float* products) const;
  // Computes the outputs of tiles [first, first + count) for the channels from `channel` on, as
  // many as a row of products has.
  void TransformTarget(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                       int64_t channel, const float* products) const;
  // Does what TransformTarget() does, and max-pools the outputs.
  void TransformPooledTarget(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                             int64_t channel, const winograd::Finish& finish,
                             const float* products) const;
  // Each thread transforms a chunk of tiles and multiplies them while they are in its own cache.
  void RunByThread(const ConvolutionArguments& arguments) const;
  // Used for few tiles, or if WinogradOptions::together asks for it: all threads transform one
  // chunk of tiles, then divide the chunk's products among each other by points and panels, so that
  // the weights are read only once for each chunk.
  void RunTogether(const ConvolutionArguments& arguments) const;

  // SourceRow(): bytes of one tile at one point. SourcePointStride(): bytes from one point of a
  // chunk to the next.
  int64_t SourceRow() const { return Depth(source_.channels) * 4; }
  int64_t SourcePointStride() const {
    return PadAgainstCacheAliasing(RoundUp(chunk_, 2) * SourceRow());
  }
  // ProductRow(): floats of one tile's products at one point. ProductPointStride(): floats from the
  // products at one point of a chunk to those at the next.
  int64_t ProductRow() const;
  int64_t ProductPointStride() const {
    return PadAgainstCacheAliasing(chunk_ * ProductRow() * 4) / 4;
  }
  int64_t WeightPointStride(int64_t panel) const {  // bytes from one point to the next
    return PadAgainstCacheAliasing(Depth(source_.channels) * panels_.Columns(panel) * 4);
  }

  const bool relu_;
};

WinogradForward::WinogradForward(const WinogradOptions& options)
    : WinogradConvolution(options), relu_(options.relu) {
  by_thread_ = tiles_ >= threads_ * kLeastTilesByThread && !options.together;
  const int64_t tile_bytes = kPoints * (SourceRow() + ProductRow() * 4);
  chunk_ = by_thread_ ? TilesByThread(tile_bytes, 0, threads_) : TilesTogether(tile_bytes, 0);
}

int64_t WinogradForward::ProductRow() const {
  const int64_t columns = RoundUp(target_.channels, lanes());
  return by_thread_ ? std::min(kGroupColumns, columns) : columns;
}

int64_t WinogradForward::packed_weight_bytes() const {
  return kPoints *
         ((panels_.count() - 1) * WeightPointStride(0) + WeightPointStride(panels_.count() - 1));
}

int64_t WinogradForward::scratch_bytes() const {
  const int64_t copies = by_thread_ ? threads_ : 1;
  return ZeroBytes() + copies * kPoints * (SourcePointStride() + ProductPointStride() * 4);
}

void WinogradForward::PackWeights(const float* oihw, void* packed) const {
  // Distances in floats between the weights of neighbouring source channels (row_stride) and of
  // neighbouring target channels (column_stride).
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

void WinogradForward::TransformSource(const ConvolutionArguments& arguments, const char* zeros,
                                      int64_t first, int64_t count, char* points) const {
  if (pooled_ && direction_ == Direction::kInputGradient)
    return TransformPooledSource(arguments, zeros, first, count, points);
  const winograd::Places places = {.point = SourcePointStride(), .width = source_.channels};
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

void WinogradForward::TransformPooledSource(const ConvolutionArguments& arguments,
                                            const char* zeros, int64_t first, int64_t count,
                                            char* points) const {
  const winograd::Places places = {.point = SourcePointStride(), .width = source_.channels};
  const PooledImages pooled =
      PooledImages::Of(arguments, source_.channels, source_.height, source_.width, element_bytes());
  ForEachTile<winograd::Windows>(
      count,
      [&](int64_t t, winograd::Windows& windows) {
        // A tile of the source begins one row and one column before a pooling window.
        const Tile tile = TileAt(first + t);
        pooled.PointAtWindows<4>(tile.image, tile.row / 2 - 1, tile.column / 2 - 1, 0, zeros,
                                 windows);
      },
      [&](int64_t t, const winograd::Windows& tile, const winograd::Windows& next) {
        kernels_.transform_pooled_input(bf16_, tile, next, source_.channels,
                                        points + t * SourceRow(), places);
      });
}

void WinogradForward::MultiplyPanel(const ConvolutionArguments& arguments, int point, int64_t panel,
                                    int64_t tiles, const char* points, float* products) const {
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

void WinogradForward::TransformTarget(const ConvolutionArguments& arguments, int64_t first,
                                      int64_t count, int64_t channel, const float* products) const {
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
  if (pooled_ && forward)
    return TransformPooledTarget(arguments, first, count, channel, finish, products);
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

void WinogradForward::TransformPooledTarget(const ConvolutionArguments& arguments, int64_t first,
                                            int64_t count, int64_t channel,
                                            const winograd::Finish& finish,
                                            const float* products) const {
  const int64_t channels = std::min(ProductRow(), target_.channels - channel);
  const PooledImages pooled =
      PooledImages::Of(arguments, target_.channels, target_.height, target_.width, element_bytes());
  ForEachTile<winograd::Windows>(
      count,
      [&](int64_t t, winograd::Windows& windows) {
        const Tile tile = TileAt(first + t);
        pooled.PointAtWindows<2>(tile.image, tile.row / 2, tile.column / 2, channel, nullptr,
                                 windows);
      },
      [&](int64_t t, const winograd::Windows& tile, const winograd::Windows& next) {
        kernels_.transform_pooled_output(bf16_, products + t * ProductRow(), ProductPointStride(),
                                         channels, finish, tile, next);
      });
}

void WinogradForward::RunByThread(const ConvolutionArguments& arguments) const {
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

void WinogradForward::RunTogether(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  std::memset(zeros, 0, ZeroBytes());
  char* points = zeros + ZeroBytes();
  float* products = reinterpret_cast<float*>(points + kPoints * SourcePointStride());
  for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
    const int64_t count = std::min(chunk_, tiles_ - begin);
    ParallelRanges(count, kLeastTilesPerTask, [&](int64_t first, int64_t last) {
      TransformSource(arguments, zeros, begin + first, last - first, points + first * SourceRow());
    });
    ParallelRanges(kPoints * panels_.count(), 1, [&](int64_t task, int64_t end) {
      for (int64_t i = task; i < end; ++i) {
        MultiplyPanel(arguments, static_cast<int>(i / panels_.count()), i % panels_.count(), count,
                      points, products + i % panels_.count() * panels_.width());
      }
    });
    ParallelRanges(count, kLeastTilesPerTask, [&](int64_t first, int64_t last) {
      TransformTarget(arguments, begin + first, last - first, 0, products + first * ProductRow());
    });
  }
}

}  // namespace

std::unique_ptr<ConvolutionImplementation> MakeWinogradForward(const WinogradOptions& options) {
  return std::make_unique<WinogradForward>(options);
}

}  // namespace cotangent::tensor
