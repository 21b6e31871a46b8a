// Inner loops of depthwise convolution (depthwise.cc), compiled for each instruction set. The lanes
// of a register are channels, since a depthwise convolution never sums over channels.
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
#ifndef COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_
#define COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::depthwise_kernels {

// Arguments of Kernels::sum, which computes `pixels` pixels of one row of results, `channels`
// numbers each. By tap t (a cell of the convolution's kernel), pixel p reads the `channels` numbers
// at byte source_at[t] + p * source_step of `source`:
//
//   out[p][c] = bias[c] + sum over t < taps of
//               weights[weight_at[t] + c] * source[source_at[t] + p * source_step][c]
//               (+ addend[p][c]), then max(0, .) if `relu`; for p < pixels, c < channels
//
// Sources, addends and results are f32 or bf16; weights, bias and sums are f32.
struct WeightedSum {
  int64_t channels = 0, pixels = 0, taps = 0;
  const char* source = nullptr;
  const int64_t* source_at = nullptr;  // bytes from `source`, for each tap
  int64_t source_step = 0;             // bytes from one pixel's source to the next's
  const float* weights = nullptr;
  const int64_t* weight_at = nullptr;  // floats from `weights`, for each tap
  const float* bias = nullptr;         // f32 [channels], or null
  const char* addend = nullptr;        // laid out like `out`, or null
  bool relu = false;
  char* out = nullptr;
  int64_t out_step = 0;  // bytes from one pixel's result to the next's
};

// Arguments of Kernels::correlate, which adds what one row of output gradients contributes to the
// weight gradient of some taps. Source and gradient are f32 or bf16, sums are f32:
//
//   sums[sum_at[t] + c] += sum over p < pixels of
//                          source[source_at[t] + p * source_step][c] *
//                          gradient[p * gradient_step][c]
//   for t < taps, c < channels
struct Correlation {
  int64_t channels = 0, pixels = 0, taps = 0;
  const char* source = nullptr;
  const int64_t* source_at = nullptr;  // bytes from `source`, for each tap
  int64_t source_step = 0;             // bytes from one pixel's source to the next's
  const char* gradient = nullptr;
  int64_t gradient_step = 0;  // bytes from one pixel's gradient to the next's
  float* sums = nullptr;
  const int64_t* sum_at = nullptr;  // floats from `sums`, for each tap
};

// Arguments of Kernels::sum_row, which computes one row of results in f32. By tap (y, x), result p
// reads pixel p * source_step + first + x of source row number y, which has `width` pixels; pixels
// outside of it count as zero. `source_step` and `first` are in pixels, other distances in floats.
//
//   out[p][c] = bias[c] + sum over y < rows, x < taps of
//               weights[weight_at[y * taps + x] + c] *
//               source[row_at[y] + (p * source_step + first + x) * channels + c]
//               (+ addend[p][c]), then max(0, .) if `relu`; for p < pixels, c < channels
struct RowSum {
  int64_t channels = 0, pixels = 0, rows = 0, taps = 0;
  int64_t width = 0, first = 0, source_step = 1;
  const float* source = nullptr;
  const int64_t* row_at = nullptr;  // for each row, from top to bottom
  const float* weights = nullptr;
  const int64_t* weight_at = nullptr;
  const float* bias = nullptr;    // [channels], or null
  const float* addend = nullptr;  // laid out like `out`, or null
  bool relu = false;
  float* out = nullptr;
  int64_t out_step = 0;  // from one pixel's result to the next's
};

// Arguments of Kernels::correlate_row, which adds what one row of output gradients contributes to
// the weight gradient, in f32. The source and its fields are those of RowSum; a pixel of `gradient`
// has `channels` floats.
//
//   sums[sum_at[y * taps + x] + c] +=
//       sum over p < pixels of
//       source[row_at[y] + (p * source_step + first + x) * channels + c] * gradient[p][c]
struct RowCorrelation {
  int64_t channels = 0, pixels = 0, rows = 0, taps = 0;
  int64_t width = 0, first = 0, source_step = 1;
  const float* source = nullptr;
  const int64_t* row_at = nullptr;  // for each row, from top to bottom
  const float* gradient = nullptr;
  float* sums = nullptr;
  const int64_t* sum_at = nullptr;
};

struct Kernels {
  // `bf16` says that sources, gradients, addends and results are bf16. It may be true only for the
  // kernels of AVX-512, and only if HasAvx512Bf16() (base/cpu.h).
  void (*sum)(bool bf16, const WeightedSum& sum);
  void (*correlate)(bool bf16, const Correlation& correlation);
  // For AVX2, where registers are few; null for AVX-512. These kernels read a source once for all
  // results that need it. Each returns whether it has code for so many taps in a row and this
  // source_step; if not, it does nothing.
  bool (*sum_row)(const RowSum& sum) = nullptr;
  bool (*correlate_row)(const RowCorrelation& correlation) = nullptr;
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::depthwise_kernels

#endif  // COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_
