// Inner loops of convolutions whose pixels are the rows of a matrix (pixel_convolution.h), in f32,
// for AVX2. The lanes of a register are channels: those of the results or, in a weight gradient,
// the output channels.
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
#ifndef COTANGENT_TENSOR_PIXEL_KERNELS_H_
#define COTANGENT_TENSOR_PIXEL_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::pixel_kernels {

inline constexpr int64_t kLanes = 8;        // floats in a register
inline constexpr int64_t kMostVectors = 3;  // registers of a result that are computed at once

// Arguments of Kernels::multiply, which computes some channels (a panel) of some pixels:
//
//   out[out_at[p] + c] = start + sum over s < segments, k < depth of
//                        source[source_at[p] + segment_at[s] + k] * weights[s][k][c]
//                        (+ addend[out_at[p] + c]), then max(0, .) if `relu`;
//                        for p < pixels, c < columns
//
// where `start` is out[out_at[p] + c] if `accumulate`, else bias[c], else 0. All distances are in
// floats.
struct PanelProduct {
  int64_t pixels = 0;
  int64_t columns = 0, vectors = 0;  // kLanes * (vectors - 1) < columns <= kLanes * vectors
  int64_t segments = 0, depth = 0;
  const float* source = nullptr;
  const int64_t* source_at = nullptr;   // for each pixel
  const int64_t* segment_at = nullptr;  // for each segment
  const float* weights = nullptr;       // [segments][depth][kLanes * vectors]
  float* out = nullptr;
  const int64_t* out_at = nullptr;  // for each pixel
  bool accumulate = false;
  const float* bias = nullptr;    // [columns], or null
  const float* addend = nullptr;  // laid out like `out`, or null
  bool relu = false;
};

// Arguments of Kernels::correlate, which adds to sums[r][c], for r < rows and c < kLanes * vectors:
//
//   sum over p < pixels of source[source_at[p] + r] * gradient[p][c]
struct PanelCorrelation {
  int64_t pixels = 0, rows = 0, vectors = 0;
  const float* source = nullptr;
  const int64_t* source_at = nullptr;  // for each pixel
  const float* gradient = nullptr;     // [pixels][kLanes * vectors]
  float* sums = nullptr;
  int64_t sums_row = 0;  // floats from one row to the next
};

struct Kernels {
  void (*multiply)(const PanelProduct& product);
  void (*correlate)(const PanelCorrelation& correlation);
};

extern const Kernels kAvx2;

}  // namespace cotangent::tensor::pixel_kernels

#endif  // COTANGENT_TENSOR_PIXEL_KERNELS_H_
