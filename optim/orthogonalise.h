#ifndef COTANGENT_OPTIM_ORTHOGONALISE_H_
#define COTANGENT_OPTIM_ORTHOGONALISE_H_

#include <cstdint>

#include "base/memory.h"
#include "tensor/matrix_product.h"

namespace cotangent::optim {

// Brings the singular values of a matrix near 1 and keeps its singular vectors: a cheap stand-in
// for U V^T of G = U S V^T.
//
// The quintic Newton-Schulz iteration of Jordan et al. ("Muon", 2024), from X = G / |G|:
//   X <- a X + (b A + c A^2) X,   A = X X^T,   a = 3.4445, b = -4.7750, c = 2.0315,
// whose coefficients trade exact convergence for speed: five steps take every singular value above
// 0.01 into about [0.7, 1.2].
//
// X after k steps is Q_k G / |G| with Q_k a polynomial in A_0 = G G^T / |G|^2, and A_k the same in
// Q_k A_0 Q_k. So only A_0 and the last product touch the long side of the matrix; the iteration
// runs on square matrices of the short side. Rounding in A_0 stands for singular values that are
// not there and grows by a^2 each step, so after five the long product is formed and A is taken
// from it anew.
//
// With bf16, the two products with the long side take G and Q rounded to it: the result is that of
// a matrix a bf16 rounding from G, within 1% for up to five steps. The iteration stays in f32.
// (Muon's authors run all of it in bf16.)
class Orthogonaliser {
 public:
  // Room for matrices up to these sizes: the short side, and the number of entries. `bf16` counts
  // where the processor has products of it.
  Orthogonaliser(int64_t largest_short_side, int64_t largest_size, bool bf16 = false);

  // result = keep result + scale orthogonalise(matrix), both [rows, columns], row-major; `matrix`
  // may be overwritten. A matrix of zeros adds nothing. Allocates nothing; all threads compute.
  void Update(float* matrix, int64_t rows, int64_t columns, int steps, float scale, float keep,
              float* result);

 private:
  // gram_ = the matrix's product with its own transpose over the long side.
  void FormGram(const tensor::MatrixView& matrix);
  // result = keep result + scale Q matrix, or matrix Q where the columns are the short side;
  // `matrix` is what FormGram saw last.
  void ApplyPolynomial(const tensor::MatrixView& matrix, float scale, float keep, float* result);
  // The matrix, rounded, as FormGram left it.
  tensor::MatrixView RowPairs(const tensor::MatrixView& matrix) const;
  tensor::MatrixView ColumnPairs(const tensor::MatrixView& matrix) const;
  // Runs `steps` steps from gram_; polynomial_ becomes Q.
  void Iterate(int64_t side, int steps);

  BigVector<float> gram_, step_, polynomial_, product_;  // [short side, short side]
  BigVector<float> long_;                                // [rows, columns]
  const bool bf16_;
  // In bf16, the matrix in pairs along its rows and along its columns, and Q along either.
  BigVector<float> row_pairs_, column_pairs_, polynomial_pairs_;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_ORTHOGONALISE_H_
