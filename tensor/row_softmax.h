// Softmax over the rows of a matrix.
#ifndef COTANGENT_TENSOR_ROW_SOFTMAX_H_
#define COTANGENT_TENSOR_ROW_SOFTMAX_H_

#include <cstdint>

namespace cotangent::tensor {

// Both functions take f32 matrices [rows, columns] in row-major order and divide the rows among the
// threads. Sums are formed in double, in an order that depends on the number of columns only: the
// bits of the results are the same for any number of threads and on every instruction set.

// Writes y_k = exp(x_k) / sum_j exp(x_j) of each row. Besides what x_k - max_j x_j loses when it is
// rounded to f32, the relative error is at most 4e-7, or y_k is 0 where it is below 1e-37. A row that
// holds a NaN or +inf, or nothing but -inf, becomes NaN.
void SoftmaxRows(int64_t rows, int64_t columns, const float* x, float* y);

// Writes the gradient dx of a loss by x from its gradient dy by y: dx = y (dy - sum_j dy_j y_j).
void SoftmaxRowsGradient(int64_t rows, int64_t columns, const float* dy, const float* y, float* dx);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_ROW_SOFTMAX_H_
