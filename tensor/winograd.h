// Dense 3x3 convolutions of stride 1 by minimal filtering, F(4x4, 3x3): Lavin and Gray, "Fast
// algorithms for convolutional neural networks" (2015), after Winograd (1980). A tile of 4x4
// outputs takes 36 multiplications a pair of channels instead of 144, and those are 36 products of
// matrices (tiles by channels); the price is rounding: see kernels' own note on the points.
//
// In the three directions, with U = G w G^T, V = B^T x B and matrices over channels and tiles:
//
//   forward           y  = A^T (sum over input channels of V U) A
//   input gradient    the same of dy, with the kernel rotated and its channels exchanged
//   weight gradient   dw = G^T (sum over tiles of V (A dy A^T)) G
//
// What is max-pooled at once in windows of 2x2 never lies in memory: a tile of outputs is four
// windows, which leave a number and a position each; the gradients of the whole output are made
// from those while tiles are read.
//
// Activations are NHWC. In f32 everything is f32; in bf16 activations, U, V and the transformed dy
// are bf16, all sums f32. The largest error, relative to the largest result and against double
// (convolution_test): 1.7e-6 in f32, where a direct convolution has 1e-6; in bf16 1.5e-2 against
// 3.5e-3.
#ifndef COTANGENT_TENSOR_WINOGRAD_H_
#define COTANGENT_TENSOR_WINOGRAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/own_convolution.h"
#include "tensor/panels.h"
#include "tensor/product_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

class WinogradConvolution final : public OwnConvolution {
 public:
  // Whether this processor has the instructions and the convolution is of the kind. `type` is that
  // of both sides.
  static bool IsAvailable(const ConvolutionShape& shape, ElementType type);
  // The ways to run it that are worth measuring: "wino_4x3:avx2" (or avx512, avx512_bf16) and, for gradients by the weights whose
  // sums leave the nearest caches, "wino_4x3_together:avx2".
  // None where !IsAvailable().
  static std::vector<std::string> Implementations(const ConvolutionShape& shape,
                                                  Direction direction, ElementType type);

  // Whether `implementation` is one of those names, worth measuring or not.
  static bool IsImplementation(const std::string& implementation, ElementType type);

  // Whether the results can be pooled, or their gradients taken from what pooling left. Requires
  // IsAvailable().
  static bool CanPool(const ConvolutionShape& shape);

  // Requires IsAvailable() and IsImplementation(). The scratch is for as many threads as Threads()
  // says now. relu: forward, results are max(0, y). pooled: as in Epilogue.
  WinogradConvolution(const ConvolutionShape& shape, Direction direction, ElementType type,
                      const std::string& implementation, bool relu = false, bool pooled = false);

  std::string implementation() const override { return implementation_; }
  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // One side of the convolution as images of `channels`.
  struct Side {
    int64_t channels, height, width;
  };
  struct Tile {
    int64_t image, row, column;  // of its first output
  };

  Tile TileAt(int64_t index) const;
  // Points at the kSide x kSide windows of a pooled image of the output side from (row, column) on.
  template <int kSide>
  void PointAtWindows(const ConvolutionArguments& arguments, int64_t image, int64_t row,
                      int64_t column, int64_t channel, const void* outside,
                      winograd::Windows& windows) const;
  // Transforms tiles [first, first + count) of all; `points` is where that of `first` belongs.
  void TransformSource(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                       int64_t count, char* points) const;
  // The same of tiles [first, first + 2 count) on both sides, for the gradient by the weights.
  // Gradient: Pixels, or Windows if pooled.
  template <typename Gradient>
  void TransformPairs(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                      int64_t count, char* in_points, char* out_points) const;

  // The products of one panel of target channels at one point, for the first `tiles` in `points`.
  void MultiplyPanel(const ConvolutionArguments& arguments, int point, int64_t panel, int64_t tiles,
                     const char* points, float* products) const;
  // Makes the outputs of tiles [first, first + count) from `channel` on, as many channels as a row
  // of products has.
  void TransformTarget(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                       int64_t channel, const float* products) const;
  // Each thread transforms a chunk of tiles and multiplies it while it is in its own cache.
  void RunForwardByThread(const ConvolutionArguments& arguments) const;
  // All threads transform a chunk, then share out its products by points, so that the weights are
  // read once: for few tiles.
  void RunForwardTogether(const ConvolutionArguments& arguments) const;

  void TransformChunk(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                      int64_t count, char* in_points, char* out_points) const;

  // Products of `pairs` pairs of tiles at one point, for the source channels of one panel.
  void WeightGradientPanel(int point, int64_t panel, int64_t pairs, const char* in_points,
                           const char* out_points, float* sums, bool accumulate) const;
  // Parts of the tiles are summed by whichever thread is free, and the sums added in the end.
  void RunWeightGradientByThread(const ConvolutionArguments& arguments) const;
  // All threads transform a chunk, then share out its products: where the sums are larger than the
  // transforms, or the caches.
  void RunWeightGradientTogether(const ConvolutionArguments& arguments) const;

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  // Steps of Product over `count` channels or tiles.
  int64_t Depth(int64_t count) const { return bf16_ ? (count + 1) / 2 : count; }
  // Bytes of a tile's numbers at one point. For the gradient by the weights both sides lie in
  // panels of `width` channels: all tiles of the first, then those of the next; each tile, or pair
  // of bf16 tiles, is a step of a product.
  int64_t SourceRow() const;
  int64_t GradientRow() const;
  int64_t PanelWidth(int64_t channels) const;
  int64_t WidthBytes(int64_t channels) const;  // of a tile in a panel
  winograd::Places GradientPlaces(int64_t channels, int64_t point_stride) const;
  int64_t SourcePointStride() const;    // bytes
  int64_t GradientPointStride() const;  // bytes
  int64_t ProductRow() const;           // floats
  int64_t ProductPointStride() const;   // floats
  int64_t ZeroBytes() const;
  int64_t lanes() const;
  int64_t WeightPointStride(int64_t panel) const;  // bytes

  const winograd::Kernels& kernels_;
  const product_kernels::Kernels& products_;
  const Panels panels_;  // of target channels
  const std::string implementation_;
  Direction direction_;
  bool bf16_, relu_, pooled_;
  Side source_, target_;  // what is transformed by B, and what by A
  int64_t pad_top_, pad_left_;
  int64_t tile_rows_, tile_columns_, tiles_;
  bool by_thread_ = false;
  int64_t chunk_ = 0;  // tiles that are in scratch at a time: a thread's, or all threads'
  int64_t sums_ = 1;   // by_thread_: gradients by the weights of parts of the tiles
  int threads_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_WINOGRAD_H_
