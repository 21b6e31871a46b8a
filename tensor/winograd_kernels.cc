#include "tensor/winograd_kernels.h"

#include <immintrin.h>

#include "tensor/vectors.h"

// The points of the polynomials are 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2. Their product is 1, which saves
// multiplications, and among such points they lose the fewest digits: in bf16 a third of what the usual 0, 1, -1, 2, -2 do.
namespace cotangent::tensor::winograd {
namespace {

constexpr float kA = 2.0f / 3, kB = 3.0f / 2;
constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA * kA * kA, kB3 = kB * kB * kB;
constexpr float kSumOfSquares = kA2 + kB2;
// 1 / product of (x_i - x_j) over j != i, for x_i = +-a and +-b.
constexpr float kNa = 1 / (2 * kA2 * (kA2 - kB2)), kNb = 1 / (2 * kB2 * (kB2 - kA2));

inline Vector Set(float x) { return _mm512_set1_ps(x); }
inline Vector MultiplyAdd(Vector a, float b, Vector c) { return _mm512_fmadd_ps(a, Set(b), c); }
inline Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector Sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
inline Vector Scale(Vector a, float b) { return _mm512_mul_ps(a, Set(b)); }

// B^T: 6 inputs to 6 points.
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

// A^T: 6 points to 4 outputs.
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

// A: the gradients of 4 outputs to 6 points.
struct GradientMatrix {
  static constexpr int kFrom = kOutputs, kTo = kInputs;
  static inline void Apply(const Vector* y, Vector* t) {
    const Vector even_a = MultiplyAdd(y[2], kA2, y[0]), odd_a = MultiplyAdd(y[3], kA3, Scale(y[1], kA));
    const Vector even_b = MultiplyAdd(y[2], kB2, y[0]), odd_b = MultiplyAdd(y[3], kB3, Scale(y[1], kB));
    t[0] = y[0];
    t[1] = Add(even_a, odd_a);
    t[2] = Sub(even_a, odd_a);
    t[3] = Add(even_b, odd_b);
    t[4] = Sub(even_b, odd_b);
    t[5] = y[3];
  }
};

// G: 3 taps to 6 points.
struct WeightMatrix {
  static constexpr int kFrom = 3, kTo = kInputs;
  static inline void Apply(const Vector* g, Vector* u) {
    const Vector even_a = MultiplyAdd(g[2], kNa * kA2, Scale(g[0], kNa)), odd_a = Scale(g[1], kNa * kA);
    const Vector even_b = MultiplyAdd(g[2], kNb * kB2, Scale(g[0], kNb)), odd_b = Scale(g[1], kNb * kB);
    u[0] = g[0];
    u[1] = Add(even_a, odd_a);
    u[2] = Sub(even_a, odd_a);
    u[3] = Add(even_b, odd_b);
    u[4] = Sub(even_b, odd_b);
    u[5] = g[2];
  }
};

// G^T: 6 points to the gradients of 3 taps.
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

// Applies a matrix to both sides: load(i) gives the i-th of kFrom^2 numbers, sink(i, x) takes the i-th of kTo^2.
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

// ---- Memory -------------------------------------------------------------------------------------------------------

// bf16 of x and of y side by side in each lane, x first.
inline __m512i Interleave(Vector x, Vector y) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(y));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// ---- Tiles --------------------------------------------------------------------------------------------------------

// Asks for the line at `byte` of every pixel of a tile that is transformed next: tiles are too far apart for the processor to
// foresee them.
template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Pixels& next, int64_t byte) {
  constexpr int kSide = kToWrite ? Matrix::kTo : Matrix::kFrom;
#pragma GCC unroll 36
  for (int i = 0; i < kSide * kSide; ++i) __builtin_prefetch(static_cast<const char*>(next.at[i]) + byte, kToWrite);
}

template <typename Matrix, bool kBf16>
void TransformTile(const Pixels& tile, const Pixels& next, int64_t channels, char* points, int64_t point_stride) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  for (int64_t c = 0; c < channels; c += kLanes) {
    const __mmask16 mask = MaskOf(channels - c);
    const __mmask16 stored = kBf16 ? MaskOf((channels - c + 1) / 2 * 2) : mask;
    char* out = points + c * kSize;
    if (c * kSize % 64 == 0) Prefetch<Matrix>(next, c * kSize);
    BothSides<Matrix>([&](int i) { return Load<kBf16>(tile.at[i], c, mask); },
                      [&](int i, Vector x) { Store<kBf16>(out + i * point_stride, 0, stored, x); });
  }
}

template <typename Matrix>
void TransformPair(const PixelPair& tiles, const PixelPair& next, int64_t channels, char* points, int64_t point_stride) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    const __mmask16 mask = MaskOf(channels - c);
    char* out = points + c * 4;
    if (c * 2 % 64 == 0) {
      Prefetch<Matrix>(next.first, c * 2);
      Prefetch<Matrix>(next.second, c * 2);
    }
    Vector kept[kPoints];
    BothSides<Matrix>([&](int i) { return Load<true>(tiles.first.at[i], c, mask); }, [&](int i, Vector x) { kept[i] = x; });
    BothSides<Matrix>([&](int i) { return Load<true>(tiles.second.at[i], c, mask); },
                      [&](int i, Vector x) { _mm512_mask_storeu_epi32(out + i * point_stride, mask, Interleave(kept[i], x)); });
  }
}

