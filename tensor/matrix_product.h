// Products of a few matrices of a few hundred rows, on all threads: what orthogonalising a gradient
// takes. Where there is AVX2 by kernels of our own, of which a symmetric result takes half of the
// time; elsewhere by oneDNN's sgemm.
#ifndef COTANGENT_TENSOR_MATRIX_PRODUCT_H_
#define COTANGENT_TENSOR_MATRIX_PRODUCT_H_

#include <cstdint>

namespace cotangent::tensor {

// Element (i, j) is data[i * row + j], or data[j * row + i] if transposed. Rows and columns are
// those after transposing.
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

// Products of bf16 take their factors rounded beforehand, two of the depth that is summed over in
// the place of a float. Where HaveBf16Products(), which are twice as fast; sums are f32.
bool HaveBf16Products();
// Row-major and dense [rows, columns] to pairs of neighbours in a row: [rows, columns / 2 rounded
// up].
void PairColumns(const float* matrix, int64_t rows, int64_t columns, float* pairs);
// To pairs of neighbours in a column: [rows / 2 rounded up, columns].
void PairRows(const float* matrix, int64_t rows, int64_t columns, float* pairs);

// What the numbers of the factors are: pairs as above are columns of `a` and rows of `b`.
enum class Factors { kFloats, kBf16Pairs };

// c = alpha a b + beta c, with c [a.rows, b.columns] row-major and dense; where beta is 0, c is not
// read. Requires a.columns = b.rows. Bitwise the same for any number of threads where there is
// AVX2.
void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c,
                      ResultForm form = ResultForm::kGeneral, Factors factors = Factors::kFloats);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_MATRIX_PRODUCT_H_
