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

// The number of registers that hold sums at the same time: enough to hide the latency of a
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
    for (int v = 0; v < kVectors; ++v)
      sums[t][v] = Load(r.sums + r.sum_at[first + t] + c + v * kLanes, lanes);
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
    for (int v = 0; v < kVectors; ++v)
      Store(r.sums + r.sum_at[first + t] + c + v * kLanes, sums[t][v], lanes);
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

}  // namespace

const Kernels COTANGENT_KERNELS = {.sum = Sum, .correlate = Correlate};

}  // namespace cotangent::tensor::depthwise_kernels
