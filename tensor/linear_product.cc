#include "tensor/linear_product.h"

#include "base/parallel.h"
#include "tensor/matrix_product.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {

bool LinearProduct::IsAvailable(const ConvolutionShape& shape, ElementType type) {
  return type == ElementType::kF32 && HaveOwnKernels(type) && shape.IsLinear();
}

std::string LinearProduct::ImplementationName() {
  return "product:" + OwnKernelsName(ElementType::kF32);
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

}  // namespace cotangent::tensor