template <bool kBf16>
void TransformOutputTile(const float* points, int64_t point_stride, int64_t channels, const Finish& finish, const Pixels& tile, const Pixels& next) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  for (int64_t c = 0; c < channels; c += kLanes) {
    const __mmask16 mask = MaskOf(channels - c);
    if (c * kSize % 64 == 0) Prefetch<OutputMatrix, /*kToWrite=*/true>(next, c * kSize);
    const Vector shift = finish.bias == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, finish.bias + c);
    // max_ps gives its second operand where one is not a number, so that it stays one.
    const Vector least = Set(finish.relu ? 0.0f : -__builtin_inff());
    const float* in = points + c;
    BothSides<OutputMatrix>([&](int i) { return _mm512_loadu_ps(in + i * point_stride); },
                            [&](int i, Vector y) {
                              char* pixel = static_cast<char*>(const_cast<void*>(tile.at[i]));
                              if (pixel == nullptr) return;
                              y = Add(y, shift);
                              if (finish.add) y = Add(y, Load<kBf16>(pixel + finish.addend_offset, c, mask));
                              Store<kBf16>(pixel, c, mask, _mm512_max_ps(least, y));
                            });
  }
}

// ---- Weights ------------------------------------------------------------------------------------------------------

constexpr int kTaps = 9;
constexpr __mmask16 kTapMask = (1 << kTaps) - 1;

// The points of `count` weights, each of nine taps in a row at taps + i * stride; zeros beyond.
inline __attribute__((always_inline)) void TransformTaps(const float* taps, int64_t stride, int64_t count, bool rotated, Vector* points) {
  Vector rows[kLanes], columns[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) rows[i] = _mm512_maskz_loadu_ps(i < count ? kTapMask : 0, taps + i * stride);
  Transpose16(rows, columns);
  if (rotated) {
    BothSides<WeightMatrix>([&](int i) { return columns[kTaps - 1 - i]; }, [&](int i, Vector u) { points[i] = u; });
  } else {
    BothSides<WeightMatrix>([&](int i) { return columns[i]; }, [&](int i, Vector u) { points[i] = u; });
  }
}

}  // namespace

void TransformInput(bool bf16, const Pixels& tile, const Pixels& next, int64_t channels, char* points, int64_t point_stride) {
  bf16 ? TransformTile<InputMatrix, true>(tile, next, channels, points, point_stride)
       : TransformTile<InputMatrix, false>(tile, next, channels, points, point_stride);
}

void TransformInputPair(const PixelPair& tiles, const PixelPair& next, int64_t channels, char* points, int64_t point_stride) {
  TransformPair<InputMatrix>(tiles, next, channels, points, point_stride);
}

void TransformGradient(bool bf16, const Pixels& tile, const Pixels& next, int64_t channels, char* points, int64_t point_stride) {
  bf16 ? TransformTile<GradientMatrix, true>(tile, next, channels, points, point_stride)
       : TransformTile<GradientMatrix, false>(tile, next, channels, points, point_stride);
}

void TransformGradientPair(const PixelPair& tiles, const PixelPair& next, int64_t channels, char* points, int64_t point_stride) {
  TransformPair<GradientMatrix>(tiles, next, channels, points, point_stride);
}

void TransformOutput(bool bf16, const float* points, int64_t point_stride, int64_t channels, const Finish& finish, const Pixels& tile,
                     const Pixels& next) {
  bf16 ? TransformOutputTile<true>(points, point_stride, channels, finish, tile, next)
       : TransformOutputTile<false>(points, point_stride, channels, finish, tile, next);
}

void TransformWeights(bool bf16, const float* plain, int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride,
                      bool rotated, int64_t vectors, char* points, int64_t point_stride) {
  const int64_t rows_a_step = bf16 ? 2 : 1;
  for (int64_t k = 0; k < rows; k += rows_a_step) {
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t left = columns - v * kLanes;
      const float* taps = plain + k * row_stride + v * kLanes * column_stride;
      char* out = points + (k / rows_a_step * vectors + v) * 64;
      Vector first[kPoints], second[kPoints];
      TransformTaps(taps, column_stride, left, rotated, first);
      if (!bf16) {
        for (int i = 0; i < kPoints; ++i) _mm512_storeu_ps(out + i * point_stride, first[i]);
        continue;
      }
      TransformTaps(taps + row_stride, column_stride, k + 1 < rows ? left : 0, rotated, second);
      for (int i = 0; i < kPoints; ++i) _mm512_storeu_si512(out + i * point_stride, Interleave(first[i], second[i]));
    }
  }
}

void TransformWeightGradient(const float* points, int64_t point_stride, int64_t columns, float* plain, int64_t column_stride) {
  for (int64_t n = 0; n < columns; n += kLanes) {
    Vector taps[kLanes], weights[kLanes];
    for (int i = kTaps; i < kLanes; ++i) taps[i] = _mm512_setzero_ps();
    BothSides<WeightGradientMatrix>([&](int i) { return _mm512_loadu_ps(points + n + i * point_stride); }, [&](int i, Vector g) { taps[i] = g; });
    Transpose16(taps, weights);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      if (n + i < columns) _mm512_mask_storeu_ps(plain + (n + i) * column_stride, kTapMask, weights[i]);
    }
  }
}

}  // namespace cotangent::tensor::winograd
