// Linear layers as matrix products (matrix_product.h). Weights are [out, features]. The features
// have the order in which the layout of the input stores them:
//
//   forward           out [n, out]       = in [n, features] weights^T, then bias, addend and relu
//   input gradient    in_gradient        = out_gradient [n, out] weights
//   weight gradient   [out, features]    = out_gradient^T in
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/parallel.h"
#include "tensor/convolution_family.h"
#include "tensor/matrix_product.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {
namespace {

class LinearProduct final : public ConvolutionImplementation {
 public:
  // Returns whether the convolution is a linear layer, `type`, the element type of its input and
  // its output, is f32, and this processor has the instructions that our kernels need.
  static bool IsAvailable(const ConvolutionShape& shape, ElementType type);
  // Returns the ConvolutionChoice that names this class: its implementation is "product:avx2" or
  // "product:avx512".
  static ConvolutionChoice Choice(Layout in_layout);

  // REQUIRES: IsAvailable(). If relu, results of kForward are max(0, y).
  LinearProduct(const ConvolutionShape& shape, Direction direction, Layout in_layout, bool relu);

  std::string implementation() const override { return Choice(in_layout_).implementation; }
  int64_t packed_weight_bytes() const override { return shape_.out_channels * features_ * 4; }
  int64_t scratch_bytes() const override { return 0; }
  bool weights_are_plain() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  void RunForward(const ConvolutionArguments& arguments) const;

  const ConvolutionShape shape_;
  const Direction direction_;
  const Layout in_layout_;
  const bool relu_;
  const int64_t features_;  // features of an image, including the channels' padding in in_layout
};

bool LinearProduct::IsAvailable(const ConvolutionShape& shape, ElementType type) {
  return type == ElementType::kF32 && HaveOwnKernels(type) && shape.IsLinear();
}

ConvolutionChoice LinearProduct::Choice(Layout in_layout) {
  return {Algorithm::kMatmul, in_layout,         Layout::kNhwc,
          ElementType::kF32,  ElementType::kF32, "product:" + OwnKernelsName(ElementType::kF32)};
}

LinearProduct::LinearProduct(const ConvolutionShape& shape, Direction direction, Layout in_layout,
                             bool relu)
    : shape_(shape),
      direction_(direction),
      in_layout_(in_layout),
      relu_(relu),
      features_(StorageElements(shape.in(), in_layout) / shape.batch) {}

bool LinearProduct::weights_are_plain() const {
  return SameStorage(shape_.weights(), in_layout_, Layout::kNchw);
}

void LinearProduct::PackWeights(const float* oihw, void* packed) const {
  Reorder(shape_.weights(), oihw, Layout::kNchw, ElementType::kF32, packed, in_layout_,
          ElementType::kF32);
}

void LinearProduct::UnpackWeightGradient(const void* packed, float* oihw) const {
  Reorder(shape_.weights(), packed, in_layout_, ElementType::kF32, oihw, Layout::kNchw,
          ElementType::kF32);
}

void LinearProduct::RunForward(const ConvolutionArguments& a) const {
  float* const out = static_cast<float*>(a.out);
  const int64_t columns = shape_.out_channels;
  MultiplyMatrices(
      1, {static_cast<const float*>(a.in), shape_.batch, features_, features_},
      MatrixView{static_cast<const float*>(a.weights), columns, features_, features_}.Transposed(),
      0, out);
  if (a.bias == nullptr && a.addend == nullptr && !relu_) return;
  ParallelRanges(shape_.batch, LeastItems(columns), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    ProductKernels().finish(
        /*bf16=*/false,
        {.rows = end - begin,
         .columns = columns,
         .sums = out + at,
         .sums_row = columns,
         .bias = static_cast<const float*>(a.bias),
         .addend = a.addend == nullptr ? nullptr : static_cast<const char*>(a.addend) + at * 4,
         .relu = relu_,
         .out = reinterpret_cast<char*>(out + at),
         .out_row = columns * 4});
  });
}

void LinearProduct::Run(const ConvolutionArguments& a) const {
  const MatrixView in = {static_cast<const float*>(a.in), shape_.batch, features_, features_};
  const MatrixView out = {static_cast<const float*>(a.out), shape_.batch, shape_.out_channels,
                          shape_.out_channels};
  const MatrixView weights = {static_cast<const float*>(a.weights), shape_.out_channels, features_,
                              features_};
  switch (direction_) {
    case Direction::kForward:
      return RunForward(a);
    case Direction::kInputGradient:
      return MultiplyMatrices(1, out, weights, 0, static_cast<float*>(a.in));
    case Direction::kWeightGradient:
      return MultiplyMatrices(1, out.Transposed(), in, 0, static_cast<float*>(a.weights));
  }
}

}  // namespace

extern constexpr ConvolutionFamily kLinearProductFamily = {
    .name = "linear product",
    .algorithm = Algorithm::kMatmul,
    .available =
        [](const ConvolutionShape& shape, Direction, const SideTypes& types) {
          return types.in == types.out && LinearProduct::IsAvailable(shape, types.in);
        },
    .candidates =
        [](const ConvolutionShape& shape, Direction, const SideTypes&) {
          std::vector<ConvolutionCandidate> all;
          for (const Layout layout : LinearLayouts(shape))
            all.push_back({LinearProduct::Choice(layout), OwnKernelKind()});
          return all;
        },
    .has =
        [](const ConvolutionChoice& choice) {
          return choice == LinearProduct::Choice(choice.in_layout);
        },
    .create =
        [](const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
           const Epilogue& epilogue) -> absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> {
      return std::make_unique<LinearProduct>(shape, direction, choice.in_layout, epilogue.relu);
    },
};

}  // namespace cotangent::tensor
