#include "tensor/depthwise_kernels.h"

#include "tensor/vectors.h"

namespace cotangent::tensor::depthwise_kernels {
namespace {

template <bool kBf16>
inline constexpr int64_t kBytes = kBf16 ? 2 : 4;

// Computes kPixels results from number `pixel` on, for the channels of kVectors registers from `c`
// on.
template <bool kBf16, int kPixels, int kVectors, typename Lanes>
inline __attribute__((always_inline)) void SumTile(const WeightedSum& s, int64_t pixel, int64_t c,
                                                   Lanes lanes) {
  Vector sums[kPixels][kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const Vector bias = s.bias == nullptr ? Zero() : Load(s.bias + c + v * kLanes, lanes);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p][v] = bias;
  }
  const char* const source = s.source + pixel * s.source_step + c * kBytes<kBf16>;
  for (int64_t t = 0; t < s.taps; ++t) {
    const float* const weights = s.weights + s.weight_at[t] + c;
    Vector w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = Load(weights + v * kLanes, lanes);
    const char* at = source + s.source_at[t];
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p, at += s.source_step) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sums[p][v] =
            MulAdd(w[v], LoadAs<kBf16>(at + v * kLanes * kBytes<kBf16>, lanes), sums[p][v]);
    }
  }
  const Vector least = Set(s.relu ? 0.0f : -__builtin_inff());
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    const int64_t to = (pixel + p) * s.out_step + c * kBytes<kBf16>;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = to + v * kLanes * kBytes<kBf16>;
      if (s.addend != nullptr) sums[p][v] = Add(sums[p][v], LoadAs<kBf16>(s.addend + at, lanes));
      StoreAs<kBf16>(s.out + at, Max(least, sums[p][v]), lanes);
    }
  }
}

// Computes kPixels results for all channels from `c` on: in groups of kVectors registers, then in
// smaller groups, then the channels that do not fill a register. Reading memory in order lets the
// processor prefetch.
template <bool kBf16, int kPixels, int kVectors>
void SumPixels(const WeightedSum& s, int64_t pixel, int64_t c = 0) {
  for (; c + kVectors * kLanes <= s.channels; c += kVectors * kLanes)
    SumTile<kBf16, kPixels, kVectors>(s, pixel, c, FullVector());
  if constexpr (kVectors > 1) {
    SumPixels<kBf16, kPixels, kVectors / 2>(s, pixel, c);
  } else if (c < s.channels) {
    SumTile<kBf16, kPixels, 1>(s, pixel, c, PartialVector{s.channels - c});
  }
}

// The largest number of registers that hold sums at the same time: enough to hide the latency of a
// multiply-add (4 cycles, 2 begun per cycle), and few enough to leave registers for the weights.
constexpr int kSums = kLanes == 16 ? 24 : 12;

template <bool kBf16>
void SumRow(const WeightedSum& s) {
  int64_t pixel = 0;
  for (; pixel + 6 <= s.pixels; pixel += 6) SumPixels<kBf16, 6, kSums / 6>(s, pixel);
  for (; pixel + 3 <= s.pixels; pixel += 3) SumPixels<kBf16, 3, kSums / 3>(s, pixel);
  if (pixel + 2 <= s.pixels) SumPixels<kBf16, 2, 4>(s, pixel), pixel += 2;
  if (pixel < s.pixels) SumPixels<kBf16, 1, 8>(s, pixel);
}

