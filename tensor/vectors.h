// A register of floats (Vector) and operations on it: loading and storing as f32 or bf16, whole or
// in part, and transposing. A register has 16 floats in a file compiled for AVX-512, 8 in one
// compiled for AVX2. Only such files may include this header; each gets its own copy of the
// functions.
#ifndef COTANGENT_TENSOR_VECTORS_H_
#define COTANGENT_TENSOR_VECTORS_H_

#include <immintrin.h>

#include <cstdint>

// The name of a file's table of kernels (`const Kernels kAvx512` or kAvx2). The file is compiled
// once for each instruction set.
#if defined(__AVX512F__)
#define COTANGENT_KERNELS kAvx512
#else
#define COTANGENT_KERNELS kAvx2
#endif

namespace cotangent::tensor {
namespace {

// These types say which floats of a register are loaded or stored: all of them, or the first
// `count` (fewer than all; the other floats are loaded as 0).
struct FullVector {};
struct PartialVector {
  int64_t count;
};

#if defined(__AVX512F__)

using Vector = __m512;
inline constexpr int kLanes = 16;
inline constexpr bool kHasBf16 = true;
inline constexpr const char* kIsa = "avx512";

inline Vector Zero() { return _mm512_setzero_ps(); }
inline Vector Set(float x) { return _mm512_set1_ps(x); }
inline Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector Sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
inline Vector Mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
inline Vector MulAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// Returns the larger of a and b, or b if either is NaN.
inline Vector Max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
// Returns a < b ? x : y for each lane.
inline Vector IfLess(Vector a, Vector b, Vector x, Vector y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
// Returns a b + c, where each lane of a and b is a pair of bf16: the products of both halves are
// added.
inline Vector MulAddPairs(Vector a, Vector b, Vector c) {
  return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

inline Vector Load(const float* data, FullVector = {}) { return _mm512_loadu_ps(data); }
inline void Store(float* data, Vector x, FullVector = {}) { _mm512_storeu_ps(data, x); }

inline __mmask16 MaskOf(FullVector) { return 0xffff; }
inline __mmask16 MaskOf(PartialVector part) {
  return static_cast<__mmask16>((1u << part.count) - 1);
}
inline Vector Load(const float* data, PartialVector part) {
  return _mm512_maskz_loadu_ps(MaskOf(part), data);
}
inline void Store(float* data, Vector x, PartialVector part) {
  _mm512_mask_storeu_ps(data, MaskOf(part), x);
}

template <typename Lanes>
inline Vector LoadBf16(const void* data, Lanes lanes) {
  const __m256i bits = _mm256_maskz_loadu_epi16(MaskOf(lanes), data);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
template <typename Lanes>
inline void StoreBf16(void* data, Vector x, Lanes lanes) {
  _mm256_mask_storeu_epi16(data, MaskOf(lanes), (__m256i)_mm512_cvtneps_pbh(x));
}

// StoreBytes() stores lanes that hold small whole numbers as bytes. WhereEqual() compares bytes in
// memory, one per lane, with `byte`; LoadWhere() loads the lanes that WhereEqual() found equal, and
// 0 for the others; LoadBf16Where() does so from bf16.
template <typename Lanes>
inline void StoreBytes(uint8_t* data, Vector x, Lanes lanes) {
  _mm512_mask_cvtepi32_storeu_epi8(data, MaskOf(lanes), _mm512_cvtps_epi32(x));
}
template <typename Lanes>
inline __mmask16 WhereEqual(const uint8_t* data, uint8_t byte, Lanes lanes) {
  return _mm_mask_cmpeq_epi8_mask(MaskOf(lanes), _mm_maskz_loadu_epi8(MaskOf(lanes), data),
                                  _mm_set1_epi8(static_cast<char>(byte)));
}
template <typename Lanes>
inline Vector LoadWhere(__mmask16 where, const float* data, Lanes) {
  return _mm512_maskz_loadu_ps(where, data);
}
inline Vector LoadBf16Where(__mmask16 where, const void* data) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(where, data)), 16));
}

// Returns a pair of bf16 in each lane: x rounded in the lower half, y rounded in the upper half.
inline Vector Interleave(Vector x, Vector y) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(y));
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// Transposes: lane i of columns[j] = lane j of rows[i]. The function is always inlined, so elements
// of `columns` that are not used cost nothing.
inline __attribute__((always_inline)) void Transpose(const Vector* rows, Vector* columns) {
  __m512 quads[16];  // block b of quads[4 g + c]: rows 4 g .. 4 g + 3 of column 4 b + c
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
  constexpr int kEven = 0x88, kOdd = 0xdd;  // 128-bit blocks 0, 2 or 1, 3 of each operand
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even_a = _mm512_shuffle_f32x4(quads[c], quads[4 + c], kEven),
                 odd_a = _mm512_shuffle_f32x4(quads[c], quads[4 + c], kOdd);
    const __m512 even_b = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], kEven),
                 odd_b = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], kOdd);
    columns[c] = _mm512_shuffle_f32x4(even_a, even_b, kEven);
    columns[4 + c] = _mm512_shuffle_f32x4(odd_a, odd_b, kEven);
    columns[8 + c] = _mm512_shuffle_f32x4(even_a, even_b, kOdd);
    columns[12 + c] = _mm512_shuffle_f32x4(odd_a, odd_b, kOdd);
  }
}

