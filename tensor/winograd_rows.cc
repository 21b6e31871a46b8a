#include "tensor/winograd_rows.h"

#include <cstring>

#include "base/parallel.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kOutputs;

// More pixels than this make up for the reading of larger weights.
constexpr int64_t kMostPixels = 1100;
constexpr int64_t kTaps = 3;
// Tiles that are worth another thread: some 5 us of transforms.
constexpr int64_t kFewestTiles = 16;

}  // namespace

bool WinogradRows::IsAvailable(const ConvolutionShape& s, Direction direction, ElementType type) {
  return HaveOwnKernels(type) && direction == Direction::kForward && s.kernel_height == 3 &&
         s.kernel_width == 3 && s.stride_height == 1 && s.stride_width == 1 &&
         s.dilation_height == 1 && s.dilation_width == 1 && s.groups == 1 &&
         s.batch * s.out_height() * s.out_width() <= kMostPixels;
}

std::string WinogradRows::ImplementationName(ElementType type) {
  return "wino_rows:" + OwnKernelsName(type);
}

WinogradRows::WinogradRows(const ConvolutionShape& shape, ElementType type, bool relu)
    : kernels_(WinogradKernels()),
      products_(ProductKernels()),
      panels_(products_, shape.out_channels),
      shape_(shape),
      bf16_(type == ElementType::kBf16),
      relu_(relu),
      threads_(Threads()) {}

int64_t WinogradRows::tiles_a_row() const { return DivideUp(shape_.out_width(), kOutputs); }
int64_t WinogradRows::WeightPointBytes() const { return kTaps * depth() * ProductRow() * 4; }
int64_t WinogradRows::PointBytes() const { return Spread(in_tiles() * depth() * 4); }
int64_t WinogradRows::ProductRow() const { return RoundUp(shape_.out_channels, products_.lanes); }
int64_t WinogradRows::ProductPoint() const { return Spread(out_tiles() * ProductRow() * 4) / 4; }
int64_t WinogradRows::ZeroBytes() const { return RoundUp(shape_.in_channels * 4, 64) + 64; }
int64_t WinogradRows::packed_weight_bytes() const { return kInputs * WeightPointBytes(); }
int64_t WinogradRows::scratch_bytes() const {
  return ZeroBytes() + kInputs * (PointBytes() + ProductPoint() * 4);
}

// Point by point and panel by panel: tap by tap, as the b of a product.
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
                     kTaps * depth() * first * 4 + tap * TapBytes(panel);
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
  kernels_.transform_input_row(bf16_, pixels, shape_.in_channels, points + tile * depth() * 4,
                               PointBytes());
}

void WinogradRows::MultiplyPanel(const char* weights, int64_t point, int64_t panel,
                                 const char* points, float* products) const {
  const int64_t vectors = panels_.Vectors(panel), row = depth() * 4,
                rows = shape_.out_height() * tiles_a_row();
  const char* const panel_weights =
      weights + point * WeightPointBytes() + kTaps * depth() * panel * panels_.width() * 4;
  for (int64_t image = 0; image < shape_.batch; ++image) {
    const char* const a = points + point * PointBytes() + image * in_rows() * tiles_a_row() * row;
    for (int64_t tap = 0; tap < kTaps; ++tap) {
      const char* const b = panel_weights + tap * TapBytes(panel);
      // After the last image what follows in memory is read, but for the very last, which asks for
      // what it has.
      const bool ends = point + 1 == kInputs && panel + 1 == panels_.count() && tap + 1 == kTaps;
      const char* const next = image + 1 == shape_.batch && !ends ? b + TapBytes(panel) : b;
      products_.multiply(bf16_, {.rows = rows,
                                 .vectors = vectors,
                                 .depth = depth(),
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

}  // namespace cotangent::tensor