// Adds the contributions of one row to the gradients of taps [first, first + kTaps) (cells of the
// convolution's kernel), for kVectors registers of channels from `c` on.
template <bool kBf16, int kTaps, int kVectors, typename Lanes>
inline __attribute__((always_inline)) void CorrelateTile(const Correlation& r, int64_t first,
                                                         int64_t c, Lanes lanes) {
  Vector sums[kTaps][kVectors];
  const char* source[kTaps];
#pragma GCC unroll 8
  for (int t = 0; t < kTaps; ++t) {
    source[t] = r.source + r.source_at[first + t] + c * kBytes<kBf16>;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[t][v] = Zero();
  }
  const char* gradient = r.gradient + c * kBytes<kBf16>;
  int64_t offset = 0;
  for (int64_t p = 0; p < r.pixels; ++p, gradient += r.gradient_step, offset += r.source_step) {
    Vector g[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      g[v] = LoadAs<kBf16>(gradient + v * kLanes * kBytes<kBf16>, lanes);
#pragma GCC unroll 8
    for (int t = 0; t < kTaps; ++t) {
      const char* const at = source[t] + offset;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sums[t][v] =
            MulAdd(g[v], LoadAs<kBf16>(at + v * kLanes * kBytes<kBf16>, lanes), sums[t][v]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTaps; ++t) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      float* const sum = r.sums + r.sum_at[first + t] + c + v * kLanes;
      Store(sum, Add(Load(sum, lanes), sums[t][v]), lanes);
    }
  }
}

template <bool kBf16, int kTaps, int kVectors>
void CorrelateTaps(const Correlation& r, int64_t first, int64_t c = 0) {
  for (; c + kVectors * kLanes <= r.channels; c += kVectors * kLanes)
    CorrelateTile<kBf16, kTaps, kVectors>(r, first, c, FullVector());
  if constexpr (kVectors > 1) {
    CorrelateTaps<kBf16, kTaps, kVectors / 2>(r, first, c);
  } else if (c < r.channels) {
    CorrelateTile<kBf16, kTaps, 1>(r, first, c, PartialVector{r.channels - c});
  }
}

template <bool kBf16>
void CorrelateRow(const Correlation& r) {
  for (int64_t first = 0; first < r.taps; first += 6) {
    switch (r.taps - first) {
      case 1:
        CorrelateTaps<kBf16, 1, 8>(r, first);
        break;
      case 2:
        CorrelateTaps<kBf16, 2, kSums / 3>(r, first);
        break;
      case 3:
        CorrelateTaps<kBf16, 3, kSums / 3>(r, first);
        break;
      case 4:
        CorrelateTaps<kBf16, 4, kSums / 6>(r, first);
        break;
      case 5:
        CorrelateTaps<kBf16, 5, kSums / 6>(r, first);
        break;
      default:
        CorrelateTaps<kBf16, 6, kSums / 6>(r, first);
        break;
    }
  }
}

void Sum(bool bf16, const WeightedSum& sum) {
  WithType(bf16, [&](auto type) { SumRow<type.value>(sum); });
}

void Correlate(bool bf16, const Correlation& correlation) {
  WithType(bf16, [&](auto type) { CorrelateRow<type.value>(correlation); });
}

#if !defined(__AVX512F__)

// Returns whether a source is outside the row.
inline bool IsOutside(int64_t source, int64_t width) {
  return static_cast<uint64_t>(source) >= static_cast<uint64_t>(width);
}

// Computes results [pixel, pixel + kPixels) for a register of channels from `c` on. If kEdge, some
// of their sources may be outside the row.
template <int kTaps, int kStep, int kPixels, bool kEdge, typename Lanes>
inline __attribute__((always_inline)) void SumPixelsOfRow(const RowSum& r, int64_t pixel, int64_t c,
                                                          Lanes lanes) {
  Vector sums[kPixels];
  const Vector bias = r.bias == nullptr ? Zero() : Load(r.bias + c, lanes);
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) sums[p] = bias;
  const int64_t first = pixel * kStep + r.first;
  for (int64_t y = 0; y < r.rows; ++y) {
    const int64_t* const weight_at = r.weight_at + y * kTaps;
    Vector weights[kTaps];
#pragma GCC unroll 8
    for (int x = 0; x < kTaps; ++x) weights[x] = Load(r.weights + weight_at[x] + c, lanes);
    const float* source = r.source + r.row_at[y] + first * r.channels + c;
#pragma GCC unroll 32
    for (int i = 0; i < (kPixels - 1) * kStep + kTaps; ++i, source += r.channels) {
      if (kEdge && IsOutside(first + i, r.width)) continue;
      const Vector value = Load(source, lanes);
#pragma GCC unroll 8
      for (int x = 0; x < kTaps; ++x) {
        const int p = (i - x) / kStep;
        if (i >= x && (i - x) % kStep == 0 && p < kPixels)
          sums[p] = MulAdd(weights[x], value, sums[p]);
      }
    }
  }
  const Vector least = Set(r.relu ? 0.0f : -__builtin_inff());
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    const int64_t at = (pixel + p) * r.out_step + c;
    if (r.addend != nullptr) sums[p] = Add(sums[p], Load(r.addend + at, lanes));
    Store(r.out + at, Max(least, sums[p]), lanes);
  }
}

