#include "tensor/winograd.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/cpu.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {
namespace {

using winograd::kInputs;
using winograd::kLanes;
using winograd::kOutputs;
using winograd::kPoints;

// Transformed tiles wait in the last cache for the products that read them.
constexpr int64_t kChunkBytes = 8 << 20;
constexpr int64_t kGroupColumns = winograd::kProductVectors * kLanes;
// Rows of a weight gradient that one task multiplies.
constexpr int64_t kTaskRows = 48;
constexpr int64_t kZeroBytes = 64;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return DivideUp(a, b) * b; }
// The 36 points of one element must not fall into the same lines of a cache.
int64_t Spread(int64_t bytes) { return RoundUp(bytes, 128) + 64; }

// The share [begin, end) of a thread.
std::pair<int64_t, int64_t> ShareOf(int64_t count, int thread, int threads) { return {count * thread / threads, count * (thread + 1) / threads}; }

}  // namespace

bool WinogradConvolution::IsAvailable(const ConvolutionShape& s, ElementType type) {
  const bool has = type == ElementType::kBf16 ? HasAvx512Bf16() : type == ElementType::kF32 && HasAvx512();
  return has && s.kernel_height == 3 && s.kernel_width == 3 && s.stride_height == 1 && s.stride_width == 1 && s.dilation_height == 1 &&
         s.dilation_width == 1 && s.groups == 1 && std::max(s.in_channels, s.out_channels) < (1 << 20);
}

std::string WinogradConvolution::ImplementationName(ElementType type) { return type == ElementType::kBf16 ? "wino_4x3:avx512_bf16" : "wino_4x3:avx512"; }

WinogradConvolution::WinogradConvolution(const ConvolutionShape& s, Direction direction, ElementType type, bool relu)
    : direction_(direction), bf16_(type == ElementType::kBf16), relu_(relu), pad_top_(s.pad_top), pad_left_(s.pad_left), threads_(Threads()) {
  source_ = {s.in_channels, s.in_height, s.in_width};
  target_ = {s.out_channels, s.out_height(), s.out_width()};
  if (direction == Direction::kInputGradient) {
    std::swap(source_, target_);
    pad_top_ = 2 - pad_top_, pad_left_ = 2 - pad_left_;
  }
  tile_rows_ = DivideUp(target_.height, kOutputs), tile_columns_ = DivideUp(target_.width, kOutputs);
  tiles_ = s.batch * tile_rows_ * tile_columns_;
  const int64_t channels = source_.channels + (direction == Direction::kWeightGradient ? target_.channels : 0);
  const int64_t fit = kChunkBytes / (kPoints * channels * element_bytes());
  chunk_ = std::min(std::max(fit / kBlockTiles, int64_t{1}) * kBlockTiles, RoundUp(tiles_, 2));
}

int64_t WinogradConvolution::SourcePointStride() const { return Spread(RoundUp(chunk_, 2) * RoundUp(source_.channels, 2) * element_bytes()); }
int64_t WinogradConvolution::GradientPointStride() const { return Spread(RoundUp(chunk_, 2) * RoundUp(target_.channels, kLanes) * element_bytes()); }

int64_t WinogradConvolution::GroupVectors(int64_t group) const {
  return std::min(winograd::kProductVectors, DivideUp(target_.channels - group * kGroupColumns, kLanes));
}

int64_t WinogradConvolution::GroupBytes(int64_t group) const { return kPoints * Depth(source_.channels) * GroupVectors(group) * 64; }

int64_t WinogradConvolution::packed_weight_bytes() const {
  if (direction_ == Direction::kWeightGradient) return kPoints * source_.channels * RoundUp(target_.channels, kLanes) * 4;
  return kPoints * Depth(source_.channels) * RoundUp(target_.channels, kLanes) * 4;
}

int64_t WinogradConvolution::scratch_bytes() const {
  const int64_t zeros = RoundUp(std::max(source_.channels, target_.channels) * 4, 64) + kZeroBytes;
  if (direction_ == Direction::kWeightGradient) return zeros + kPoints * (SourcePointStride() + GradientPointStride());
  return zeros + kPoints * (SourcePointStride() + threads_ * ProductPointStride() * 4);
}

void WinogradConvolution::PackWeights(const float* oihw, void* packed) const {
  // Taps of (source channel k, target channel n).
  const bool rotated = direction_ == Direction::kInputGradient;
  const int64_t row_stride = rotated ? 9 * target_.channels : 9;
  const int64_t column_stride = rotated ? 9 : 9 * source_.channels;
  const int64_t groups = DivideUp(target_.channels, kGroupColumns), pieces = DivideUp(source_.channels, 2);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads_)
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t vectors = GroupVectors(group), columns = std::min(kGroupColumns, target_.channels - group * kGroupColumns);
      const int64_t rows = std::min<int64_t>(2, source_.channels - piece * 2);
      char* out = static_cast<char*>(packed) + group * GroupBytes(0) + Depth(2 * piece) * vectors * 64;
      winograd::TransformWeights(bf16_, oihw + 2 * piece * row_stride + group * kGroupColumns * column_stride, rows, columns, row_stride, column_stride,
                                 rotated, vectors, out, Depth(source_.channels) * vectors * 64);
    }
  }
}

void WinogradConvolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  const int64_t row = RoundUp(target_.channels, kLanes);
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (int64_t c = 0; c < source_.channels; ++c) {
    winograd::TransformWeightGradient(static_cast<const float*>(packed) + c * row, source_.channels * row, target_.channels, oihw + c * 9, source_.channels * 9);
  }
}

WinogradConvolution::Tile WinogradConvolution::TileAt(int64_t index) const {
  const int64_t column = index % tile_columns_, rest = index / tile_columns_;
  return {rest / tile_rows_, rest % tile_rows_ * kOutputs, column * kOutputs};
}

namespace {

// Pointers to the size x size pixels from (row, column) on; `outside` for those that are not in the image.
void PointAt(const char* images, int64_t image, int64_t height, int64_t width, int64_t pixel_bytes, int64_t row, int64_t column, int size, const void* outside,
             winograd::Pixels& pixels) {
  const char* base = images + image * height * width * pixel_bytes;
  for (int r = 0; r < size; ++r) {
    for (int c = 0; c < size; ++c) {
      const int64_t y = row + r, x = column + c;
      const bool inside = y >= 0 && y < height && x >= 0 && x < width;
      pixels.at[r * size + c] = inside ? base + (y * width + x) * pixel_bytes : outside;
    }
  }
}

}  // namespace

void WinogradConvolution::TransformSource(const char* source, const char* zeros, int64_t begin, int64_t first, int64_t count, char* points) const {
  const int64_t row_bytes = Depth(source_.channels) * 4;
  winograd::Pixels pixels;
  for (int64_t t = first; t < first + count; ++t) {
    const Tile tile = TileAt(begin + t);
    PointAt(source, tile.image, source_.height, source_.width, source_.channels * element_bytes(), tile.row - pad_top_, tile.column - pad_left_, kInputs, zeros, pixels);
    winograd::TransformInput(bf16_, pixels, source_.channels, points + t * row_bytes, SourcePointStride());
  }
}

void WinogradConvolution::ForwardBlock(const ConvolutionArguments& arguments, int64_t begin, int64_t tiles, int64_t group, const char* points, float* products) const {
  const bool forward = direction_ == Direction::kForward;
  const int64_t depth = Depth(source_.channels), vectors = GroupVectors(group);
  const char* weights = static_cast<const char*>(arguments.weights) + group * GroupBytes(0);
  for (int p = 0; p < kPoints; ++p) {
    winograd::Multiply(bf16_, {.rows = tiles, .vectors = vectors, .depth = depth, .a = points + p * SourcePointStride(), .a_row = depth * 4, .a_step = 4,
                               .b = weights + p * depth * vectors * 64, .b_step = vectors * 64, .c = products + p * ProductPointStride(), .c_row = vectors * kLanes});
  }
  const int64_t channel = group * kGroupColumns, pixel_bytes = target_.channels * element_bytes();
  const char* target = static_cast<const char*>(forward ? arguments.out : arguments.in) + channel * element_bytes();
  winograd::Finish finish{.relu = relu_};
  if (forward && arguments.bias != nullptr) finish.bias = static_cast<const float*>(arguments.bias) + channel;
  const char* addend = forward && arguments.addend != nullptr ? static_cast<const char*>(arguments.addend) + channel * element_bytes() : nullptr;
  if (addend != nullptr) finish.addend_offset = addend - target;
  finish.add = addend != nullptr;
  winograd::Pixels pixels;
  for (int64_t t = 0; t < tiles; ++t) {
    const Tile tile = TileAt(begin + t);
    PointAt(target, tile.image, target_.height, target_.width, pixel_bytes, tile.row, tile.column, kOutputs, nullptr, pixels);
    winograd::TransformOutput(bf16_, products + t * vectors * kLanes, ProductPointStride(), std::min(kGroupColumns, target_.channels - channel), finish, pixels);
  }
}

