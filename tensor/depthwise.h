// Depthwise convolution, where every channel has a kernel of its own (groups = input channels =
// output channels), in all three directions at about the speed of memory.
//
// Images are NHWC, so that neighbouring channels fill a register and every tap of the kernel is one
// multiply-add of registers. With indices as in convolution.h,
//
//   forward           out[n, y, x, c]          = sum over ky, kx of weights[ky, kx, c] * in[n, y', x', c]
//   input gradient    in_gradient[n, y', x', c] = sum over the (ky, kx) for which a (y, x) reads (y', x')
//   weight gradient   weight_gradient[ky, kx, c] = sum over n, y, x of in[n, y', x', c] * out_gradient[n, y, x, c]
//
// Along each axis the taps that a result has are found once, when the convolution is made (Taps):
// the border and the phases of a stride differ only in which taps there are, so that one loop
// computes all of them.
#ifndef COTANGENT_TENSOR_DEPTHWISE_H_
#define COTANGENT_TENSOR_DEPTHWISE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/depthwise_kernels.h"
#include "tensor/own_convolution.h"

namespace cotangent::tensor {

class DepthwiseConvolution final : public OwnConvolution {
 public:
  // Whether this processor has the instructions and the convolution is of the kind. `type` is that
  // of both sides, NHWC.
  static bool IsAvailable(const ConvolutionShape& shape, ElementType type);
  // "depthwise:avx2", "depthwise:avx512", "depthwise:avx512_bf16".
  static std::string ImplementationName(ElementType type);

  // Requires IsAvailable(). relu: results of kForward are max(0, y).
  DepthwiseConvolution(const ConvolutionShape& shape, Direction direction, ElementType type,
                       bool relu);

  std::string implementation() const override {
    return ImplementationName(bf16_ ? ElementType::kBf16 : ElementType::kF32);
  }
  int64_t packed_weight_bytes() const override { return taps() * row() * 4; }
  // kWeightGradient: the sums of each share of the images.
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // Along one axis: results `first`, `first + step`, ... (`count` of them) read, by tap, sources
  // that start at `source` and advance by `source_step`.
  struct Tap {
    int64_t kernel, source;
  };
  struct Taps {
    int64_t first, step, count, source_step;
    std::vector<Tap> taps;
  };
  // One row of results.
  struct Line {
    const Taps* rows;
    int64_t index;
    int64_t row() const { return rows->first + index * rows->step; }
  };
  struct Axis {
    int64_t in, out, kernel, stride, dilation, pad;
  };
  static std::vector<Taps> OfResults(const Axis& axis, bool gradient);
  static std::vector<Taps> OfKernel(const Axis& axis);

  Axis vertical() const;
  Axis horizontal() const;
  int64_t taps() const { return shape_.kernel_height * shape_.kernel_width; }
  int64_t row() const;  // floats from one tap's weights to the next's
  int64_t pixel_bytes() const { return shape_.in_channels * (bf16_ ? 2 : 4); }
  int64_t shares() const;

  void SumRow(const ConvolutionArguments& arguments, int64_t image, const Line& line) const;
  void SumAll(const ConvolutionArguments& arguments) const;
  void CorrelateImage(const ConvolutionArguments& arguments, int64_t image, float* sums) const;
  void CorrelateAll(const ConvolutionArguments& arguments) const;

  const depthwise_kernels::Kernels& kernels_;
  const ConvolutionShape shape_;
  const Direction direction_;
  const bool bf16_, relu_;
  // kForward and kInputGradient: by results. kWeightGradient: columns by tap of the kernel, rows by
  // row of the output.
  std::vector<Taps> rows_, columns_;
  std::vector<Line> lines_;  // of all rows_, from the top
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_DEPTHWISE_H_
