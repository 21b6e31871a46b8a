// Forward 3x3 convolutions of stride 1 by Winograd's minimal filtering along rows only: F(4, 3)
// across, and plain sums over the three rows of the kernel (the taps r below) downwards. This takes
// half of a direct convolution's multiplications (winograd.h takes a quarter), but the weights take
// only twice their plain size (winograd.h: four times). With few pixels, as in inference of one
// image, the time goes into reading the weights. A, B and G are the matrices of
// winograd_matrices.h; four outputs of a row (a tile) are computed at a time:
//
//   y[row] = A^T (sum over taps r and input channels of (B^T x[row + r]) (G w[r]))
//
// A "point" is one of the six elements of B^T x. A "panel" is the output channels that the product
// kernel computes at once (panels.h).
//
// Activations are NHWC. In f32 everything is f32; in bf16, the activations, B^T x and G w are bf16,
// and all sums are f32.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/panel_convolution.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kOutputs;

constexpr int64_t kTaps = 3;
// With fewer tiles than this (about 5 us of transforms), another thread costs more than it saves.
constexpr int64_t kFewestTiles = 16;

class WinogradRows final : public PanelConvolution {
 public:
  // Returns whether this processor has the necessary instructions, and the convolution is 3x3 of
  // stride 1, without dilation or groups, and has few pixels. `type` is the type of both sides.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type);
  // Returns the ConvolutionChoice that names this class: its implementation is "wino_rows:avx2",
  // "wino_rows:avx512" or "wino_rows:avx512_bf16".
  static ConvolutionChoice Choice(ElementType type);

  // REQUIRES: IsAvailable(). If relu, results are max(0, y).
  WinogradRows(const ConvolutionShape& shape, Direction, ElementType type, bool relu)
      : PanelConvolution(shape, type, relu), kernels_(WinogradKernels()) {}

  std::string implementation() const override {
    return Choice(bf16_ ? ElementType::kBf16 : ElementType::kF32).implementation;
  }
  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // A tile is four outputs of a row. For each image, out_height + 2 rows of inputs are transformed.
  int64_t tiles_a_row() const;
  int64_t in_rows() const { return shape_.out_height() + 2; }
  int64_t in_tiles() const { return shape_.batch * in_rows() * tiles_a_row(); }
  int64_t out_tiles() const { return shape_.batch * shape_.out_height() * tiles_a_row(); }

  void TransformInTile(const char* in, const char* zeros, int64_t tile, char* points) const;
  void TransformOutTile(const ConvolutionArguments& arguments, int64_t tile,
                        const float* products) const;
  // Computes the products of one panel of output channels at one point, for all tiles.
  void MultiplyPanel(const char* weights, int64_t point, int64_t panel, const char* points,
                     float* products) const;

  // Bytes of the weights of one tap in a panel, at one point.
  int64_t TapBytes(int64_t panel) const { return channel_steps() * panels_.Columns(panel) * 4; }
  int64_t WeightPointBytes() const;
  int64_t PointBytes() const;    // of all transformed tiles at one point
  int64_t ProductRow() const;    // floats per tile
  int64_t ProductPoint() const;  // floats per point
  int64_t ZeroBytes() const;

  const winograd::Kernels& kernels_;
};

bool WinogradRows::IsAvailable(const ConvolutionShape& s, Direction direction, ElementType type) {
  return HaveOwnKernels(type) && direction == Direction::kForward && s.kernel_height == 3 &&
         s.kernel_width == 3 && s.stride_height == 1 && s.stride_width == 1 &&
         s.dilation_height == 1 && s.dilation_width == 1 && s.groups == 1 &&
         s.batch * s.out_height() * s.out_width() <= kMostPanelPixels;
}

ConvolutionChoice WinogradRows::Choice(ElementType type) {
  return NhwcChoice(Algorithm::kWinograd, type, "wino_rows:" + OwnKernelsName(type));
}

int64_t WinogradRows::tiles_a_row() const { return DivideUp(shape_.out_width(), kOutputs); }
int64_t WinogradRows::WeightPointBytes() const {
  return kTaps * channel_steps() * ProductRow() * 4;
}
int64_t WinogradRows::PointBytes() const {
  return PadAgainstCacheAliasing(in_tiles() * channel_steps() * 4);
}
int64_t WinogradRows::ProductRow() const { return RoundUp(shape_.out_channels, products_.lanes); }
int64_t WinogradRows::ProductPoint() const {
  return PadAgainstCacheAliasing(out_tiles() * ProductRow() * 4) / 4;
}
int64_t WinogradRows::ZeroBytes() const { return RoundUp(shape_.in_channels * 4, 64) + 64; }
int64_t WinogradRows::packed_weight_bytes() const { return kInputs * WeightPointBytes(); }
int64_t WinogradRows::scratch_bytes() const {
  return ZeroBytes() + kInputs * (PointBytes() + ProductPoint() * 4);
}

