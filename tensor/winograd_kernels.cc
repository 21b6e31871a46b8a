#include "tensor/winograd_kernels.h"

#include "tensor/vectors.h"
#include "tensor/winograd_matrices.h"
#include "tensor/winograd_pixels.h"
#include "tensor/winograd_weights.h"
#include "tensor/winograd_windows.h"

namespace cotangent::tensor::winograd {
namespace {

// ---- Transforms of whole tiles, along columns and rows ------------------------------------------

// Rounds a number of lanes up to an even number, because bf16 numbers are stored in pairs.
[[maybe_unused]] inline FullVector FilledUp(FullVector lanes) { return lanes; }
[[maybe_unused]] inline PartialVector FilledUp(PartialVector lanes) {
  return {(lanes.count + 1) / 2 * 2};
}

// Calls f(c, at, lanes) for every register of channels: c is the register's first channel, `at` the
// address at which that channel of point 0 is stored (Places in winograd_kernels.h), and `lanes` a
// FullVector, or a PartialVector for a last register that is not full. Numbers have `size` bytes.
template <typename Function>
inline __attribute__((always_inline)) void ForEachPlace(int64_t channels, char* points,
                                                        const Places& places, int64_t size,
                                                        Function f) {
  for (int64_t first = 0; first < channels; first += places.width, points += places.panel) {
    const int64_t count = first + places.width < channels ? places.width : channels - first;
    ForEachVector(
        count, [&](int64_t c, auto lanes)
                   __attribute__((always_inline)) { f(first + c, points + c * size, lanes); });
  }
}

template <typename Matrix, typename Tile, bool kBf16>
void TransformTileAs(const Tile& tile, const Tile& next, int64_t channels, char* points,
                     const Places& places) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  ForEachPlace(
      channels, points, places,
      kSize, [&](int64_t c, char* at, auto lanes) __attribute__((always_inline)) {
        if (c * kSize % 64 == 0) Prefetch<Matrix>(next, c * kSize, c);
        BothSides<Matrix>([&](int i) { return LoadFrom<Matrix, kBf16>(tile, i, c, lanes); },
                          [&](int i, Vector x) {
                            if constexpr (kBf16)
                              StoreBf16(at + i * places.point, x, FilledUp(lanes));
                            else
                              Store(reinterpret_cast<float*>(at + i * places.point), x, lanes);
                          });
      });
}

template <typename Matrix, typename Tile>
void TransformTile(bool bf16, const Tile& tile, const Tile& next, int64_t channels, char* points,
                   const Places& places) {
  WithType(bf16, [&](auto type) {
    TransformTileAs<Matrix, Tile, type.value>(tile, next, channels, points, places);
  });
}

#if defined(__AVX512F__)
template <typename Matrix, typename Tile>
void TransformPair(const Pair<Tile>& tiles, const Pair<Tile>& next, int64_t channels, char* points,
                   const Places& places) {
  ForEachPlace(
      channels, points, places,
      4, [&](int64_t c, char* at, auto lanes) __attribute__((always_inline)) {
        if (c * 2 % 64 == 0) {
          Prefetch<Matrix>(next.first, c * 2, c);
          Prefetch<Matrix>(next.second, c * 2, c);
        }
        Vector kept[kPoints];
        BothSides<Matrix>([&](int i) { return LoadFrom<Matrix, true>(tiles.first, i, c, lanes); },
                          [&](int i, Vector x) { kept[i] = x; });
        BothSides<Matrix>([&](int i) { return LoadFrom<Matrix, true>(tiles.second, i, c, lanes); },
                          [&](int i, Vector x) {
                            Store(reinterpret_cast<float*>(at + i * places.point),
                                  Interleave(kept[i], x), lanes);
                          });
      });
}
#endif

template <bool kBf16>
void TransformOutputAs(const float* points, int64_t point_stride, int64_t channels,
                       const Finish& finish, const Pixels& tile, const Pixels& next) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        if (c * kSize % 64 == 0) Prefetch<OutputMatrix, /*kToWrite=*/true>(next, c * kSize);
        const Vector shift = Shift(finish, c, lanes), least = Least(finish);
        BothSides<OutputMatrix>([&](int i) { return Load(points + c + i * point_stride); },
                                [&](int i, Vector y) {
                                  if (tile.at[i] != nullptr)
                                    StoreOutput<kBf16>(Pixel(tile, i, c * kSize), y, shift, least,
                                                       finish, lanes);
                                });
      });
}

