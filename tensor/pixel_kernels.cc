#include "tensor/pixel_kernels.h"

#if !defined(__AVX512F__)

#include "tensor/vectors.h"

namespace cotangent::tensor::pixel_kernels {
namespace {

static_assert(pixel_kernels::kLanes == tensor::kLanes);

// The number of pixels (or rows of a correlation) that are computed at once, with kVectors
// registers of columns each. Their sums, the columns and a factor fit into the 16 registers.
template <int kVectors>
inline constexpr int kAtOnce = kVectors == 1   ? 8
                               : kVectors == 2 ? 6
                                               : 4;

// Sets sums[i][v] to value(i, v).
template <int kPixels, int kVectors, typename Value>
inline __attribute__((always_inline)) void SetAll(Vector (&sums)[kPixels][kVectors], Value value) {
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) sums[i][v] = value(i, v);
  }
}

template <int kPixels, int kVectors, typename Lanes>
void MultiplyBlock(const PanelProduct& p, int64_t pixel, Lanes last) {
  const auto load = [&](const float* from, int v) __attribute__((always_inline)) {
    return v + 1 < kVectors ? Load(from + v * kLanes) : Load(from + v * kLanes, last);
  };
  const int64_t* const out_at = p.out_at + pixel;
  // Prefetches the memory of the next pixels' results, which is often in no cache, so that storing
  // these results need not wait for it.
  if (pixel + 2 * kPixels <= p.pixels) {
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) {
      const float* const next = p.out + out_at[kPixels + i];
      __builtin_prefetch(next, 1);
      __builtin_prefetch(next + p.columns - 1, 1);
    }
  }
  Vector sums[kPixels][kVectors];
  if (p.bias != nullptr && !p.accumulate) {
    SetAll(
        sums, [&](int, int v) __attribute__((always_inline)) { return load(p.bias, v); });
  } else {
    SetAll(
        sums, [](int, int) __attribute__((always_inline)) { return Zero(); });
  }
  const float* weights = p.weights;
  for (int64_t s = 0; s < p.segments; ++s) {
    const float* at[kPixels];
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) at[i] = p.source + p.segment_at[s] + p.source_at[pixel + i];
    for (int64_t k = 0; k < p.depth; ++k, weights += kVectors * kLanes) {
      Vector columns[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) columns[v] = Load(weights + v * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) {
        const Vector x = Set(at[i][k]);
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sums[i][v] = MulAdd(x, columns[v], sums[i][v]);
      }
    }
  }
  if (p.accumulate) {
    SetAll(
        sums, [&](int i, int v) __attribute__((always_inline)) {
          return Add(sums[i][v], load(p.out + out_at[i], v));
        });
  }
  if (p.addend != nullptr) {
    SetAll(
        sums, [&](int i, int v) __attribute__((always_inline)) {
          return Add(sums[i][v], load(p.addend + out_at[i], v));
        });
  }
  const Vector least = Set(p.relu ? 0.0f : -__builtin_inff());
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
    float* const out = p.out + out_at[i];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      const Vector y = Max(least, sums[i][v]);
      v + 1 < kVectors ? Store(out + v * kLanes, y) : Store(out + v * kLanes, y, last);
    }
  }
}

template <int kVectors, typename Lanes>
void MultiplyAs(const PanelProduct& p, Lanes last) {
  constexpr int kMost = kAtOnce<kVectors>;
  int64_t pixel = 0;
  for (; pixel + kMost <= p.pixels; pixel += kMost) MultiplyBlock<kMost, kVectors>(p, pixel, last);
  if constexpr (kMost > 4) {
    for (; pixel + 4 <= p.pixels; pixel += 4) MultiplyBlock<4, kVectors>(p, pixel, last);
  }
  for (; pixel + 2 <= p.pixels; pixel += 2) MultiplyBlock<2, kVectors>(p, pixel, last);
  if (pixel < p.pixels) MultiplyBlock<1, kVectors>(p, pixel, last);
}

template <int kVectors>
void MultiplyVectors(const PanelProduct& p) {
  const int64_t last = p.columns - (kVectors - 1) * kLanes;
  last == kLanes ? MultiplyAs<kVectors>(p, FullVector())
                 : MultiplyAs<kVectors>(p, PartialVector{last});
}

void Multiply(const PanelProduct& product) {
  switch (product.vectors) {
    case 1:
      return MultiplyVectors<1>(product);
    case 2:
      return MultiplyVectors<2>(product);
    default:
      return MultiplyVectors<3>(product);
  }
}

template <int kRows, int kVectors>
void CorrelateBlock(const PanelCorrelation& r, int64_t row) {
  Vector sums[kRows][kVectors];
  float* const to = r.sums + row * r.sums_row;
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) sums[i][v] = Zero();
  }
  const float* const source = r.source + row;
  const float* gradient = r.gradient;
  for (int64_t p = 0; p < r.pixels; ++p, gradient += kVectors * kLanes) {
    const float* const at = source + r.source_at[p];
    Vector columns[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) columns[v] = Load(gradient + v * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Vector x = Set(at[i]);
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sums[i][v] = MulAdd(x, columns[v], sums[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      float* const sum = to + i * r.sums_row + v * kLanes;
      Store(sum, Add(Load(sum), sums[i][v]));
    }
  }
}

template <int kVectors>
void CorrelateVectors(const PanelCorrelation& r) {
  constexpr int kMost = kAtOnce<kVectors>;
  int64_t row = 0;
  for (; row + kMost <= r.rows; row += kMost) CorrelateBlock<kMost, kVectors>(r, row);
  if constexpr (kMost > 4) {
    for (; row + 4 <= r.rows; row += 4) CorrelateBlock<4, kVectors>(r, row);
  }
  for (; row + 2 <= r.rows; row += 2) CorrelateBlock<2, kVectors>(r, row);
  if (row < r.rows) CorrelateBlock<1, kVectors>(r, row);
}

void Correlate(const PanelCorrelation& correlation) {
  switch (correlation.vectors) {
    case 1:
      return CorrelateVectors<1>(correlation);
    case 2:
      return CorrelateVectors<2>(correlation);
    default:
      return CorrelateVectors<3>(correlation);
  }
}

}  // namespace

const Kernels kAvx2 = {.multiply = Multiply, .correlate = Correlate};

}  // namespace cotangent::tensor::pixel_kernels

#endif  // __AVX512F__
