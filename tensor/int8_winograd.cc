// Forward 3x3 convolutions of 8-bit integers with a stride of 1 by Winograd's F(4x4, 3x3), exactly:
// int8_kernels.h has the matrices and says why. A tile of 4x4 outputs takes 36 multiplications for
// each pair of channels, not 144. Items (int8_panels.h) are tiles, their points the 36 elements of
// a transformed tile. The nine weights of a pair of channels take 72 bytes, 2 for each point.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "base/status_macros.h"
#include "tensor/int8_convolution.h"
#include "tensor/int8_panels.h"
#include "tensor/own_kernels.h"
#include "tensor/winograd.h"

namespace cotangent::tensor {
namespace {

using int8_kernels::kColumns;
using winograd::kInputs;
using winograd::kOutputs;
using winograd::kPoints;

constexpr int64_t kTaps = 9;

class Int8Winograd final : public Int8PanelConvolution {
 public:
  static constexpr Algorithm kAlgorithm = Algorithm::kWinograd;
  static bool IsAvailable(const ConvolutionShape& s) {
    return s.kernel_height == 3 && s.kernel_width == 3 && s.stride_height == 1 &&
           s.stride_width == 1 && s.dilation_height == 1 && s.dilation_width == 1 &&
           s.in_channels * kTaps * 127 * 255 < int8_kernels::kWinogradLimit;
  }
  static std::string Implementation() { return std::string("int8_wino_4x3:") + Int8Kernels().isa; }

  Int8Winograd(const ConvolutionShape& shape, const ConvolutionChoice& choice,
               const Epilogue& epilogue)
      : Int8PanelConvolution(shape, choice, epilogue,
                             {.items = shape.batch * TileRows(shape) * TileColumns(shape),
                              .points = kPoints,
                              .row = RoundUp(shape.in_channels, 2),
                              .row_stride = RowStride(shape),
                              .byte_weights = false}) {}

  void PackWeights(const float* oihw, void* packed) const override;

 private:
  static int64_t TileRows(const ConvolutionShape& s) { return DivideUp(s.out_height(), kOutputs); }
  static int64_t TileColumns(const ConvolutionShape& s) {
    return DivideUp(s.out_width(), kOutputs);
  }
  // A row (int8_panels.h) is written in whole registers, so rows lie a multiple of kWords numbers
  // apart.
  static int64_t RowStride(const ConvolutionShape& s) {
    return RoundUp(s.in_channels, int8_kernels::kWords);
  }
  // Sets `pixels` to the addresses of kSize x kSize pixels, of `pixel_bytes` each, of the image to
  // which tile number `tile` belongs: those that begin `before_row` rows and `before_column`
  // columns before the tile's outputs. Pixels outside the image get the address `outside`.
  template <int kSize>
  void Find(int64_t tile, const char* images, int64_t height, int64_t width, int64_t pixel_bytes,
            int64_t before_row, int64_t before_column, const char* outside,
            winograd::Pixels& pixels) const;
  void MakeRows(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                int64_t count, int16_t* rows) const override;
  void MakeOutputs(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                   int64_t channel, int64_t channels, const int32_t* products,
                   const int8_kernels::Finish& finish) const override;
};

void Int8Winograd::PackWeights(const float* oihw, void* packed) const {
  const int64_t pairs = DivideUp(shape_.in_channels, 2);
  ParallelFor(panels() * pairs, [&](int64_t share) {
    const int64_t panel = share / pairs;
    char* const at = static_cast<char*>(packed) + panel * kPoints * PanelPointBytes();
    for (int64_t in = share % pairs * 2; in < (share % pairs + 1) * 2; ++in) {
      for (int64_t column = 0; column < kColumns; ++column) {
        const int64_t out = panel * kColumns + column;
        int taps[kTaps] = {};
        if (in < shape_.in_channels && out < shape_.out_channels) {
          for (int64_t tap = 0; tap < kTaps; ++tap) taps[tap] = Weight(oihw, out, in, tap);
        }
        const auto multiply = [](int point, int first, int second, int third) {
          const int* const row = int8_kernels::kWeightMatrix[point];
          return int8_kernels::kWeightFactors[point] *
                 (row[0] * first + row[1] * second + row[2] * third);
        };
        for (int i = 0; i < kInputs; ++i) {
          int half[3];
          for (int x = 0; x < 3; ++x) half[x] = multiply(i, taps[x], taps[3 + x], taps[6 + x]);
          for (int j = 0; j < kInputs; ++j) {
            reinterpret_cast<int16_t*>(at +
                                       (i * kInputs + j) * PanelPointBytes())[PlaceOf(in, column)] =
                static_cast<int16_t>(multiply(j, half[0], half[1], half[2]));
          }
        }
      }
    }
  });
}

template <int kSize>
void Int8Winograd::Find(int64_t tile, const char* images, int64_t height, int64_t width,
                        int64_t pixel_bytes, int64_t before_row, int64_t before_column,
                        const char* outside, winograd::Pixels& pixels) const {
  const int64_t columns = TileColumns(shape_), rows = TileRows(shape_), row = tile / columns;
  PointAt<kSize>(images, row / rows, height, width, pixel_bytes, row % rows * kOutputs - before_row,
                 tile % columns * kOutputs - before_column, outside, pixels);
}

void Int8Winograd::MakeRows(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                            int64_t count, int16_t* rows) const {
  const int64_t channels = shape_.in_channels;
  winograd::Pixels pixels;
  for (int64_t i = 0; i < count; ++i) {
    Find<kInputs>(first + i, static_cast<const char*>(arguments.in), shape_.in_height,
                  shape_.in_width, channels, shape_.pad_top, shape_.pad_left, zeros, pixels);
    kernels_.transform_input(is_signed(), pixels, channels, rows + i * RowStride(shape_),
                             PointStride());
  }
}

void Int8Winograd::MakeOutputs(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                               int64_t channel, int64_t channels, const int32_t* products,
                               const int8_kernels::Finish& finish) const {
  const char* const out = static_cast<const char*>(arguments.out) + channel * out_bytes();
  winograd::Pixels pixels;
  for (int64_t i = 0; i < count; ++i) {
    Find<kOutputs>(first + i, out, shape_.out_height(), shape_.out_width(),
                   shape_.out_channels * out_bytes(), 0, 0, nullptr, pixels);
    kernels_.transform_output(products + i * ProductRow(), ProductPointStride(), channels, finish,
                              pixels);
  }
}

}  // namespace

extern constexpr ConvolutionFamily kInt8WinogradFamily =
    Int8PanelFamily<Int8Winograd>("Winograd in 8-bit integers");

}  // namespace cotangent::tensor