void TransformOutput(bool bf16, const float* points, int64_t point_stride, int64_t channels,
                     const Finish& finish, const Pixels& tile, const Pixels& next) {
  WithType(bf16, [&](auto type) {
    TransformOutputAs<type.value>(points, point_stride, channels, finish, tile, next);
  });
}

// ---- Transforms along rows only, for winograd_rows.cc -------------------------------------------

template <bool kBf16>
void TransformInputRowAs(const Pixels& pixels, int64_t channels, char* points,
                         int64_t point_stride) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        Vector from[kInputs], to[kInputs];
#pragma GCC unroll 8
        for (int i = 0; i < kInputs; ++i)
          from[i] = LoadAs<kBf16>(Pixel(pixels, i, c * kSize), lanes);
        InputMatrix::Apply(from, to);
#pragma GCC unroll 8
        for (int i = 0; i < kInputs; ++i) {
          char* const at = points + i * point_stride + c * kSize;
          if constexpr (kBf16)
            StoreBf16(at, to[i], FilledUp(lanes));
          else
            Store(reinterpret_cast<float*>(at), to[i], lanes);
        }
      });
}

void TransformInputRow(bool bf16, const Pixels& pixels, int64_t channels, char* points,
                       int64_t point_stride) {
  WithType(bf16, [&](auto type) {
    TransformInputRowAs<type.value>(pixels, channels, points, point_stride);
  });
}

template <bool kBf16>
void TransformOutputRowAs(const float* points, int64_t point_stride, int64_t channels,
                          const Finish& finish, const Pixels& pixels) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        const Vector shift = Shift(finish, c, lanes), least = Least(finish);
        Vector from[kInputs], to[kOutputs];
#pragma GCC unroll 8
        for (int i = 0; i < kInputs; ++i) from[i] = Load(points + c + i * point_stride);
        OutputMatrix::Apply(from, to);
#pragma GCC unroll 8
        for (int i = 0; i < kOutputs; ++i) {
          if (pixels.at[i] != nullptr)
            StoreOutput<kBf16>(Pixel(pixels, i, c * kSize), to[i], shift, least, finish, lanes);
        }
      });
}

void TransformOutputRow(bool bf16, const float* points, int64_t point_stride, int64_t channels,
                        const Finish& finish, const Pixels& pixels) {
  WithType(bf16, [&](auto type) {
    TransformOutputRowAs<type.value>(points, point_stride, channels, finish, pixels);
  });
}

}  // namespace

const Kernels COTANGENT_KERNELS = {
    .transform_input = TransformTile<InputMatrix, Pixels>,
    .transform_gradient = TransformTile<GradientMatrix, Pixels>,
    .transform_pooled_input = TransformTile<InputMatrix, Windows>,
    .transform_pooled_gradient = TransformTile<GradientMatrix, Windows>,
#if defined(__AVX512F__)
    .transform_input_pair = TransformPair<InputMatrix, Pixels>,
    .transform_gradient_pair = TransformPair<GradientMatrix, Pixels>,
    .transform_pooled_gradient_pair = TransformPair<GradientMatrix, Windows>,
#endif
    .transform_output = TransformOutput,
    .transform_pooled_output = TransformPooledOutput,
    .transform_input_row = TransformInputRow,
    .transform_output_row = TransformOutputRow,
    .transform_weights = TransformWeights,
    .transform_weight_gradient = TransformWeightGradient,
};

}  // namespace cotangent::tensor::winograd
