#include "optim/orthogonalise.h"

#include <algorithm>
#include <cmath>

#include "dnnl.h"

namespace cotangent::optim {
namespace {

constexpr float kA = 3.4445f;
constexpr float kB = -4.7750f;
constexpr float kC = 2.0315f;
constexpr int kStepsPerGram = 5;

// c = beta c + alpha a b for square row-major matrices.
void SquareProduct(int64_t side, float alpha, const std::vector<float>& a,
                   const std::vector<float>& b, float beta, std::vector<float>& c) {
  dnnl_sgemm('N', 'N', side, side, side, alpha, a.data(), side, b.data(), side, beta, c.data(),
             side);
}

// result = keep result + scale q matrix, or matrix q where the columns are the short side.
void ApplyPolynomial(const float* q, const float* matrix, int64_t rows, int64_t columns,
                     float scale, float keep, float* result) {
  if (rows <= columns) {
    dnnl_sgemm('N', 'N', rows, columns, rows, scale, q, rows, matrix, columns, keep, result,
               columns);
  } else {
    dnnl_sgemm('N', 'N', rows, columns, columns, scale, matrix, columns, q, columns, keep, result,
               columns);
  }
}

}  // namespace

Orthogonaliser::Orthogonaliser(int64_t largest_short_side, int64_t largest_size)
    : gram_(largest_short_side * largest_short_side),
      step_(gram_.size()),
      polynomial_(gram_.size()),
      product_(gram_.size()),
      long_(largest_size) {}

void Orthogonaliser::FormGram(const float* matrix, int64_t rows, int64_t columns, float scale) {
  if (rows <= columns) {
    dnnl_sgemm('N', 'T', rows, rows, columns, scale, matrix, columns, matrix, columns, 0.0f,
               gram_.data(), rows);
  } else {
    dnnl_sgemm('T', 'N', columns, columns, rows, scale, matrix, columns, matrix, columns, 0.0f,
               gram_.data(), columns);
  }
}

void Orthogonaliser::Iterate(int64_t side, int steps) {
  for (int i = 0; i < steps; ++i) {
    // step = a I + b A + c A^2
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
  FormGram(matrix, rows, columns, 1);
  double trace = 0;  // of G G^T: |G|^2
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
    ApplyPolynomial(polynomial_.data(), matrix, rows, columns, matrix_scale, 0, long_.data());
    std::copy_n(long_.begin(), rows * columns, matrix);
    matrix_scale = 1;
    FormGram(matrix, rows, columns, 1);
  }
  ApplyPolynomial(polynomial_.data(), matrix, rows, columns, scale * matrix_scale, keep, result);
}

}  // namespace cotangent::optim
