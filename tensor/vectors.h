// Sixteen floats in a register: loaded and stored as f32 or bf16, and transposed 16 by 16. Only for files that are compiled for
// AVX-512, each of which has its own copy.
#ifndef COTANGENT_TENSOR_VECTORS_H_
#define COTANGENT_TENSOR_VECTORS_H_

#include <immintrin.h>

#include <cstdint>

namespace cotangent::tensor {
namespace {

using Vector = __m512;

inline __mmask16 MaskOf(int64_t count) { return count >= 16 ? 0xffff : static_cast<__mmask16>((1u << count) - 1); }

template <bool kBf16>
inline Vector Load(const void* data, int64_t channel, __mmask16 mask) {
  if constexpr (kBf16) {
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(data) + channel);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  } else {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + channel);
  }
}

template <bool kBf16>
inline void Store(void* data, int64_t channel, __mmask16 mask, Vector x) {
  if constexpr (kBf16) {
    _mm256_mask_storeu_epi16(static_cast<uint16_t*>(data) + channel, mask, (__m256i)_mm512_cvtneps_pbh(x));
  } else {
    _mm512_mask_storeu_ps(static_cast<float*>(data) + channel, mask, x);
  }
}

// columns[j] lane i = rows[i] lane j. What is not used of `columns` costs nothing where this is inlined.
inline __attribute__((always_inline)) void Transpose16(const __m512* rows, __m512* columns) {
  __m512 quads[16];  // quads[4 g + c], 128-bit block b: rows 4 g .. 4 g + 3 of column 4 b + c
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    const __m512d low_a = _mm512_castps_pd(_mm512_unpacklo_ps(rows[g], rows[g + 1]));
    const __m512d high_a = _mm512_castps_pd(_mm512_unpackhi_ps(rows[g], rows[g + 1]));
    const __m512d low_b = _mm512_castps_pd(_mm512_unpacklo_ps(rows[g + 2], rows[g + 3]));
    const __m512d high_b = _mm512_castps_pd(_mm512_unpackhi_ps(rows[g + 2], rows[g + 3]));
    quads[g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low_a, low_b));
    quads[g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low_a, low_b));
    quads[g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high_a, high_b));
    quads[g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high_a, high_b));
  }
  constexpr int kEven = 0x88, kOdd = 0xdd;  // blocks 0, 2 and 1, 3 of either
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even_a = _mm512_shuffle_f32x4(quads[c], quads[4 + c], kEven), odd_a = _mm512_shuffle_f32x4(quads[c], quads[4 + c], kOdd);
    const __m512 even_b = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], kEven), odd_b = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], kOdd);
    columns[c] = _mm512_shuffle_f32x4(even_a, even_b, kEven);
    columns[4 + c] = _mm512_shuffle_f32x4(odd_a, odd_b, kEven);
    columns[8 + c] = _mm512_shuffle_f32x4(even_a, even_b, kOdd);
    columns[12 + c] = _mm512_shuffle_f32x4(odd_a, odd_b, kOdd);
  }
}

}  // namespace
}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_VECTORS_H_
