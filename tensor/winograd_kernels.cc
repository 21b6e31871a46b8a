#include "tensor/winograd_kernels.h"

#include "tensor/vectors.h"

// The points of the polynomials are 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2. Their
// product is 1, which saves multiplications, and among such points they lose the fewest digits: in
// bf16 a third of what the usual 0, 1, -1, 2, -2 do.
namespace cotangent::tensor::winograd {
namespace {

constexpr float kA = 2.0f / 3, kB = 3.0f / 2;
constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA * kA * kA, kB3 = kB * kB * kB;
constexpr float kSumOfSquares = kA2 + kB2;
// 1 / product of (x_i - x_j) over j != i, for x_i = +-a and +-b.
constexpr float kNa = 1 / (2 * kA2 * (kA2 - kB2)), kNb = 1 / (2 * kB2 * (kB2 - kA2));

inline Vector MultiplyAdd(Vector a, float b, Vector c) { return MulAdd(a, Set(b), c); }
inline Vector Scale(Vector a, float b) { return Mul(a, Set(b)); }

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

// G: 3 taps to 6 points.
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

// Applies a matrix to both sides: load(i) gives the i-th of kFrom^2 numbers, sink(i, x) takes the
// i-th of kTo^2.
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

// ---- Tiles --------------------------------------------------------------------------------------------------------

// Asks for the line at `byte` of every pixel of a tile that is transformed next: tiles are too far
// apart for the processor to foresee them.
template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Pixels& next, int64_t byte) {
  constexpr int kSide = kToWrite ? Matrix::kTo : Matrix::kFrom;
#pragma GCC unroll 36
  for (int i = 0; i < kSide * kSide; ++i)
    __builtin_prefetch(static_cast<const char*>(next.at[i]) + byte, kToWrite);
}

// A window's values and, once for as many channels as its line has, its positions.
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
template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Pixels& next, int64_t byte, int64_t) {
  Prefetch<Matrix, kToWrite>(next, byte);
}

// The i-th number of a tile, of the lanes from channel c on.
template <typename Matrix, bool kBf16, typename Lanes>
inline __attribute__((always_inline)) Vector LoadFrom(const Pixels& tile, int i, int64_t c,
                                                      Lanes lanes) {
  return LoadAs<kBf16>(static_cast<const char*>(tile.at[i]) + c * (kBf16 ? 2 : 4), lanes);
}
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

[[maybe_unused]] inline All FilledUp(All lanes) { return lanes; }
[[maybe_unused]] inline Some FilledUp(Some lanes) { return {(lanes.count + 1) / 2 * 2}; }

// Calls f(c, at, lanes) for the first of every register of channels, stored at `at` with `size`
// bytes each.
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

// Outputs before they are stored: y with a bias and an addend, at least `least`.
template <bool kBf16, typename Lanes>
inline __attribute__((always_inline)) void StoreOutput(char* pixel, Vector y, Vector shift,
                                                       Vector least, const Finish& finish,
                                                       Lanes lanes) {
  y = Add(y, shift);
  if (finish.add) y = Add(y, LoadAs<kBf16>(pixel + finish.addend_offset, lanes));
  StoreAs<kBf16>(pixel, Max(least, y), lanes);
}
inline Vector Least(const Finish& finish) { return Set(finish.relu ? 0.0f : -__builtin_inff()); }
template <typename Lanes>
inline Vector Shift(const Finish& finish, int64_t channel, Lanes lanes) {
  return finish.bias == nullptr ? Zero() : Load(finish.bias + channel, lanes);
}
inline char* Pixel(const Pixels& pixels, int i, int64_t byte) {
  return static_cast<char*>(const_cast<void*>(pixels.at[i])) + byte;
}

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

// ---- Rows ---------------------------------------------------------------------------------------------------------

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

// ---- Weights ------------------------------------------------------------------------------------------------------

constexpr int kTaps = 9;

#if defined(__AVX512F__)
// Nine taps in a row to each lane of nine registers; zeros beyond `count` lanes.
inline __attribute__((always_inline)) void LoadTaps(const float* taps, int64_t stride,
                                                    int64_t count, Vector* columns) {
  Vector rows[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    rows[i] = i < count ? Load(taps + i * stride, Some{kTaps}) : Zero();
  Transpose(rows, columns);
}

// The reverse.
inline __attribute__((always_inline)) void StoreTaps(const Vector* columns, float* taps,
                                                     int64_t stride, int64_t count) {
  Vector all[kLanes], rows[kLanes];
  for (int i = 0; i < kLanes; ++i) all[i] = i < kTaps ? columns[i] : Zero();
  Transpose(all, rows);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i < count) Store(taps + i * stride, rows[i], Some{kTaps});
  }
}
#else
// Eight taps fill a register, the ninth goes by itself.
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

// The points of `count` weights, each of nine taps in a row at taps + i * stride; zeros beyond.
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
