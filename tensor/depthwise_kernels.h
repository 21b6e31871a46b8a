// Inner loops of depthwise convolution (depthwise.cc), for each instruction set. Channels are the
// lanes of a register: a depthwise convolution never sums over them.
//
// Included by a file that is compiled for an instruction set: it must include nothing with inline
// functions that others share.
#ifndef COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_
#define COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::depthwise_kernels {

// Pixels of one row of results, each of which reads the same taps of the kernel at equal distances:
//
//   out[p][c] = bias[c] + sum over t < taps of weights[weight_at[t] + c] * source[source_at[t] + p * source_step][c]
//               (+ addend[p][c]), then max(0, .) if `relu`; for p < pixels, c < channels
//
// Sources, addends and results are f32 or bf16, weights, bias and sums f32.
struct WeightedSum {
  int64_t channels = 0, pixels = 0, taps = 0;
  const char* source = nullptr;
  const int64_t* source_at = nullptr;  // bytes, of each tap
  int64_t source_step = 0;             // bytes, from one pixel to the next
  const float* weights = nullptr;
  const int64_t* weight_at = nullptr;  // floats, of each tap
  const float* bias = nullptr;         // or null
  const char* addend = nullptr;        // as `out`, or null
  bool relu = false;
  char* out = nullptr;
  int64_t out_step = 0;  // bytes
};

// What a row of output gradients adds to the gradient of some taps:
//
//   sums[sum_at[t] + c] += sum over p < pixels of source[source_at[t] + p * source_step][c] * gradient[p * gradient_step][c]
struct Correlation {
  int64_t channels = 0, pixels = 0, taps = 0;
  const char* source = nullptr;
  const int64_t* source_at = nullptr;  // bytes, of each tap
  int64_t source_step = 0;             // bytes
  const char* gradient = nullptr;
  int64_t gradient_step = 0;  // bytes
  float* sums = nullptr;
  const int64_t* sum_at = nullptr;  // floats, of each tap
};

struct Kernels {
  void (*sum)(bool bf16, const WeightedSum& sum);
  void (*correlate)(bool bf16, const Correlation& correlation);
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::depthwise_kernels

#endif  // COTANGENT_TENSOR_DEPTHWISE_KERNELS_H_
