#ifndef COTANGENT_OPTIM_ORTHOGONALISE_H_
#define COTANGENT_OPTIM_ORTHOGONALISE_H_

#include <cstdint>

#include "base/memory.h"
#include "tensor/matrix_product.h"

namespace cotangent::optim {

// Brings the singular values of a matrix close to 1 and keeps its singular vectors. For a singular
// value decomposition G = U S V^T the result approximates U V^T, but computing it costs much less
// than the decomposition.
//
// Uses the quintic Newton-Schulz iteration of Jordan et al. ("Muon", 2024), starting from X = G /
// |G|, where |G| is the Frobenius norm:
//   X <- a X + (b A + c A^2) X,   A = X X^T,   a = 3.4445, b = -4.7750, c = 2.0315.
// The coefficients trade exact convergence for speed: five steps bring every singular value of G /
// |G| above 0.01 into about [0.7, 1.2].
//
// After k steps X = Q_k G / |G|, where Q_k is a polynomial in A_0 = G G^T / |G|^2, and A_k = Q_k
// A_0 Q_k. So only A_0 and the final product involve the long side of the matrix; the iteration
// itself runs on square matrices of the short side. Rounding errors in A_0 act like small singular
// values that G does not have, and grow by a^2 in each step. So after every five steps X itself is
// computed, and A anew from X.
//
// With bf16, the two products with the long side round G and Q to bf16. For up to five steps, the
// result differs by at most 1% of its largest entry from that of the f32 iteration on the rounded
// G. The iteration itself stays in f32 (Muon's authors compute all of it in bf16).
class Orthogonaliser {
 public:
  // Allocates memory for matrices with a short side of at most largest_short_side and at most
  // largest_size entries. `bf16` has an effect only if the processor has bf16 products.
  Orthogonaliser(int64_t largest_short_side, int64_t largest_size, bool bf16 = false);

  // Computes result = keep * result + scale * (orthogonalised `matrix`) with `steps` steps of the
  // iteration. `matrix` and `result` are row-major [rows, columns]; `matrix` may be overwritten.
  // For a matrix of zeros the second term is 0. Allocates nothing and uses all threads.
  void Update(float* matrix, int64_t rows, int64_t columns, int steps, float scale, float keep,
              float* result);

 private:
  // Computes gram_ = M M^T, or M^T M if the matrix M has fewer columns than rows.
  void FormGram(const tensor::MatrixView& matrix);
  // Computes result = keep * result + scale * Q M, or with M Q if M has fewer columns than rows;
  // `result` is row-major, of the shape of M. M must be the matrix that FormGram() was called with
  // last.
  void ApplyPolynomial(const tensor::MatrixView& matrix, float scale, float keep, float* result);
  // Return views of bf16 copies of `matrix`, which must be the matrix that FormGram() was called
  // with last. Two bf16 numbers take the place of one float: neighbours in a row, or in a column.
  tensor::MatrixView RowPairs(const tensor::MatrixView& matrix) const;
  tensor::MatrixView ColumnPairs(const tensor::MatrixView& matrix) const;
  // Makes `steps` steps of the iteration from A = gram_; polynomial_ becomes Q. `side` is the short
  // side.
  void Iterate(int64_t side, int steps);

  BigVector<float> gram_, step_, polynomial_, product_;  // [short side, short side]
  BigVector<float> long_;                                // [rows, columns]
  const bool bf16_;
  // Used only with bf16: the matrix in pairs along its rows, the matrix in pairs along its columns,
  // and Q in pairs.
  BigVector<float> row_pairs_, column_pairs_, polynomial_pairs_;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_ORTHOGONALISE_H_
