// Dense 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3): Lavin and Gray,
// "Fast algorithms for convolutional neural networks" (2015), after Winograd (1980).
//
// Images are divided into tiles of 4x4 outputs, which depend on 6x6 inputs. A tile takes 36
// multiplications per pair of input and output channel, instead of 144. These multiplications form
// 36 matrix products (tiles by channels), one for each of 36 "points", the elements of a
// transformed tile. The price is larger rounding errors; winograd_matrices.h explains the choice of
// interpolation points that keeps them small.
//
// In the three directions, with x the input, w the weights, dy the output gradient, dw the weight
// gradient, U = G w G^T and V = B^T x B (G, B, A: winograd_matrices.h):
//
//   forward           y  = A^T (sum over input channels of V U) A
//   input gradient    like forward, of dy, with the kernel rotated by 180 degrees and its input and
//                     output channels exchanged
//   weight gradient   dw = G^T (sum over tiles of V (A dy A^T)) G
//
// winograd_forward.cc computes the first two, winograd_weight_gradient.cc the third. The products V
// U and V (A dy A^T) are taken point by point. winograd_pooling.h adds max pooling, and
// winograd_kernels.h has the arithmetic for one tile, by instruction set and element type.
//
// Activations are NHWC. In f32 everything is f32; in bf16, the activations, U, V and the
// transformed dy are bf16, and all sums are f32. Largest errors against double, relative to the
// largest result (convolution_test): in f32 1.7e-6, and 1e-6 for a direct convolution; in bf16
// 1.5e-2, and 3.5e-3 for a direct one.
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

// Arguments of the functions that make a Winograd convolution.
struct WinogradOptions {
  ConvolutionShape shape;
  Direction direction = Direction::kForward;
  ElementType type = ElementType::kF32;  // of both sides
  std::string implementation = "";       // "wino_4x3:avx512", as in ConvolutionChoice
  // true: all threads work on the same tiles at a time. false: each thread works on tiles of its
  // own, if there are enough tiles.
  bool together = false;
  bool relu = false, pooled = false;  // as in Epilogue
};

// Return an implementation for the number of threads that Threads() returns at the time of the
// call. MakeWinogradForward() serves kForward and kInputGradient.
std::unique_ptr<ConvolutionImplementation> MakeWinogradForward(const WinogradOptions& options);
std::unique_ptr<ConvolutionImplementation> MakeWinogradWeightGradient(
    const WinogradOptions& options);

// Returns whether each of several threads would add up a transformed weight gradient of its own
// that does not fit into its second-level cache. Then `together` is worth measuring, too. REQUIRES:
// options.together is false.
bool WeightGradientLeavesCaches(const WinogradOptions& options);

// The base class of all directions. Divides images into tiles, and chooses how many tiles are
// processed at a time.
class WinogradConvolution : public ConvolutionImplementation {
 public:
  std::string implementation() const final { return implementation_; }

 protected:
  explicit WinogradConvolution(const WinogradOptions& options);

  // The images on one side of the convolution.
  struct Side {
    int64_t channels, height, width;
  };
  struct Tile {
    int64_t image, row, column;  // row and column of the tile's first output
  };

  // Returns the tile with this index. Tiles are counted from 0, image by image, row by row.
  Tile TileAt(int64_t index) const;
  // Returns how many tiles a thread processes at a time if each thread has tiles of its own: as
  // many as let the transforms of these tiles (`tile_bytes` each) and the sums of their products
  // (`sums_bytes` in all) stay in the thread's caches. `shares` is the number of parts into which
  // all tiles are divided.
  int64_t TilesByThread(int64_t tile_bytes, int64_t sums_bytes, int64_t shares) const;
  // Returns how many tiles are processed at a time if all threads process the same ones; the
  // arguments are those of TilesByThread().
  int64_t TilesTogether(int64_t tile_bytes, int64_t sums_bytes) const;

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  int64_t lanes() const { return products_.lanes; }
  // Returns the number of steps of a matrix product that sums over `count` channels or tiles: in
  // bf16 each step takes two of them.
  int64_t Depth(int64_t count) const { return bf16_ ? (count + 1) / 2 : count; }
  // Returns the size in bytes of the buffer of zeros that is read in place of pixels outside the
  // image.
  int64_t ZeroBytes() const;

  const winograd::Kernels& kernels_;
  const product_kernels::Kernels& products_;
  const std::string implementation_;
  const Direction direction_;
  const bool bf16_, pooled_;
  const int threads_;
  Side source_, target_;  // source_ is transformed by B^T, target_ by A^T (or A)
  const Panels panels_;   // of the target's channels
  int64_t pad_top_, pad_left_;
  int64_t tile_rows_, tile_columns_, tiles_;
  bool by_thread_ = false;
  int64_t chunk_ = 0;  // tiles in scratch at a time, per thread or for all threads
};

// A thread should process at least about this many tiles at a time; with fewer, loading the weights
// takes too long.
inline constexpr int64_t kLeastTilesByThread = 24;
// With fewer tiles (or pairs of tiles) to transform than this, another thread costs more than it
// saves.
inline constexpr int64_t kLeastTilesPerTask = 4;

// Sets pixels.at to the addresses of the kSize x kSize pixels of image number `image` of which the
// upper left one is (row, column), row by row. For pixels outside the image the address is
// `outside`.
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

// Calls transform(i, tile, next) for i = 0 .. count - 1, where find(i, tile) sets the pointers of
// tile i and `next` is the following tile, to be prefetched (for the last tile, the one before it
// or, if there is no other, the tile itself).
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