#else

using Vector = __m256;
inline constexpr int kLanes = 8;
inline constexpr bool kHasBf16 = false;
inline constexpr const char* kIsa = "avx2";

inline Vector Zero() { return _mm256_setzero_ps(); }
inline Vector Set(float x) { return _mm256_set1_ps(x); }
inline Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
inline Vector Sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
inline Vector Mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
inline Vector MulAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
// Returns the larger of a and b, or b if either is NaN.
inline Vector Max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
inline Vector IfLess(Vector a, Vector b, Vector x, Vector y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
// These two functions compile but are never called: only branches that kHasBf16 excludes mention
// them.
inline Vector MulAddPairs(Vector, Vector, Vector c) { return c; }
inline Vector Interleave(Vector x, Vector) { return x; }

inline Vector Load(const float* data, FullVector = {}) { return _mm256_loadu_ps(data); }
inline void Store(float* data, Vector x, FullVector = {}) { _mm256_storeu_ps(data, x); }

inline __m256i MaskOf(PartialVector part) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(part.count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vector Load(const float* data, PartialVector part) {
  return _mm256_maskload_ps(data, MaskOf(part));
}
inline void Store(float* data, Vector x, PartialVector part) {
  _mm256_maskstore_ps(data, MaskOf(part), x);
}

inline int64_t CountOf(FullVector) { return kLanes; }
inline int64_t CountOf(PartialVector part) { return part.count; }
template <typename Lanes>
inline void StoreBytes(uint8_t* data, Vector x, Lanes lanes) {
  const __m256i words = _mm256_cvtps_epi32(x);
  const __m128i halves =
      _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves));
  __builtin_memcpy(data, &bytes, CountOf(lanes));
}
template <typename Lanes>
inline __m256i WhereEqual(const uint8_t* data, uint8_t byte, Lanes lanes) {
  int64_t bytes = -1;
  __builtin_memcpy(&bytes, data, CountOf(lanes));
  return _mm256_cmpeq_epi32(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)),
                            _mm256_set1_epi32(byte));
}
template <typename Lanes>
inline Vector LoadWhere(__m256i where, const float* data, Lanes lanes) {
  return _mm256_and_ps(_mm256_castsi256_ps(where), Load(data, lanes));
}
inline Vector LoadBf16Where(__m256i, const void*) { return Zero(); }  // never called

// Transposes: lane i of columns[j] = lane j of rows[i].
inline __attribute__((always_inline)) void Transpose(const Vector* rows, Vector* columns) {
  __m256 quads[8];  // block b of quads[4 g + c]: rows 4 g .. 4 g + 3 of column 4 b + c
#pragma GCC unroll 2
  for (int g = 0; g < 8; g += 4) {
    const __m256d low_a = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g], rows[g + 1]));
    const __m256d high_a = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g], rows[g + 1]));
    const __m256d low_b = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g + 2], rows[g + 3]));
    const __m256d high_b = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g + 2], rows[g + 3]));
    quads[g] = _mm256_castpd_ps(_mm256_unpacklo_pd(low_a, low_b));
    quads[g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low_a, low_b));
    quads[g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high_a, high_b));
    quads[g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high_a, high_b));
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    columns[c] = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x20);
    columns[4 + c] = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x31);
  }
}

#endif

// Load or store floats as bf16 (only if kHasBf16) or as f32, as kBf16 says.
template <bool kBf16, typename Lanes>
inline Vector LoadAs(const void* data, Lanes lanes) {
  if constexpr (kBf16)
    return LoadBf16(data, lanes);
  else
    return Load(static_cast<const float*>(data), lanes);
}
template <bool kBf16, typename Lanes>
inline void StoreAs(void* data, Vector x, Lanes lanes) {
  if constexpr (kBf16)
    StoreBf16(data, x, lanes);
  else
    Store(static_cast<float*>(data), x, lanes);
}

template <bool kTruth>
struct Bool {
  static constexpr bool value = kTruth;
};

// Calls f(Bool<bf16>()), with false if this instruction set has no bf16.
template <typename Function>
inline __attribute__((always_inline)) void WithType(bool bf16, Function f) {
  if constexpr (kHasBf16) {
    if (bf16) return f(Bool<true>());
  }
  f(Bool<false>());
}

// Calls f(i, lanes) for every register of `count` numbers, where i is the index of its first
// number. `lanes` is FullVector, or PartialVector for a last register that is not full.
template <typename Function>
inline __attribute__((always_inline)) void ForEachVector(int64_t count, Function f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) f(i, FullVector());
  if (i < count) f(i, PartialVector{count - i});
}

}  // namespace
}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_VECTORS_H_