// Prefetches `kFloats` floats from `data` on.
template <int kFloats, int kWrite>
inline __attribute__((always_inline)) void Prefetch(const float* data) {
#pragma GCC unroll 16
  for (int i = 0; i < kFloats; i += 16) __builtin_prefetch(data + i, kWrite);
}

template <int kTaps, int kStep, int kPixels, bool kEdge>
void SumBlockOfRow(const RowSum& r, int64_t pixel) {
  // No processor foresees this walk through memory. What the next block reads of the last source
  // row, and what it writes, is prefetched piece by piece, if blocks have at least 6 pixels. Most
  // of the other source rows were read for the row of results above.
  const int64_t next = pixel + kPixels, last_row = r.rows == 0 ? 0 : r.row_at[r.rows - 1];
  const float* source = r.source + last_row + ((next - 1) * kStep + r.first + kTaps) * r.channels;
  const float* out = r.out + next * r.out_step;
  ForEachVector(
      r.channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        if constexpr (kPixels >= 6) {
          Prefetch<kPixels * kStep * kLanes, 0>(source + c * kPixels * kStep);
          Prefetch<kPixels * kLanes, 1>(out + c * kPixels);
        }
        SumPixelsOfRow<kTaps, kStep, kPixels, kEdge>(r, pixel, c, lanes);
      });
}

template <int kTaps, int kStep>
bool SumRowAs(const RowSum& r) {
  // The sums, the weights of a row and a source fit into the 16 registers.
  constexpr int kMost = kTaps < 7 ? 8 : 6;
  if (r.pixels == 1) return SumBlockOfRow<kTaps, kStep, 1, true>(r, 0), true;
  const int64_t at_once = r.pixels >= kMost ? kMost : r.pixels >= 4 ? 4 : 2;
  for (int64_t begin = 0; begin < r.pixels; begin += at_once) {
    // The last block overlaps the one before it if pixels are left over.
    const int64_t pixel = begin + at_once <= r.pixels ? begin : r.pixels - at_once,
                  first = pixel * kStep + r.first;
    if (at_once == 2) {
      SumBlockOfRow<kTaps, kStep, 2, true>(r, pixel);
    } else if (at_once == 4) {
      SumBlockOfRow<kTaps, kStep, 4, true>(r, pixel);
    } else if (first >= 0 && first + (kMost - 1) * kStep + kTaps <= r.width) {
      SumBlockOfRow<kTaps, kStep, kMost, false>(r, pixel);
    } else {
      SumBlockOfRow<kTaps, kStep, kMost, true>(r, pixel);
    }
  }
  return true;
}

bool SumWholeRow(const RowSum& r) {
  if (r.source_step > 2) return false;
  switch (r.taps * 4 + r.source_step) {
    case 1 * 4 + 1:
      return SumRowAs<1, 1>(r);
    case 2 * 4 + 1:
      return SumRowAs<2, 1>(r);
    case 3 * 4 + 1:
      return SumRowAs<3, 1>(r);
    case 4 * 4 + 1:
      return SumRowAs<4, 1>(r);
    case 5 * 4 + 1:
      return SumRowAs<5, 1>(r);
    case 7 * 4 + 1:
      return SumRowAs<7, 1>(r);
    case 3 * 4 + 2:
      return SumRowAs<3, 2>(r);
    case 5 * 4 + 2:
      return SumRowAs<5, 2>(r);
    case 7 * 4 + 2:
      return SumRowAs<7, 2>(r);
    default:
      return false;
  }
}

// Adds the products of kPixels gradients from `pixel` on with their sources in kRows rows from
// `row` on, for a register of channels from `c` on.
template <int kTaps, int kStep, int kRows, int kPixels, bool kEdge, typename Lanes>
inline __attribute__((always_inline)) void CorrelatePixels(const RowCorrelation& r, int64_t row,
                                                           int64_t pixel, int64_t c, Lanes lanes,
                                                           Vector (&sums)[kRows][kTaps]) {
  Vector gradients[kPixels];
#pragma GCC unroll 4
  for (int p = 0; p < kPixels; ++p)
    gradients[p] = Load(r.gradient + (pixel + p) * r.channels + c, lanes);
  const int64_t first = pixel * kStep + r.first;
#pragma GCC unroll 3
  for (int y = 0; y < kRows; ++y) {
    const float* source = r.source + r.row_at[row + y] + first * r.channels + c;
#pragma GCC unroll 16
    for (int i = 0; i < (kPixels - 1) * kStep + kTaps; ++i, source += r.channels) {
      if (kEdge && IsOutside(first + i, r.width)) continue;
      const Vector value = Load(source, lanes);
#pragma GCC unroll 8
      for (int x = 0; x < kTaps; ++x) {
        const int p = (i - x) / kStep;
        if (i >= x && (i - x) % kStep == 0 && p < kPixels)
          sums[y][x] = MulAdd(gradients[p], value, sums[y][x]);
      }
    }
  }
}