// Packs the weights point by point and panel by panel, and in a panel tap by tap, in the form of
// product_kernels::Product::b.
void WinogradRows::PackWeights(const float* oihw, void* packed) const {
  const int64_t channels = shape_.in_channels;
  ParallelFor(kInputs * panels_.count() * kTaps, [&](int64_t share) {
    const int64_t tap = share % kTaps, panel = share / kTaps % panels_.count(),
                  point = share / kTaps / panels_.count(), first = panel * panels_.width();
    const auto weight = [&](int64_t column, int64_t c) {
      const int64_t n = first + column;
      if (n >= shape_.out_channels || c >= channels) return 0.0f;
      const float* const matrix = winograd::kWeightMatrix[point];
      const float* const taps = oihw + ((n * channels + c) * kTaps + tap) * kTaps;
      return matrix[0] * taps[0] + matrix[1] * taps[1] + matrix[2] * taps[2];
    };
    char* const to = static_cast<char*>(packed) + point * WeightPointBytes() +
                     kTaps * channel_steps() * first * 4 + tap * TapBytes(panel);
    PackSteps(bf16_, channels, panels_.Columns(panel), weight, to);
  });
}

void WinogradRows::TransformInTile(const char* in, const char* zeros, int64_t tile,
                                   char* points) const {
  const int64_t bytes = shape_.in_channels * element_bytes(), row = tile / tiles_a_row();
  const int64_t y = row % in_rows() - shape_.pad_top,
                x = tile % tiles_a_row() * kOutputs - shape_.pad_left;
  const char* const line =
      in + ((row / in_rows() * shape_.in_height + y) * shape_.in_width + x) * bytes;
  winograd::Pixels pixels;
  for (int i = 0; i < kInputs; ++i) {
    const bool inside = y >= 0 && y < shape_.in_height && x + i >= 0 && x + i < shape_.in_width;
    pixels.at[i] = inside ? line + i * bytes : zeros;
  }
  kernels_.transform_input_row(bf16_, pixels, shape_.in_channels,
                               points + tile * channel_steps() * 4, PointBytes());
}

void WinogradRows::MultiplyPanel(const char* weights, int64_t point, int64_t panel,
                                 const char* points, float* products) const {
  const int64_t vectors = panels_.Vectors(panel), row = channel_steps() * 4,
                rows = shape_.out_height() * tiles_a_row();
  const char* const panel_weights =
      weights + point * WeightPointBytes() + kTaps * channel_steps() * panel * panels_.width() * 4;
  for (int64_t image = 0; image < shape_.batch; ++image) {
    const char* const a = points + point * PointBytes() + image * in_rows() * tiles_a_row() * row;
    for (int64_t tap = 0; tap < kTaps; ++tap) {
      const char* const b = panel_weights + tap * TapBytes(panel);
      // While the last image is multiplied, the next weights in memory are prefetched. Other
      // images, and the very last product, which has no successor, prefetch their own weights.
      const bool ends = point + 1 == kInputs && panel + 1 == panels_.count() && tap + 1 == kTaps;
      const char* const next = image + 1 == shape_.batch && !ends ? b + TapBytes(panel) : b;
      products_.multiply(bf16_, {.rows = rows,
                                 .vectors = vectors,
                                 .depth = channel_steps(),
                                 .a = a + tap * tiles_a_row() * row,
                                 .a_row = row,
                                 .a_step = 4,
                                 .b = b,
                                 .b_step = vectors * products_.lanes * 4,
                                 .c = products + point * ProductPoint() +
                                      image * rows * ProductRow() + panel * panels_.width(),
                                 .c_row = ProductRow(),
                                 .accumulate = tap > 0,
                                 .next = next,
                                 .next_bytes = TapBytes(panel)});
    }
  }
}

void WinogradRows::TransformOutTile(const ConvolutionArguments& arguments, int64_t tile,
                                    const float* products) const {
  const int64_t bytes = shape_.out_channels * element_bytes(), x = tile % tiles_a_row() * kOutputs;
  char* const out = static_cast<char*>(arguments.out);
  winograd::Finish finish{.bias = static_cast<const float*>(arguments.bias), .relu = relu_};
  if (arguments.addend != nullptr)
    finish.add = true, finish.addend_offset = static_cast<const char*>(arguments.addend) - out;
  winograd::Pixels pixels;
  for (int i = 0; i < kOutputs; ++i) {
    pixels.at[i] = x + i < shape_.out_width()
                       ? out + (tile / tiles_a_row() * shape_.out_width() + x + i) * bytes
                       : nullptr;
  }
  kernels_.transform_output_row(bf16_, products + tile * ProductRow(), ProductPoint(),
                                shape_.out_channels, finish, pixels);
}

void WinogradRows::Run(const ConvolutionArguments& arguments) const {
  char* const zeros = static_cast<char*>(arguments.scratch);
  char* const points = zeros + ZeroBytes();
  float* const products = reinterpret_cast<float*>(points + kInputs * PointBytes());
  std::memset(zeros, 0, ZeroBytes());
  ParallelRanges(in_tiles(), kFewestTiles, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile)
      TransformInTile(static_cast<const char*>(arguments.in), zeros, tile, points);
  });
  ParallelFor(kInputs * panels_.count(), [&](int64_t share) {
    MultiplyPanel(static_cast<const char*>(arguments.weights), share / panels_.count(),
                  share % panels_.count(), points, products);
  });
  ParallelRanges(out_tiles(), kFewestTiles, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) TransformOutTile(arguments, tile, products);
  });
}

}  // namespace

extern constexpr ConvolutionFamily kWinogradRowsFamily =
    NhwcFamily<WinogradRows>("Winograd along rows", Algorithm::kWinograd);

}  // namespace cotangent::tensor
