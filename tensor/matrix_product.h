// Products of matrices of up to a few hundred rows, on all threads, as needed by linear layers and
// to orthogonalise a gradient (the Muon optimizer). With AVX2, MultiplyMatrices() uses this
// module's own kernels, which take half the time if the result is known to be symmetric; without
// AVX2, oneDNN's sgemm.
#ifndef COTANGENT_TENSOR_MATRIX_PRODUCT_H_
#define COTANGENT_TENSOR_MATRIX_PRODUCT_H_

#include <cstdint>

namespace cotangent::tensor {

// A view of a matrix: element (i, j) is data[i * row + j] or, if transposed, data[j * row + i].
// `rows` and `columns` are those after transposing.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t row = 0;  // floats from one stored row to the next
  bool transposed = false;

  MatrixView Transposed() const { return {data, columns, rows, row, !transposed}; }
};

enum class ResultForm {
  kGeneral,
  kSymmetric,  // the result is known to be symmetric, such as a a^T
};

// Returns whether this processor has products in bf16, which are twice as fast as in f32. The two
// factors must be rounded before, by PairColumns() and PairRows(): two bf16 neighbours along the
// dimension that is summed over take the place of one float. Sums are f32.
bool HaveBf16Products();
// Rounds `matrix`, dense row-major [rows, columns], to pairs of neighbours in a row: `pairs` is
// [rows, columns / 2 rounded up]. REQUIRES, here and below: HaveBf16Products().
void PairColumns(const float* matrix, int64_t rows, int64_t columns, float* pairs);
// Rounds `matrix` to pairs of neighbours in a column: `pairs` is [rows / 2 rounded up, columns].
void PairRows(const float* matrix, int64_t rows, int64_t columns, float* pairs);

// The form of the factors a and b: floats, or bf16 pairs that PairColumns() (for a) and PairRows()
// (for b) made.
enum class Factors { kFloats, kBf16Pairs };

// Computes c = alpha a b + beta c. `c` is dense row-major [a.rows, b.columns]; if beta is 0, it is
// not read. REQUIRES: a.columns = b.rows (with kBf16Pairs both count pairs). With AVX2 the result
// is bitwise the same for any number of threads.
void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c,
                      ResultForm form = ResultForm::kGeneral, Factors factors = Factors::kFloats);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_MATRIX_PRODUCT_H_