template <int kTaps, int kStep, int kRows>
void CorrelateRowsOf(const RowCorrelation& r, int64_t row) {
  constexpr int kPixels = 4;
  // The next row of gradients, and the kStep source rows below the last one that is read, are
  // prefetched piece by piece while the first kRows rows are multiplied.
  const float* const next_gradient = r.gradient + r.pixels * r.channels;
  const float* const next_source = r.source + r.row_at[r.rows - 1] + r.width * r.channels;
  const int64_t* const sum_at = r.sum_at + row * kTaps;
  ForEachVector(
      r.channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        Vector sums[kRows][kTaps];
#pragma GCC unroll 3
        for (int y = 0; y < kRows; ++y) {
#pragma GCC unroll 8
          for (int x = 0; x < kTaps; ++x) sums[y][x] = Zero();
        }
        int64_t pixel = 0;
        for (; pixel + kPixels <= r.pixels; pixel += kPixels) {
          const int64_t first = pixel * kStep + r.first, piece = c * r.pixels + pixel * kLanes;
          if (row == 0) {
            Prefetch<kPixels * kLanes, 0>(next_gradient + piece);
            Prefetch<kPixels * kLanes * kStep * kStep, 0>(next_source + piece * kStep * kStep);
          }
          if (first >= 0 && first + (kPixels - 1) * kStep + kTaps <= r.width) {
            CorrelatePixels<kTaps, kStep, kRows, kPixels, false>(r, row, pixel, c, lanes, sums);
          } else {
            CorrelatePixels<kTaps, kStep, kRows, kPixels, true>(r, row, pixel, c, lanes, sums);
          }
        }
        for (; pixel < r.pixels; ++pixel)
          CorrelatePixels<kTaps, kStep, kRows, 1, true>(r, row, pixel, c, lanes, sums);
#pragma GCC unroll 3
        for (int y = 0; y < kRows; ++y) {
#pragma GCC unroll 8
          for (int x = 0; x < kTaps; ++x) {
            float* const sum = r.sums + sum_at[y * kTaps + x] + c;
            Store(sum, Add(Load(sum, lanes), sums[y][x]), lanes);
          }
        }
      });
}

// Takes kRows rows at once, so that their sums, the gradients and a source fit into the 16
// registers, and the sums are about enough to hide the latency of a multiply-add.
template <int kTaps, int kStep, int kRows>
bool CorrelateRowAs(const RowCorrelation& r) {
  int64_t row = 0;
  for (; row + kRows <= r.rows; row += kRows) CorrelateRowsOf<kTaps, kStep, kRows>(r, row);
  for (; row < r.rows; ++row) CorrelateRowsOf<kTaps, kStep, 1>(r, row);
  return true;
}

bool CorrelateWholeRow(const RowCorrelation& r) {
  if (r.source_step > 2) return false;
  switch (r.taps * 4 + r.source_step) {
    case 3 * 4 + 1:
      return CorrelateRowAs<3, 1, 3>(r);
    case 5 * 4 + 1:
      return CorrelateRowAs<5, 1, 2>(r);
    case 7 * 4 + 1:
      return CorrelateRowAs<7, 1, 1>(r);
    case 3 * 4 + 2:
      return CorrelateRowAs<3, 2, 3>(r);
    case 5 * 4 + 2:
      return CorrelateRowAs<5, 2, 2>(r);
    default:
      return false;
  }
}

#endif  // __AVX512F__

}  // namespace

const Kernels COTANGENT_KERNELS = {
    .sum = Sum,
    .correlate = Correlate,
#if !defined(__AVX512F__)
    .sum_row = SumWholeRow,
    .correlate_row = CorrelateWholeRow,
#endif
};

}  // namespace cotangent::tensor::depthwise_kernels
