// Max-pools tiles of outputs in windows of 2x2, in registers, and stores the results; loads the
// gradients of pooled tiles as those of the tiles before pooling. Part of winograd_kernels.cc.
#ifndef COTANGENT_TENSOR_WINOGRAD_WINDOWS_H_
#define COTANGENT_TENSOR_WINOGRAD_WINDOWS_H_

#include "tensor/vectors.h"
#include "tensor/winograd_kernels.h"
#include "tensor/winograd_matrices.h"
#include "tensor/winograd_pixels.h"

namespace cotangent::tensor::winograd {
namespace {

// Prefetches the values of the windows of `next`, the tile that is transformed next, `byte` bytes
// after their addresses, and once per 64 channels (a cache line of bytes) the positions from
// `channel` on.
template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Windows& next, int64_t byte,
                                                    int64_t channel) {
  constexpr int kSide = kToWrite ? Matrix::kTo / 2 : Matrix::kFrom / 2 + Matrix::kFrom % 4 / 2;
#pragma GCC unroll 16
  for (int i = 0; i < kSide * kSide; ++i) {
    __builtin_prefetch(static_cast<const char*>(next.value.at[i]) + byte, kToWrite);
    if (channel % 64 == 0)
      __builtin_prefetch(static_cast<const char*>(next.position.at[i]) + channel, kToWrite);
  }
}
// Loads pixel i of the tile before pooling, for the channels of one register from channel c on: the
// value of its window where the maximum came from this pixel, otherwise 0.
template <typename Matrix, bool kBf16, typename Lanes>
inline __attribute__((always_inline)) Vector LoadFrom(const Windows& tile, int i, int64_t c,
                                                      Lanes lanes) {
  constexpr int kFrom = Matrix::kFrom, kFirst = kFrom == kInputs ? 1 : 0,
                kSide = kFrom == kInputs ? 4 : 2;
  const int row = i / kFrom + kFirst, column = i % kFrom + kFirst,
            window = row / 2 * kSide + column / 2;
  const auto where = WhereEqual(static_cast<const uint8_t*>(tile.position.at[window]) + c,
                                row % 2 * 2 + column % 2, lanes);
  if constexpr (kBf16)
    return LoadBf16Where(where, static_cast<const char*>(tile.value.at[window]) + c * 2);
  else
    return LoadWhere(where, static_cast<const float*>(tile.value.at[window]) + c, lanes);
}

template <bool kBf16>
void TransformPooledOutputAs(const float* points, int64_t point_stride, int64_t channels,
                             const Finish& finish, const Windows& tile, const Windows& next) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        if (c * kSize % 64 == 0) Prefetch<OutputMatrix, /*kToWrite=*/true>(next, c * kSize, c);
        const Vector shift = Shift(finish, c, lanes), least = Least(finish);
        Vector y[kOutputs * kOutputs];
        BothSides<OutputMatrix>([&](int i) { return Load(points + c + i * point_stride); },
                                [&](int i, Vector x) { y[i] = x; });
#pragma GCC unroll 4
        for (int window = 0; window < 4; ++window) {
          if (tile.value.at[window] == nullptr) continue;
          const int corner = window / 2 * 2 * kOutputs + window % 2 * 2;
          Vector greatest = y[corner], position = Zero();
#pragma GCC unroll 3
          for (int cell = 1; cell < 4; ++cell) {
            const Vector x = y[corner + cell / 2 * kOutputs + cell % 2];
            position = IfLess(greatest, x, Set(static_cast<float>(cell)), position);
            greatest = Max(greatest, x);
          }
          StoreAs<kBf16>(Pixel(tile.value, window, c * kSize), Max(least, Add(greatest, shift)),
                         lanes);
          if (tile.position.at[window] != nullptr)
            StoreBytes(reinterpret_cast<uint8_t*>(Pixel(tile.position, window, c)), position,
                       lanes);
        }
      });
}

void TransformPooledOutput(bool bf16, const float* points, int64_t point_stride, int64_t channels,
                           const Finish& finish, const Windows& tile, const Windows& next) {
  WithType(bf16, [&](auto type) {
    TransformPooledOutputAs<type.value>(points, point_stride, channels, finish, tile, next);
  });
}

}  // namespace
}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_WINDOWS_H_
