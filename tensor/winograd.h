// Dense 3x3 convolutions of stride 1 by minimal filtering, F(4x4, 3x3): Lavin and Gray, "Fast
// algorithms for convolutional neural networks" (2015), after Winograd (1980). A tile of 4x4
// outputs takes 36 multiplications a pair of channels instead of 144, and those are 36 products of
// matrices (tiles by channels), one for each "point"; the price is rounding: winograd_matrices.h
// tells which points lose least.
//
// In the three directions, with U = G w G^T, V = B^T x B and matrices over channels and tiles:
//
//   forward           y  = A^T (sum over input channels of V U) A
//   input gradient    the same of dy, with the kernel rotated and its channels exchanged
//   weight gradient   dw = G^T (sum over tiles of V (A dy A^T)) G
//
// The first two are winograd_forward.cc's, the third is winograd_weight_gradient.cc's. Pooling at
// once is winograd_pooling.h's. What one tile takes, by instruction set and element type, is
// winograd_kernels.h's.
//
// Activations are NHWC. In f32 everything is f32; in bf16 activations, U, V and the transformed dy
// are bf16, all sums f32. The largest error, relative to the largest result and against double
// (convolution_test): 1.7e-6 in f32, where a direct convolution has 1e-6; in bf16 1.5e-2 against
// 3.5e-3.
#ifndef COTANGENT_TENSOR_WINOGRAD_H_
#define COTANGENT_TENSOR_WINOGRAD_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "tensor/convolution_family.h"
#include "tensor/panels.h"
#include "tensor/product_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

// How a Winograd convolution is asked for.
struct WinogradOptions {
  ConvolutionShape shape;
  Direction direction = Direction::kForward;
  ElementType type = ElementType::kF32;  // of both sides
  std::string implementation = "";       // "wino_4x3:avx512", as choices have it
  // All threads work on the same tiles at a time; otherwise each, where there are enough tiles, on
  // tiles of its own.
  bool together = false;
  bool relu = false, pooled = false;  // as in Epilogue
};

// Makes one for as many threads as Threads() says now.
std::unique_ptr<ConvolutionImplementation> MakeWinogradForward(const WinogradOptions& options);
std::unique_ptr<ConvolutionImplementation> MakeWinogradWeightGradient(
    const WinogradOptions& options);

// Whether by default each thread sums a gradient by the weights over tiles of its own, in sums that
// leave its second-level cache, so that the other way is worth measuring.
bool WeightGradientLeavesCaches(const WinogradOptions& options);

// What the directions share: how the images are cut into tiles, and how many of those are at work
// at a time.
class WinogradConvolution : public ConvolutionImplementation {
 public:
  std::string implementation() const final { return implementation_; }

 protected:
  explicit WinogradConvolution(const WinogradOptions& options);

  // One side of the convolution as images of `channels`.
  struct Side {
    int64_t channels, height, width;
  };
  struct Tile {
    int64_t image, row, column;  // of its first output
  };

  Tile TileAt(int64_t index) const;
  // Tiles at a time, if each thread has its own: as many as let the transforms of a tile
  // (`tile_bytes`) and `sums_bytes` stay in the thread's caches. `shares`: parts that all tiles are
  // cut into.
  int64_t TilesByThread(int64_t tile_bytes, int64_t sums_bytes, int64_t shares) const;
  // The same if all threads work on them.
  int64_t TilesTogether(int64_t tile_bytes, int64_t sums_bytes) const;

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  int64_t lanes() const { return products_.lanes; }
  // Steps of a product over `count` channels or tiles: a number, or a pair of bf16, each.
  int64_t Depth(int64_t count) const { return bf16_ ? (count + 1) / 2 : count; }
  // Bytes of zeros that pixels outside the image point at.
  int64_t ZeroBytes() const;

  const winograd::Kernels& kernels_;
  const product_kernels::Kernels& products_;
  const std::string implementation_;
  const Direction direction_;
  const bool bf16_, pooled_;
  const int threads_;
  Side source_, target_;  // the side that B transforms, and the side that A does
  const Panels panels_;   // of target channels
  int64_t pad_top_, pad_left_;
  int64_t tile_rows_, tile_columns_, tiles_;
  bool by_thread_ = false;
  int64_t chunk_ = 0;  // tiles that are in scratch at a time: a thread's, or all threads'
};

// Fewer tiles at a time than this are not worth the loading of their weights.
inline constexpr int64_t kLeastTilesByThread = 24;
// Tiles, or pairs of them, whose transforms are worth another thread.
inline constexpr int64_t kLeastTilesPerTask = 4;

// Points at the kSize x kSize pixels from (row, column) on, of image `image` of `images`; at
// `outside` for those that are not in it.
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

// Calls transform(i, tile, next) for `count` tiles, which find(i, tile) points at; the last tile's
// `next` is any.
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

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_WINOGRAD_H_
