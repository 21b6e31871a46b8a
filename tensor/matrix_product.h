// Products of a few matrices of a few hundred rows in f32, on all threads: what orthogonalising a gradient takes. Where there
// is AVX2 by kernels of our own, of which a symmetric result takes half of the time; elsewhere by oneDNN's sgemm.
#ifndef COTANGENT_TENSOR_MATRIX_PRODUCT_H_
#define COTANGENT_TENSOR_MATRIX_PRODUCT_H_

#include <cstdint>

namespace cotangent::tensor {

// Element (i, j) is data[i * row + j], or data[j * row + i] if transposed. Rows and columns are those after transposing.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t row = 0;  // floats from one stored row to the next
  bool transposed = false;

  MatrixView Transposed() const { return {data, columns, rows, row, !transposed}; }
};

enum class ResultForm {
  kGeneral,
  kSymmetric,  // the caller knows that the result is, as of a a^T, or of polynomials in one symmetric matrix
};

// c = alpha a b + beta c, with c [a.rows, b.columns] row-major and dense; where beta is 0, c is not read. Requires
// a.columns = b.rows. Bitwise the same for any number of threads where there is AVX2.
void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c,
                      ResultForm form = ResultForm::kGeneral);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_MATRIX_PRODUCT_H_
