// Forward convolutions of few pixels and many weights, such as inference of one image, as one
// matrix product: pixels by weights. The time goes into reading the weights, so they are read in
// the order in which they lie in memory, and only once (if there are fewer panels than threads,
// once for each part of the pixels).
//
// The inputs of each output pixel are gathered into a row. A thread then multiplies all rows by one
// panel of output channels (panels.h) at a time.
#include <algorithm>
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

namespace cotangent::tensor {
namespace {

// A panel's weights are divided into pieces of at most this many bytes. All rows are multiplied by
// one piece before the next, so that the piece stays in the nearest cache.
constexpr int64_t kPieceBytes = 24 << 10;
// The most bytes that the gathered rows may take, counted as f32.
constexpr int64_t kMostRowsBytes = 16 << 20;
// The most pixels, here images, of a linear layer. linear_product.cc, which packs nothing,
// transposes the weights in each call; with more images, that is a small part of the product.
constexpr int64_t kMostLinearPixels = 16;

class ProductConvolution final : public PanelConvolution {
 public:
  // Returns whether this processor has the necessary instructions and the convolution is forward,
  // without groups, and of few pixels, whose gathered rows are not too large.
  // `type` is the type of both sides, which are NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type);
  // Returns the ConvolutionChoice that names this class: its implementation is "product:avx2",
  // "product:avx512" or "product:avx512_bf16".
  static ConvolutionChoice Choice(ElementType type);

  // REQUIRES: IsAvailable(). If relu, results are max(0, y).
  ProductConvolution(const ConvolutionShape& shape, Direction, ElementType type, bool relu)
      : PanelConvolution(shape, type, relu) {}

  std::string implementation() const override {
    return Choice(bf16_ ? ElementType::kBf16 : ElementType::kF32).implementation;
  }
  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // Writes the inputs of output pixel `pixel` to `row`, tap by tap (a tap is a cell of the kernel,
  // with all input channels).
  void GatherRow(const char* in, int64_t pixel, char* row) const;
  // Computes a panel's output channels for output pixels [first, first + count).
  void MultiplyPanel(const ConvolutionArguments& arguments, int64_t panel, const char* rows,
                     int64_t first, int64_t count, float* sums) const;

