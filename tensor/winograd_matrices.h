// The matrices of Winograd's convolutions (winograd.h), applied to registers. Part of
// winograd_kernels.cc.
//
// Minimal filtering multiplies polynomials by their values at interpolation points: here 0, a, -a,
// b, -b and infinity with a = 2/3 and b = 3/2. (Values at these points are called points, too,
// below and in winograd.h.) Since a b = 1, fewer multiplications are needed. Among such
// interpolation points these lose the fewest digits: rounding errors in bf16 are a third of those
// with the usual points 0, 1, -1, 2, -2 and infinity.
#ifndef COTANGENT_TENSOR_WINOGRAD_MATRICES_H_
#define COTANGENT_TENSOR_WINOGRAD_MATRICES_H_

#include "tensor/vectors.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor::winograd {
namespace {

constexpr float kA = 2.0f / 3, kB = 3.0f / 2;
constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA * kA * kA, kB3 = kB * kB * kB;
constexpr float kSumOfSquares = kA2 + kB2;
// 1 / product of (x_i - x_j) over the other finite points x_j, for x_i = +-a and for x_i = +-b.
constexpr float kNa = 1 / (2 * kA2 * (kA2 - kB2)), kNb = 1 / (2 * kB2 * (kB2 - kA2));

inline Vector MultiplyAdd(Vector a, float b, Vector c) { return MulAdd(a, Set(b), c); }
inline Vector Scale(Vector a, float b) { return Mul(a, Set(b)); }

// B^T maps 6 inputs to 6 points.
struct InputMatrix {
  static constexpr int kFrom = kInputs, kTo = kInputs;
  static inline void Apply(const Vector* d, Vector* t) {
    const Vector even_a = MultiplyAdd(d[2], -kB2, d[4]), odd_a = MultiplyAdd(d[1], -kB2, d[3]);
    const Vector even_b = MultiplyAdd(d[2], -kA2, d[4]), odd_b = MultiplyAdd(d[1], -kA2, d[3]);
    t[0] = MultiplyAdd(d[2], -kSumOfSquares, Add(d[0], d[4]));
    t[1] = MultiplyAdd(odd_a, kA, even_a);
    t[2] = MultiplyAdd(odd_a, -kA, even_a);
    t[3] = MultiplyAdd(odd_b, kB, even_b);
    t[4] = MultiplyAdd(odd_b, -kB, even_b);
    t[5] = MultiplyAdd(d[3], -kSumOfSquares, Add(d[1], d[5]));
  }
};

// A^T maps 6 points to 4 outputs.
struct OutputMatrix {
  static constexpr int kFrom = kInputs, kTo = kOutputs;
  static inline void Apply(const Vector* m, Vector* y) {
    const Vector sum_a = Add(m[1], m[2]), difference_a = Sub(m[1], m[2]);
    const Vector sum_b = Add(m[3], m[4]), difference_b = Sub(m[3], m[4]);
    y[0] = Add(m[0], Add(sum_a, sum_b));
    y[1] = MultiplyAdd(difference_b, kB, Scale(difference_a, kA));
    y[2] = MultiplyAdd(sum_b, kB2, Scale(sum_a, kA2));
    y[3] = MultiplyAdd(difference_b, kB3, MultiplyAdd(difference_a, kA3, m[5]));
  }
};

// A maps the gradients of 4 outputs to 6 points.
struct GradientMatrix {
  static constexpr int kFrom = kOutputs, kTo = kInputs;
  static inline void Apply(const Vector* y, Vector* t) {
    const Vector even_a = MultiplyAdd(y[2], kA2, y[0]),
                 odd_a = MultiplyAdd(y[3], kA3, Scale(y[1], kA));
    const Vector even_b = MultiplyAdd(y[2], kB2, y[0]),
                 odd_b = MultiplyAdd(y[3], kB3, Scale(y[1], kB));
    t[0] = y[0];
    t[1] = Add(even_a, odd_a);
    t[2] = Sub(even_a, odd_a);
    t[3] = Add(even_b, odd_b);
    t[4] = Sub(even_b, odd_b);
    t[5] = y[3];
  }
};

// G maps 3 taps of the kernel to 6 points.
struct WeightMatrix {
  static constexpr int kFrom = 3, kTo = kInputs;
  static inline void Apply(const Vector* g, Vector* u) {
    const Vector even_a = MultiplyAdd(g[2], kNa * kA2, Scale(g[0], kNa)),
                 odd_a = Scale(g[1], kNa * kA);
    const Vector even_b = MultiplyAdd(g[2], kNb * kB2, Scale(g[0], kNb)),
                 odd_b = Scale(g[1], kNb * kB);
    u[0] = g[0];
    u[1] = Add(even_a, odd_a);
    u[2] = Sub(even_a, odd_a);
    u[3] = Add(even_b, odd_b);
    u[4] = Sub(even_b, odd_b);
    u[5] = g[2];
  }
};

// G^T maps 6 points to the gradients of 3 taps.
struct WeightGradientMatrix {
  static constexpr int kFrom = kInputs, kTo = 3;
  static inline void Apply(const Vector* p, Vector* g) {
    const Vector sum_a = Add(p[1], p[2]), difference_a = Sub(p[1], p[2]);
    const Vector sum_b = Add(p[3], p[4]), difference_b = Sub(p[3], p[4]);
    g[0] = MultiplyAdd(sum_b, kNb, MultiplyAdd(sum_a, kNa, p[0]));
    g[1] = MultiplyAdd(difference_b, kNb * kB, Scale(difference_a, kNa * kA));
    g[2] = MultiplyAdd(sum_b, kNb * kB2, MultiplyAdd(sum_a, kNa * kA2, p[5]));
  }
};

// Applies a matrix M to the columns and rows of a square matrix X: M X M^T. load(i) returns element
// i of X (row by row, kFrom^2 elements), sink(i, x) receives element i of the result (kTo^2).
template <typename Matrix, typename Load, typename Sink>
inline __attribute__((always_inline)) void BothSides(Load load, Sink sink) {
  constexpr int kFrom = Matrix::kFrom, kTo = Matrix::kTo;
  Vector middle[kTo][kFrom];
#pragma GCC unroll 8
  for (int column = 0; column < kFrom; ++column) {
    Vector from[kFrom], to[kTo];
#pragma GCC unroll 8
    for (int row = 0; row < kFrom; ++row) from[row] = load(row * kFrom + column);
    Matrix::Apply(from, to);
#pragma GCC unroll 8
    for (int row = 0; row < kTo; ++row) middle[row][column] = to[row];
  }
#pragma GCC unroll 8
  for (int row = 0; row < kTo; ++row) {
    Vector to[kTo];
    Matrix::Apply(middle[row], to);
#pragma GCC unroll 8
    for (int column = 0; column < kTo; ++column) sink(row * kTo + column, to[column]);
  }
}

}  // namespace
}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_MATRICES_H_
