// Forward convolutions of 8-bit integers, and linear layers, as one product of matrices: the inputs
// of an output pixel, widened to 16 bits, by the weights. In the words of int8_panels.h, each
// output pixel is an item, its inputs are a row, and there is one point.
#include <algorithm>
#include <cstdint>
#include <cstring>
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

namespace cotangent::tensor {
namespace {

using int8_kernels::kColumns;

class Int8Product final : public Int8PanelConvolution {
 public:
  static constexpr Algorithm kAlgorithm = Algorithm::kDirect;
  static bool IsAvailable(const ConvolutionShape& s) {
    return s.in_channels * s.kernel_height * s.kernel_width * 127 * 255 < int64_t{1} << 31;
  }
  static std::string Implementation() { return std::string("int8_product:") + Int8Kernels().isa; }

  Int8Product(const ConvolutionShape& shape, const ConvolutionChoice& choice,
              const Epilogue& epilogue)
      : Int8PanelConvolution(shape, choice, epilogue,
                             {.items = shape.batch * shape.out_height() * shape.out_width(),
                              .points = 1,
                              .row = Row(shape),
                              .row_stride = RowStride(shape),
                              .byte_weights = true}) {}

  void PackWeights(const float* oihw, void* packed) const override;

 private:
  // A tap is a cell of the kernel. In a row, each tap has the numbers of all channels and, if the
  // number of channels is odd, one more number, whose weights are zero.
  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  int64_t tap_numbers() const { return RoundUp(shape_.in_channels, 2); }
  static int64_t Row(const ConvolutionShape& s) {
    return s.kernel_height * s.kernel_width * RoundUp(s.in_channels, 2);
  }
  // Each tap is written in whole registers. The last one may then end behind the row, so rows lie
  // far enough apart for that.
  static int64_t RowStride(const ConvolutionShape& s) {
    return Row(s) - RoundUp(s.in_channels, 2) + RoundUp(s.in_channels, int8_kernels::kWords);
  }
  void MakeRow(const char* in, int64_t pixel, int16_t* row) const;
  void MakeRows(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                int64_t count, int16_t* rows) const override;
  void MakeOutputs(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                   int64_t channel, int64_t channels, const int32_t* products,
                   const int8_kernels::Finish& finish) const override;
};

void Int8Product::PackWeights(const float* oihw, void* packed) const {
  ParallelFor(panels(), [&](int64_t panel) {
    int8_t* const at = static_cast<int8_t*>(packed) + panel * PanelPointBytes();
    std::memset(at, 0, PanelPointBytes());
    const int64_t first = panel * kColumns,
                  columns = std::min(kColumns, shape_.out_channels - first);
    for (int64_t tap = 0; tap < taps(); ++tap) {
      for (int64_t in = 0; in < shape_.in_channels; ++in) {
        for (int64_t column = 0; column < columns; ++column) {
          at[PlaceOf(tap * tap_numbers() + in, column)] =
              static_cast<int8_t>(Weight(oihw, first + column, in, tap));
        }
      }
    }
  });
}

void Int8Product::MakeRow(const char* in, int64_t pixel, int16_t* row) const {
  const int64_t width = shape_.out_width(), height = shape_.out_height();
  const int64_t top = pixel / width % height * shape_.stride_height - shape_.pad_top;
  const int64_t left = pixel % width * shape_.stride_width - shape_.pad_left;
  const char* const image =
      in + pixel / (width * height) * shape_.in_height * shape_.in_width * shape_.in_channels;
  for (int64_t r = 0; r < shape_.kernel_height; ++r) {
    const int64_t y = top + r * shape_.dilation_height;
    for (int64_t c = 0; c < shape_.kernel_width; ++c, row += tap_numbers()) {
      const int64_t x = left + c * shape_.dilation_width;
      if (y >= 0 && y < shape_.in_height && x >= 0 && x < shape_.in_width) {
        kernels_.widen(is_signed(), image + (y * shape_.in_width + x) * shape_.in_channels,
                       shape_.in_channels, row);
      } else {
        std::memset(row, 0, tap_numbers() * 2);
      }
    }
  }
}

void Int8Product::MakeRows(const ConvolutionArguments& arguments, const char*, int64_t first,
                           int64_t count, int16_t* rows) const {
  for (int64_t i = 0; i < count; ++i)
    MakeRow(static_cast<const char*>(arguments.in), first + i, rows + i * RowStride(shape_));
}

void Int8Product::MakeOutputs(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                              int64_t channel, int64_t channels, const int32_t* products,
                              const int8_kernels::Finish& finish) const {
  char* const out = static_cast<char*>(arguments.out) + channel * out_bytes();
  for (int64_t i = 0; i < count; ++i) {
    kernels_.finish(products + i * ProductRow(), channels, finish,
                    out + (first + i) * shape_.out_channels * out_bytes());
  }
}

}  // namespace

extern constexpr ConvolutionFamily kInt8ProductFamily =
    Int8PanelFamily<Int8Product>("products of 8-bit integers");

}  // namespace cotangent::tensor
