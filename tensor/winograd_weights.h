// Transforms for the weights of Winograd's convolutions (winograd.h). The nine taps (cells of the
// 3x3 kernel) w of a pair of input and output channel become 36 numbers, called points: the
// elements of G w G^T. In the other direction, the 36 points P of a gradient by the weights become
// the gradients of the nine taps, G^T P G. Part of winograd_kernels.cc.
#ifndef COTANGENT_TENSOR_WINOGRAD_WEIGHTS_H_
#define COTANGENT_TENSOR_WINOGRAD_WEIGHTS_H_

#include "tensor/vectors.h"
#include "tensor/winograd_kernels.h"
#include "tensor/winograd_matrices.h"

namespace cotangent::tensor::winograd {
namespace {

constexpr int kTaps = 9;

#if defined(__AVX512F__)
// Loads the nine taps of `count` weights (at most kLanes of them), those of weight i from taps + i
// * stride: tap t of weight i goes to lane i of columns[t]. Lanes from `count` on are 0.
inline __attribute__((always_inline)) void LoadTaps(const float* taps, int64_t stride,
                                                    int64_t count, Vector* columns) {
  Vector rows[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    rows[i] = i < count ? Load(taps + i * stride, PartialVector{kTaps}) : Zero();
  Transpose(rows, columns);
}

// The reverse of LoadTaps(): stores lane i of columns[t] as tap t of weight i, for the first
// `count` weights (at most kLanes of them).
inline __attribute__((always_inline)) void StoreTaps(const Vector* columns, float* taps,
                                                     int64_t stride, int64_t count) {
  Vector all[kLanes], rows[kLanes];
  for (int i = 0; i < kLanes; ++i) all[i] = i < kTaps ? columns[i] : Zero();
  Transpose(all, rows);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i < count) Store(taps + i * stride, rows[i], PartialVector{kTaps});
  }
}
#else
// LoadTaps() for registers of 8 floats: eight taps fill a register; the ninth is loaded separately.
inline __attribute__((always_inline)) void LoadTaps(const float* taps, int64_t stride,
                                                    int64_t count, Vector* columns) {
  Vector rows[kLanes];
  alignas(32) float last[kLanes];
#pragma GCC unroll 8
  for (int i = 0; i < kLanes; ++i) {
    rows[i] = i < count ? Load(taps + i * stride) : Zero();
    last[i] = i < count ? taps[i * stride + kLanes] : 0;
  }
  Transpose(rows, columns);
  columns[kLanes] = Load(last);
}

inline __attribute__((always_inline)) void StoreTaps(const Vector* columns, float* taps,
                                                     int64_t stride, int64_t count) {
  Vector rows[kLanes];
  alignas(32) float last[kLanes];
  Store(last, columns[kLanes]);
  Transpose(columns, rows);
#pragma GCC unroll 8
  for (int i = 0; i < kLanes; ++i) {
    if (i >= count) continue;
    Store(taps + i * stride, rows[i]);
    taps[i * stride + kLanes] = last[i];
  }
}
#endif

// Computes the points (the 36 elements of G w G^T) of `count` weights (at most kLanes of them),
// whose nine taps lie at taps + i * stride for weight i and are taken in reverse order if
// `rotated`. Lane i of points[p] is point p of weight i; lanes from `count` on are 0.
inline __attribute__((always_inline)) void TransformTaps(const float* taps, int64_t stride,
                                                         int64_t count, bool rotated,
                                                         Vector* points) {
  Vector columns[kLanes + kTaps];
  LoadTaps(taps, stride, count, columns);
  if (rotated) {
    BothSides<WeightMatrix>([&](int i) { return columns[kTaps - 1 - i]; },
                            [&](int i, Vector u) { points[i] = u; });
  } else {
    BothSides<WeightMatrix>([&](int i) { return columns[i]; },
                            [&](int i, Vector u) { points[i] = u; });
  }
}

template <bool kBf16>
void TransformWeightsAs(const float* plain, int64_t rows, int64_t columns, int64_t row_stride,
                        int64_t column_stride, bool rotated, int64_t vectors, char* points,
                        int64_t point_stride) {
  constexpr int64_t kRowsAStep = kBf16 ? 2 : 1;
  for (int64_t k = 0; k < rows; k += kRowsAStep) {
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t left = columns - v * kLanes;
      const float* taps = plain + k * row_stride + v * kLanes * column_stride;
      char* out = points + (k / kRowsAStep * vectors + v) * kLanes * 4;
      Vector first[kPoints], second[kPoints];
      TransformTaps(taps, column_stride, left, rotated, first);
      if constexpr (kBf16) {
        TransformTaps(taps + row_stride, column_stride, k + 1 < rows ? left : 0, rotated, second);
        for (int i = 0; i < kPoints; ++i) first[i] = Interleave(first[i], second[i]);
      }
      for (int i = 0; i < kPoints; ++i)
        Store(reinterpret_cast<float*>(out + i * point_stride), first[i]);
    }
  }
}

void TransformWeights(bool bf16, const float* plain, int64_t rows, int64_t columns,
                      int64_t row_stride, int64_t column_stride, bool rotated, int64_t vectors,
                      char* points, int64_t point_stride) {
  WithType(bf16, [&](auto type) {
    TransformWeightsAs<type.value>(plain, rows, columns, row_stride, column_stride, rotated,
                                   vectors, points, point_stride);
  });
}

void TransformWeightGradient(const float* points, int64_t point_stride, int64_t columns,
                             float* plain, int64_t column_stride) {
  for (int64_t n = 0; n < columns; n += kLanes) {
    Vector taps[kTaps];
    BothSides<WeightGradientMatrix>([&](int i) { return Load(points + n + i * point_stride); },
                                    [&](int i, Vector g) { taps[i] = g; });
    StoreTaps(taps, plain + n * column_stride, column_stride, columns - n);
  }
}

}  // namespace
}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_WEIGHTS_H_