  int64_t pixels() const { return shape_.batch * shape_.out_height() * shape_.out_width(); }
  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  int64_t depth() const { return taps() * channel_steps(); }  // steps of the product over a row
  int64_t RowBytes() const { return depth() * 4; }
  int64_t RowsBytes() const;  // of all gathered rows
};

bool ProductConvolution::IsAvailable(const ConvolutionShape& s, Direction direction,
                                     ElementType type) {
  if (!HaveOwnKernels(type) || direction != Direction::kForward || s.groups != 1) return false;
  const int64_t pixels = s.batch * s.out_height() * s.out_width();
  return pixels <= (s.IsLinear() ? kMostLinearPixels : kMostPanelPixels) &&
         pixels * s.kernel_height * s.kernel_width * s.in_channels * 4 <= kMostRowsBytes;
}

ConvolutionChoice ProductConvolution::Choice(ElementType type) {
  return NhwcChoice(Algorithm::kDirect, type, "product:" + OwnKernelsName(type));
}

int64_t ProductConvolution::RowsBytes() const { return RoundUp(pixels() * RowBytes(), 64); }
int64_t ProductConvolution::packed_weight_bytes() const {
  return depth() * RoundUp(shape_.out_channels, products_.lanes) * 4;
}
int64_t ProductConvolution::scratch_bytes() const {
  return RowsBytes() + threads_ * pixels() * panels_.width() * 4;
}

void ProductConvolution::PackWeights(const float* oihw, void* packed) const {
  const int64_t channels = shape_.in_channels;
  ParallelFor(panels_.count() * taps(), [&](int64_t share) {
    const int64_t panel = share / taps(), tap = share % taps(), first = panel * panels_.width(),
                  columns = panels_.Columns(panel);
    const auto weight = [&](int64_t column, int64_t c) {
      const int64_t n = first + column;
      return n < shape_.out_channels && c < channels ? oihw[(n * channels + c) * taps() + tap]
                                                     : 0.0f;
    };
    PackSteps(bf16_, channels, columns, weight,
              static_cast<char*>(packed) + (first * depth() + tap * channel_steps() * columns) * 4);
  });
}

void ProductConvolution::GatherRow(const char* in, int64_t pixel, char* row) const {
  const int64_t width = shape_.out_width(), height = shape_.out_height();
  const int64_t top = pixel / width % height * shape_.stride_height - shape_.pad_top;
  const int64_t left = pixel % width * shape_.stride_width - shape_.pad_left;
  const int64_t bytes = shape_.in_channels * element_bytes(), tap_bytes = channel_steps() * 4;
  const char* const image =
      in + pixel / (width * height) * shape_.in_height * shape_.in_width * bytes;
  for (int64_t r = 0; r < shape_.kernel_height; ++r) {
    const int64_t y = top + r * shape_.dilation_height;
    for (int64_t c = 0; c < shape_.kernel_width; ++c, row += tap_bytes) {
      const int64_t x = left + c * shape_.dilation_width;
      const bool inside = y >= 0 && y < shape_.in_height && x >= 0 && x < shape_.in_width;
      const int64_t filled = inside ? bytes : 0;
      if (inside) std::memcpy(row, image + (y * shape_.in_width + x) * bytes, bytes);
      std::memset(row + filled, 0, tap_bytes - filled);
    }
  }
}

void ProductConvolution::MultiplyPanel(const ConvolutionArguments& arguments, int64_t panel,
                                       const char* rows, int64_t first, int64_t count,
                                       float* sums) const {
  const int64_t vectors = panels_.Vectors(panel);
  const char* const weights =
      static_cast<const char*>(arguments.weights) + panel * depth() * panels_.width() * 4;
  const int64_t step_bytes = panels_.Columns(panel) * 4, piece_steps = kPieceBytes / step_bytes;
  for (int64_t k = 0; k < depth(); k += piece_steps) {
    const int64_t piece = std::min(piece_steps, depth() - k);
    // The kernel prefetches the next piece: after a panel's last piece, the first of the next
    // panel. The very last piece has no successor and prefetches itself.
    const bool more = k + piece < depth() || panel + 1 < panels_.count();
    const char* const b = weights + k * step_bytes;
    products_.multiply(bf16_, {.rows = count,
                               .vectors = vectors,
                               .depth = piece,
                               .a = rows + first * RowBytes() + k * 4,
                               .a_row = RowBytes(),
                               .a_step = 4,
                               .b = b,
                               .b_step = step_bytes,
                               .c = sums,
                               .c_row = panels_.width(),
                               .accumulate = k > 0,
                               .next = more ? b + piece * step_bytes : b,
                               .next_bytes = piece * step_bytes});
  }
  const int64_t channel = panel * panels_.width(),
                offset = (first * shape_.out_channels + channel) * element_bytes();
  const auto from_here = [&](const void* data) {
    return data == nullptr ? nullptr : static_cast<const char*>(data) + offset;
  };
  products_.finish(bf16_, {.rows = count,
                           .columns = std::min(panels_.width(), shape_.out_channels - channel),
                           .sums = sums,
                           .sums_row = panels_.width(),
                           .bias = arguments.bias == nullptr
                                       ? nullptr
                                       : static_cast<const float*>(arguments.bias) + channel,
                           .addend = from_here(arguments.addend),
                           .relu = relu_,
                           .out = static_cast<char*>(arguments.out) + offset,
                           .out_row = shape_.out_channels * element_bytes()});
}

void ProductConvolution::Run(const ConvolutionArguments& arguments) const {
  char* const rows = static_cast<char*>(arguments.scratch);
  float* const sums = reinterpret_cast<float*>(rows + RowsBytes());
  ParallelRanges(pixels(), LeastItems(RowBytes() / 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      GatherRow(static_cast<const char*>(arguments.in), i, rows + i * RowBytes());
  });
  // Panels are divided among threads. If there are fewer panels than threads, the pixels are
  // divided, too.
  const int64_t parts = std::min(DivideUp(threads_, panels_.count()), pixels());
  ParallelFor(panels_.count() * parts, [&](int64_t share, int thread) {
    const auto [begin, end] = PartOf(pixels(), share % parts, parts);
    MultiplyPanel(arguments, share / parts, rows, begin, end - begin,
                  sums + thread * pixels() * panels_.width());
  });
}

}  // namespace

extern constexpr ConvolutionFamily kProductFamily =
    NhwcFamily<ProductConvolution>("product", Algorithm::kDirect);

}  // namespace cotangent::tensor
