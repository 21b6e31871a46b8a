// Normalises the rows of a matrix, each to a mean of 0 and a variance of 1.
#ifndef COTANGENT_TENSOR_ROW_NORM_H_
#define COTANGENT_TENSOR_ROW_NORM_H_

#include <cstdint>

#include "base/element_type.h"

namespace cotangent::tensor {

// Both functions take matrices [rows, columns] in row-major order, of elements of `type` (f32 or
// bf16), and use all threads. Sums are formed in double, in an order that depends on the number of
// columns only: the bits of the results are the same for any number of threads and on every
// instruction set.

// Writes y = (x - mean) * inverse_deviation, and for each row its `mean` and its
// `inverse_deviation` = 1 / sqrt(variance + epsilon). The variance is the biased one.
void NormaliseRows(ElementType type, int64_t rows, int64_t columns, double epsilon, const void* x,
                   void* y, float* mean, float* inverse_deviation);

// Writes the gradient dx of a loss by x from its gradient dy by y:
// dx = inverse_deviation * (dy - M(dy) - y M(dy y)), where M is the mean over a row.
void NormaliseRowsGradient(ElementType type, int64_t rows, int64_t columns, const void* dy,
                           const void* y, const float* inverse_deviation, void* dx);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_ROW_NORM_H_
