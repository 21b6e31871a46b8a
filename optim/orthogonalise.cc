#include "optim/orthogonalise.h"

#include <algorithm>
#include <cmath>

#include "tensor/matrix_product.h"

namespace cotangent::optim {
namespace {

using tensor::Factors;
using tensor::MatrixView;
using tensor::MultiplyMatrices;
using tensor::ResultForm;

constexpr float kA = 3.4445f;
constexpr float kB = -4.7750f;
constexpr float kC = 2.0315f;
constexpr int kStepsPerGram = 5;  // steps of the iteration until A is computed anew

// Computes c = beta c + alpha a b, where a, b and c are polynomials of the same symmetric matrix.
// The result is therefore symmetric, so MultiplyMatrices() needs to compute only half of the
// result.
void SquareProduct(int64_t side, float alpha, const BigVector<float>& a, const BigVector<float>& b,
                   float beta, BigVector<float>& c) {
  MultiplyMatrices(alpha, {a.data(), side, side, side}, {b.data(), side, side, side}, beta,
                   c.data(), ResultForm::kSymmetric);
}

}  // namespace

Orthogonaliser::Orthogonaliser(int64_t largest_short_side, int64_t largest_size, bool bf16)
    : gram_(largest_short_side * largest_short_side),
      step_(gram_.size()),
      polynomial_(gram_.size()),
      product_(gram_.size()),
      long_(largest_size),
      bf16_(bf16 && tensor::HaveBf16Products()) {
  if (!bf16_) return;
  // A pair of bf16 takes the place of one float, so for even sides half of each size would be
  // enough. For odd sides the number of pairs is rounded up; the whole size is always enough.
  row_pairs_.resize(largest_size);
  column_pairs_.resize(largest_size);
  polynomial_pairs_.resize(gram_.size());
}

MatrixView Orthogonaliser::RowPairs(const MatrixView& matrix) const {
  const int64_t half = (matrix.columns + 1) / 2;
  return {row_pairs_.data(), matrix.rows, half, half};
}
MatrixView Orthogonaliser::ColumnPairs(const MatrixView& matrix) const {
  return {column_pairs_.data(), (matrix.rows + 1) / 2, matrix.columns, matrix.columns};
}

void Orthogonaliser::FormGram(const MatrixView& matrix) {
  const bool is_wide = matrix.rows <= matrix.columns;
  const auto form = [&](const MatrixView& wide, Factors factors) {
    MultiplyMatrices(1, wide, wide.Transposed(), 0, gram_.data(), ResultForm::kSymmetric, factors);
  };
  if (!bf16_) {
    form(is_wide ? matrix : matrix.Transposed(), Factors::kFloats);
    return;
  }
  tensor::PairColumns(matrix.data, matrix.rows, matrix.columns, row_pairs_.data());
  tensor::PairRows(matrix.data, matrix.rows, matrix.columns, column_pairs_.data());
  form(is_wide ? RowPairs(matrix) : ColumnPairs(matrix).Transposed(), Factors::kBf16Pairs);
}

void Orthogonaliser::ApplyPolynomial(const MatrixView& matrix, float scale, float keep,
                                     float* result) {
  const int64_t side = std::min(matrix.rows, matrix.columns), half = (side + 1) / 2;
  const bool is_wide = matrix.rows <= matrix.columns;
  if (!bf16_) {
    const MatrixView polynomial = {polynomial_.data(), side, side, side};
    MultiplyMatrices(scale, is_wide ? polynomial : matrix, is_wide ? matrix : polynomial, keep,
                     result);
    return;
  }
  if (is_wide) {
    tensor::PairColumns(polynomial_.data(), side, side, polynomial_pairs_.data());
    MultiplyMatrices(scale, {polynomial_pairs_.data(), side, half, half}, ColumnPairs(matrix), keep,
                     result, ResultForm::kGeneral, Factors::kBf16Pairs);
  } else {
    tensor::PairRows(polynomial_.data(), side, side, polynomial_pairs_.data());
    MultiplyMatrices(scale, RowPairs(matrix), {polynomial_pairs_.data(), half, side, side}, keep,
                     result, ResultForm::kGeneral, Factors::kBf16Pairs);
  }
}

void Orthogonaliser::Iterate(int64_t side, int steps) {
  for (int i = 0; i < steps; ++i) {
    // Computes step_ = a I + b A + c A^2, with A = gram_ and the coefficients a, b, c of
    // orthogonalise.h.
    std::copy_n(gram_.begin(), side * side, step_.begin());
    SquareProduct(side, kC, gram_, gram_, kB, step_);
    for (int64_t d = 0; d < side; ++d) step_[d * side + d] += kA;
    if (i + 1 < steps) {
      SquareProduct(side, 1, step_, gram_, 0, product_);
      SquareProduct(side, 1, product_, step_, 0, gram_);
    }
    if (i == 0) {
      std::swap(polynomial_, step_);
    } else {
      SquareProduct(side, 1, step_, polynomial_, 0, product_);
      std::swap(polynomial_, product_);
    }
  }
}

void Orthogonaliser::Update(float* matrix, int64_t rows, int64_t columns, int steps, float scale,
                            float keep, float* result) {
  const int64_t side = std::min(rows, columns);
  const MatrixView view = {matrix, rows, columns, columns};
  FormGram(view);
  double trace = 0;  // of G G^T, which is |G|^2
  for (int64_t d = 0; d < side; ++d) trace += gram_[d * side + d];
  const double inverse_norm = 1 / (std::sqrt(trace) + 1e-7);
  const float inverse_square = static_cast<float>(inverse_norm * inverse_norm);
  for (int64_t i = 0; i < side * side; ++i) gram_[i] *= inverse_square;

  float matrix_scale = static_cast<float>(inverse_norm);
  for (int done = 0;;) {
    const int now = std::min(kStepsPerGram, steps - done);
    Iterate(side, now);
    done += now;
    if (done == steps) break;
    ApplyPolynomial(view, matrix_scale, 0, long_.data());
    std::copy_n(long_.begin(), rows * columns, matrix);
    matrix_scale = 1;
    FormGram(view);
  }
  ApplyPolynomial(view, scale * matrix_scale, keep, result);
}

}  // namespace cotangent::optim
