// One axis, vertical or horizontal, of a convolution, and which results along it read the source by
// the same taps (cells of the kernel). Results are outputs and their source is the input or, in the
// gradient by the input, the other way round.
#ifndef COTANGENT_TENSOR_CONVOLUTION_AXIS_H_
#define COTANGENT_TENSOR_CONVOLUTION_AXIS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/round_up.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {

struct ConvolutionAxis {
  int64_t in, out, kernel, stride, dilation, pad;  // pad: before the first pixel
};

inline ConvolutionAxis VerticalAxis(const ConvolutionShape& s) {
  return {s.in_height,     s.out_height(),    s.kernel_height,
          s.stride_height, s.dilation_height, s.pad_top};
}

inline ConvolutionAxis HorizontalAxis(const ConvolutionShape& s) {
  return {s.in_width, s.out_width(), s.kernel_width, s.stride_width, s.dilation_width, s.pad_left};
}

// Results `first`, `first + step`, ... (`count` of them), which read by the same taps. By a tap
// (the kernel's cell with index `kernel` along this axis), the first result reads index `offset` of
// the source, which may lie outside of it. Each further result reads ConvolutionAxis::stride
// further on or, in the gradient, 1.
struct AxisPhase {
  struct Tap {
    int64_t kernel, offset;
  };
  int64_t first, step, count;
  std::vector<Tap> taps;  // those with the least offset first
};

// Returns the phases that together have all results: outputs or, if `gradient`, input gradients. By
// tap k, output o reads input o stride + k dilation - pad, so all outputs are one phase. Input i is
// read by output (i + pad - k dilation) / stride, if that is a whole number, so in the gradient
// every stride-th result is of the same phase; a phase may have no taps. The first phase has the
// most results.
inline std::vector<AxisPhase> PhasesOf(const ConvolutionAxis& a, bool gradient) {
  std::vector<AxisPhase> phases;
  if (!gradient) {
    phases.push_back({0, 1, a.out, {}});
    for (int64_t k = 0; k < a.kernel; ++k) phases[0].taps.push_back({k, k * a.dilation - a.pad});
    return phases;
  }
  for (int64_t first = 0; first < std::min(a.stride, a.in); ++first) {
    phases.push_back({first, a.stride, DivideUp(a.in - first, a.stride), {}});
    for (int64_t k = a.kernel - 1; k >= 0; --k) {
      const int64_t at = first + a.pad - k * a.dilation;
      if (at % a.stride == 0) phases.back().taps.push_back({k, at / a.stride});
    }
  }
  return phases;
}

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CONVOLUTION_AXIS_H_
