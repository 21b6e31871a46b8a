// Forward 3x3 convolutions of stride 1 by minimal filtering along rows only: F(4, 3) across, all
// three taps downwards. It takes half of a direct convolution's multiplications where winograd.h
// takes a quarter, but its weights take twice their plain size where those of winograd.h take four
// times: of few pixels, as of one image, a convolution waits for its weights.
//
//   y[row] = A^T (sum over taps r and input channels of (B^T x[row + r]) (G w[r]))      for four outputs of a row at a time
//
// Activations are NHWC. In f32 everything is f32; in bf16 activations, B^T x and G w are bf16, all
// sums f32.
#ifndef COTANGENT_TENSOR_WINOGRAD_ROWS_H_
#define COTANGENT_TENSOR_WINOGRAD_ROWS_H_

#include <cstdint>
#include <string>

#include "tensor/own_convolution.h"
#include "tensor/panels.h"
#include "tensor/product_kernels.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor {

class WinogradRows final : public OwnConvolution {
 public:
  // Whether this processor has the instructions, and the convolution is of the kind and has few
  // pixels. `type` is that of both sides.
  static bool IsAvailable(const ConvolutionShape& shape, Direction direction, ElementType type);
  // "wino_rows:avx2", "wino_rows:avx512", "wino_rows:avx512_bf16".
  static std::string ImplementationName(ElementType type);

  // Requires IsAvailable(). relu: results are max(0, y).
  WinogradRows(const ConvolutionShape& shape, ElementType type, bool relu);

  std::string implementation() const override {
    return ImplementationName(bf16_ ? ElementType::kBf16 : ElementType::kF32);
  }
  int64_t packed_weight_bytes() const override;
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override {}
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  // Four outputs of a row are a tile. Each image has input rows for its output rows and two more.
  int64_t tiles_a_row() const;
  int64_t in_rows() const { return shape_.out_height() + 2; }
  int64_t in_tiles() const { return shape_.batch * in_rows() * tiles_a_row(); }
  int64_t out_tiles() const { return shape_.batch * shape_.out_height() * tiles_a_row(); }

  void TransformInTile(const char* in, const char* zeros, int64_t tile, char* points) const;
  void TransformOutTile(const ConvolutionArguments& arguments, int64_t tile,
                        const float* products) const;
  // The products of one panel of output channels at one point.
  void MultiplyPanel(const char* weights, int64_t point, int64_t panel, const char* points,
                     float* products) const;

  int64_t element_bytes() const { return bf16_ ? 2 : 4; }
  int64_t depth() const {
    return bf16_ ? (shape_.in_channels + 1) / 2 : shape_.in_channels;
  }  // steps of a product for one tap
  int64_t TapBytes(int64_t panel) const {
    return depth() * panels_.Columns(panel) * 4;
  }  // of a panel's weights
  int64_t WeightPointBytes() const;
  int64_t PointBytes() const;    // of all transformed tiles at one point
  int64_t ProductRow() const;    // floats
  int64_t ProductPoint() const;  // floats
  int64_t ZeroBytes() const;

  const winograd::Kernels& kernels_;
  const product_kernels::Kernels& products_;
  const Panels panels_;  // of output channels
  const ConvolutionShape shape_;
  const bool bf16_, relu_;
  const int threads_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_WINOGRAD_ROWS_H_