void WinogradConvolution::RunForward(const ConvolutionArguments& arguments) const {
  const char* source = static_cast<const char*>(direction_ == Direction::kForward ? arguments.in : arguments.out);
  char* zeros = static_cast<char*>(arguments.scratch);
  const int64_t zero_bytes = RoundUp(std::max(source_.channels, target_.channels) * 4, 64) + kZeroBytes;
  std::memset(zeros, 0, zero_bytes);
  char* points = zeros + zero_bytes;
  float* products = reinterpret_cast<float*>(points + kPoints * SourcePointStride());
  const int64_t groups = DivideUp(target_.channels, kGroupColumns), row_bytes = Depth(source_.channels) * 4;
#pragma omp parallel num_threads(threads_)
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    float* own = products + thread * kPoints * ProductPointStride();
    for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
      const int64_t count = std::min(chunk_, tiles_ - begin);
      const auto [first, last] = ShareOf(count, thread, threads);
      TransformSource(source, zeros, begin, first, last - first, points);
#pragma omp barrier
      // Blocks of nearly equal size, as many for every thread.
      const int64_t blocks = std::min(count, RoundUp(DivideUp(count, kBlockTiles), groups % threads == 0 ? 1 : threads));
      const auto [task, end] = ShareOf(blocks * groups, thread, threads);
      for (int64_t i = task; i < end; ++i) {
        const auto [t, t_end] = ShareOf(count, static_cast<int>(i % blocks), static_cast<int>(blocks));
        ForwardBlock(arguments, begin + t, t_end - t, i / blocks, points + t * row_bytes, own);
      }
#pragma omp barrier
    }
  }
}

void WinogradConvolution::TransformPairs(const char* in, const char* out, const char* zeros, int64_t begin, int64_t pair, char* in_points, char* out_points) const {
  winograd::Pixels in_pixels[2], out_pixels[2];
  const int64_t in_channels = source_.channels, out_channels = target_.channels;
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t index = begin + 2 * pair + i;
    const Tile tile = TileAt(std::min(index, tiles_ - 1));
    // A tile beyond the last one is all zeros.
    const int64_t below = index < tiles_ ? 0 : source_.height + target_.height;
    PointAt(in, tile.image, source_.height, source_.width, in_channels * element_bytes(), tile.row - pad_top_ + below, tile.column - pad_left_, kInputs, zeros, in_pixels[i]);
    PointAt(out, tile.image, target_.height, target_.width, out_channels * element_bytes(), tile.row + below, tile.column, kOutputs, zeros, out_pixels[i]);
  }
  if (bf16_) {
    winograd::TransformInputPair(in_pixels[0], in_pixels[1], in_channels, in_points + pair * in_channels * 4, SourcePointStride());
    winograd::TransformGradientPair(out_pixels[0], out_pixels[1], out_channels, out_points + pair * RoundUp(out_channels, kLanes) * 4, GradientPointStride());
    return;
  }
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t t = 2 * pair + i;
    winograd::TransformInput(false, in_pixels[i], in_channels, in_points + t * in_channels * 4, SourcePointStride());
    winograd::TransformGradient(false, out_pixels[i], out_channels, out_points + t * RoundUp(out_channels, kLanes) * 4, GradientPointStride());
  }
}

void WinogradConvolution::RunWeightGradient(const ConvolutionArguments& arguments) const {
  char* zeros = static_cast<char*>(arguments.scratch);
  const int64_t zero_bytes = RoundUp(std::max(source_.channels, target_.channels) * 4, 64) + kZeroBytes;
  std::memset(zeros, 0, zero_bytes);
  char* in_points = zeros + zero_bytes;
  char* out_points = in_points + kPoints * SourcePointStride();
  const int64_t row = RoundUp(target_.channels, kLanes), channels = source_.channels;
  const int64_t tasks_a_point = DivideUp(channels, kTaskRows);
  if (target_.channels % kLanes != 0) std::memset(out_points, 0, kPoints * GradientPointStride());
#pragma omp parallel num_threads(threads_)
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    for (int64_t begin = 0; begin < tiles_; begin += chunk_) {
      const int64_t pairs = DivideUp(std::min(chunk_, tiles_ - begin), 2);
      const auto [first, last] = ShareOf(pairs, thread, threads);
      for (int64_t pair = first; pair < last; ++pair) {
        TransformPairs(static_cast<const char*>(arguments.in), static_cast<const char*>(arguments.out), zeros, begin, pair, in_points, out_points);
      }
#pragma omp barrier
      const auto [task, end] = ShareOf(kPoints * tasks_a_point, thread, threads);
      for (int64_t i = task; i < end; ++i) {
        const int64_t p = i / tasks_a_point, c = i % tasks_a_point * kTaskRows;
        for (int64_t n = 0; n < row; n += kGroupColumns) {
          winograd::Multiply(bf16_, {.rows = std::min(kTaskRows, channels - c), .vectors = std::min(kGroupColumns, row - n) / kLanes, .depth = Depth(2 * pairs),
                                     .a = in_points + p * SourcePointStride() + c * 4, .a_row = 4, .a_step = channels * 4,
                                     .b = out_points + p * GradientPointStride() + n * 4, .b_step = row * 4,
                                     .c = static_cast<float*>(arguments.weights) + (p * channels + c) * row + n, .c_row = row, .accumulate = begin > 0});
        }
      }
#pragma omp barrier
    }
  }
}

void WinogradConvolution::Run(const ConvolutionArguments& arguments) const {
  direction_ == Direction::kWeightGradient ? RunWeightGradient(arguments) : RunForward(arguments);
}

}  // namespace cotangent::tensor
