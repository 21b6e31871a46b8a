#include "tensor/int8_panels.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/int8_convolution.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"

namespace cotangent::tensor {
namespace {

using int8_kernels::kColumns;
using int8_kernels::kRows;

// A chunk is the items (tiles of pixels, or single pixels; int8_panels.h) that are processed at a
// time. Each thread works on chunks of its own only if there are at least kLeastItemsByThread items
// per thread: with fewer, loading the weights takes too long. Chunks for the second-level cache
// have about kMostItemsByThread items at most.
constexpr int64_t kLeastItemsByThread = 24, kMostItemsByThread = 192;
// The bytes of the third-level cache that a thread's chunk may take if kLeastItemsByThread items do
// not fit into the second-level cache. (If they do not fit into these bytes either, it takes more.)
constexpr int64_t kL3BytesPerThread = 3 << 20;
// The number of steps of a product, of two numbers of a row each, that are computed at a time, so
// that their weights stay in the nearest cache.
constexpr int64_t kPieceSteps = 256;
constexpr int64_t kLeastItemsPerTask = 4;

int8_kernels::Number NumberOf(ElementType type) {
  return type == ElementType::kU8   ? int8_kernels::Number::kU8
         : type == ElementType::kS8 ? int8_kernels::Number::kS8
                                    : int8_kernels::Number::kF32;
}

}  // namespace

Int8PanelConvolution::Int8PanelConvolution(const ConvolutionShape& shape,
                                           const ConvolutionChoice& choice,
                                           const Epilogue& epilogue, const Parts& parts)
    : kernels_(Int8Kernels()),
      shape_(shape),
      choice_(choice),
      int8_(*epilogue.int8),
      bias_(epilogue.bias),
      addend_(epilogue.addend),
      relu_(epilogue.relu),
      parts_(parts),
      threads_(Threads()),
      by_thread_(parts.items >= threads_ * kLeastItemsByThread),
      group_panels_(by_thread_ ? 2 : 1),
      chunk_(parts.items) {
  if (!by_thread_) return;
  const int64_t bytes = parts.points * (parts.row_stride * 2 + ProductRow() * 4),
                near = SecondCacheBytes() / 8 * 7 / bytes, far = kL3BytesPerThread / bytes,
                most = near >= kLeastItemsByThread ? std::min(near, kMostItemsByThread)
                                                   : std::max(far, kLeastItemsByThread),
                share = DivideUp(parts.items, threads_);
  chunk_ = RoundUp(DivideUp(share, DivideUp(share, most)), kRows);
}

int64_t Int8PanelConvolution::PointStride() const {
  return PadAgainstCacheAliasing(chunk_ * parts_.row_stride * 2) / 2;
}
int64_t Int8PanelConvolution::ProductPointStride() const {
  return PadAgainstCacheAliasing(chunk_ * ProductRow() * 4) / 4;
}
int64_t Int8PanelConvolution::panels() const { return DivideUp(shape_.out_channels, kColumns); }
int64_t Int8PanelConvolution::groups() const { return DivideUp(panels(), group_panels_); }
int64_t Int8PanelConvolution::PanelPointBytes() const {
  return RoundUp(parts_.row * kColumns * weight_bytes(), 64);
}
int64_t Int8PanelConvolution::packed_weight_bytes() const {
  return panels() * parts_.points * PanelPointBytes();
}
int64_t Int8PanelConvolution::ZeroBytes() const { return RoundUp(shape_.in_channels, 64); }
int64_t Int8PanelConvolution::ChannelBytes() const {
  return RoundUp(shape_.out_channels, kColumns) * 4;
}
int64_t Int8PanelConvolution::RowsBytes() const { return parts_.points * PointStride() * 2; }
int64_t Int8PanelConvolution::ProductsBytes() const {
  return parts_.points * ProductPointStride() * 4;
}
int64_t Int8PanelConvolution::scratch_bytes() const {
  return ZeroBytes() + 2 * ChannelBytes() + (by_thread_ ? threads_ : 1) * RowsBytes() +
         threads_ * ProductsBytes();
}

int Int8PanelConvolution::Weight(const float* oihw, int64_t out, int64_t in, int64_t tap) const {
  const int64_t taps = shape_.kernel_height * shape_.kernel_width;
  return RoundedWeight(oihw[(out * shape_.in_channels + in) * taps + tap],
                       int8_.weight_scales[out]);
}

int8_kernels::Finish Int8PanelConvolution::FinishFor(const ConvolutionArguments& arguments,
                                                     float* channel_numbers) const {
  const bool is_real = int8_.out_type == ElementType::kF32;
  const float out_scale = is_real ? 1 : int8_.out_scale;
  float* const factors = channel_numbers;
  float* const shifts = channel_numbers + ChannelBytes() / 4;
  for (int64_t o = 0; o < shape_.out_channels; ++o) {
    factors[o] = int8_.in_scale * int8_.weight_scales[o] / out_scale;
    shifts[o] = bias_ ? static_cast<const float*>(arguments.bias)[o] / out_scale : 0;
  }
  return {.out_type = NumberOf(choice_.out_type),
          .addend_type = is_real ? int8_kernels::Number::kF32 : NumberOf(int8_.addend_type),
          .factors = factors,
          .shifts = shifts,
          .add = addend_,
          .addend_offset = addend_ ? static_cast<const char*>(arguments.addend) -
                                         static_cast<const char*>(arguments.out)
                                   : 0,
          .addend_factor = is_real ? 1 : int8_.addend_scale / out_scale,
          .relu = relu_};
}

void Int8PanelConvolution::Multiply(const char* weights, int64_t point, int64_t panel,
                                    int64_t count, const int16_t* rows, int32_t* products) const {
  const auto multiply = parts_.byte_weights ? kernels_.multiply_bytes : kernels_.multiply_words;
  const char* const b = weights + (panel * parts_.points + point) * PanelPointBytes();
  const int64_t depth = parts_.row / 2;
  for (int64_t k = 0; k < depth; k += kPieceSteps) {
    multiply({.rows = count,
              .depth = std::min(kPieceSteps, depth - k),
              .a = rows + point * PointStride() + k * 2,
              .a_row = parts_.row_stride,
              .b = b + k * 2 * kColumns * weight_bytes(),
              .c = products + point * ProductPointStride(),
              .c_row = ProductRow(),
              .accumulate = k > 0});
  }
}

void Int8PanelConvolution::ComputeGroup(const ConvolutionArguments& arguments,
                                        const int8_kernels::Finish& finish, int64_t group,
                                        int64_t first, int64_t count, const int16_t* rows,
                                        int32_t* products) const {
  const int64_t begin = group * group_panels_, end = std::min(begin + group_panels_, panels());
  for (int64_t point = 0; point < parts_.points; ++point) {
    for (int64_t panel = begin; panel < end; ++panel) {
      Multiply(static_cast<const char*>(arguments.weights), point, panel, count, rows,
               products + (panel - begin) * kColumns);
    }
  }
  const int64_t channel = begin * kColumns;
  int8_kernels::Finish here = finish;
  here.factors += channel, here.shifts += channel;
  MakeOutputs(arguments, first, count, channel,
              std::min(end * kColumns, shape_.out_channels) - channel, products, here);
}

void Int8PanelConvolution::Run(const ConvolutionArguments& arguments) const {
  char* const zeros = static_cast<char*>(arguments.scratch);
  float* const channel_numbers = reinterpret_cast<float*>(zeros + ZeroBytes());
  char* const all_rows = zeros + ZeroBytes() + 2 * ChannelBytes();
  char* const all_products = all_rows + (by_thread_ ? threads_ : 1) * RowsBytes();
  const auto rows_of = [&](int thread) {
    return reinterpret_cast<int16_t*>(all_rows + thread * RowsBytes());
  };
  const auto products_of = [&](int thread) {
    return reinterpret_cast<int32_t*>(all_products + thread * ProductsBytes());
  };
  std::memset(zeros, 0, ZeroBytes());
  const int8_kernels::Finish finish = FinishFor(arguments, channel_numbers);
  if (by_thread_) {
    ParallelFor(DivideUp(parts_.items, chunk_), [&](int64_t share, int thread) {
      const int64_t first = share * chunk_, count = std::min(chunk_, parts_.items - first);
      MakeRows(arguments, zeros, first, count, rows_of(thread));
      for (int64_t group = 0; group < groups(); ++group)
        ComputeGroup(arguments, finish, group, first, count, rows_of(thread), products_of(thread));
    });
    return;
  }
  ParallelRanges(parts_.items, kLeastItemsPerTask, [&](int64_t begin, int64_t end) {
    MakeRows(arguments, zeros, begin, end - begin, rows_of(0) + begin * parts_.row_stride);
  });
  ParallelFor(groups(), [&](int64_t group, int thread) {
    ComputeGroup(arguments, finish, group, 0, parts_.items, rows_of(0), products_of(thread));
  });
}

}  // namespace cotangent::tensor
