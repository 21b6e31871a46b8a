#include "tensor/int8_kernels.h"

#if !defined(__AVX512F__)
#include "tensor/vectors.h"

namespace cotangent::tensor::int8_kernels {
namespace {

using winograd::kInputs;
using winograd::kOutputs;
using winograd::Pixels;
using Integers = __m256i;

inline Integers Add16(Integers a, Integers b) { return _mm256_add_epi16(a, b); }
inline Integers Sub16(Integers a, Integers b) { return _mm256_sub_epi16(a, b); }
inline Integers Twice16(Integers a) { return _mm256_add_epi16(a, a); }
inline Integers Add32(Integers a, Integers b) { return _mm256_add_epi32(a, b); }
inline Integers Sub32(Integers a, Integers b) { return _mm256_sub_epi32(a, b); }
template <int kBits>
inline Integers Shift32(Integers a) {
  return _mm256_slli_epi32(a, kBits);
}
inline Integers Load256(const void* data) {
  return _mm256_loadu_si256(static_cast<const Integers*>(data));
}
inline void Store256(void* data, Integers x) {
  _mm256_storeu_si256(static_cast<Integers*>(data), x);
}

// ---- Products -----------------------------------------------------------------------------------

// Loads columns [8 * vector, 8 * vector + 8) of weights, two numbers each, as s16.
template <bool kBytes>
inline Integers LoadWeights(const char* b, int vector) {
  if constexpr (kBytes)
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + 16 * vector)));
  else
    return Load256(b + 32 * vector);
}

template <bool kBytes, int kCount>
void MultiplyBlock(const Product& p, int64_t row) {
  Integers sums[kCount][2];
  int32_t* const c = p.c + row * p.c_row;
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) {
    sums[r][0] = p.accumulate ? Load256(c + r * p.c_row) : _mm256_setzero_si256();
    sums[r][1] = p.accumulate ? Load256(c + r * p.c_row + 8) : _mm256_setzero_si256();
  }
  const char* a = reinterpret_cast<const char*>(p.a + row * p.a_row);
  const char* b = static_cast<const char*>(p.b);
  const int64_t a_row = p.a_row * 2;
#pragma GCC unroll 2
  for (int64_t k = 0; k < p.depth; ++k, a += 4, b += kBytes ? 32 : 64) {
    const Integers low = LoadWeights<kBytes>(b, 0), high = LoadWeights<kBytes>(b, 1);
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      int32_t pair;
      __builtin_memcpy(&pair, a + r * a_row, 4);
      const Integers x = _mm256_set1_epi32(pair);
      sums[r][0] = Add32(sums[r][0], _mm256_madd_epi16(x, low));
      sums[r][1] = Add32(sums[r][1], _mm256_madd_epi16(x, high));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) {
    Store256(c + r * p.c_row, sums[r][0]);
    Store256(c + r * p.c_row + 8, sums[r][1]);
  }
}

template <bool kBytes>
void Multiply(const Product& p) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) MultiplyBlock<kBytes, kRows>(p, row);
  for (; row + 4 <= p.rows; row += 4) MultiplyBlock<kBytes, 4>(p, row);
  for (; row + 2 <= p.rows; row += 2) MultiplyBlock<kBytes, 2>(p, row);
  if (row < p.rows) MultiplyBlock<kBytes, 1>(p, row);
}

// ---- Inputs -------------------------------------------------------------------------------------

// Loads 16 bytes or, if `count` is less, `count` bytes followed by zeros, and widens them to 16
// bits.
inline Integers LoadBytes(bool is_signed, const void* data, int64_t count) {
  __m128i bytes = _mm_setzero_si128();
  if (count >= kWords) {
    bytes = _mm_loadu_si128(static_cast<const __m128i*>(data));
  } else if (count == 8) {
    bytes = _mm_loadl_epi64(static_cast<const __m128i*>(data));
  } else {
    __builtin_memcpy(&bytes, data, count);
  }
  return is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

void Widen(bool is_signed, const void* from, int64_t count, int16_t* to) {
  const char* const bytes = static_cast<const char*>(from);
  for (int64_t i = 0; i < count; i += kWords)
    Store256(to + i, LoadBytes(is_signed, bytes + i, count - i));
}

// Sets v = B^T x, for 16 channels.
inline __attribute__((always_inline)) void ApplyInputMatrix(const Integers* x, Integers* v) {
  const Integers a = Sub16(x[3], x[1]), b = Sub16(x[4], x[2]), sum = Add16(a, b),
                 difference = Sub16(b, a);
  const Integers first = Add16(Sub16(x[0], x[2]), difference), last = Sub16(Sub16(x[5], x[3]), sum),
                 middle = Add16(x[2], x[3]), apart = Sub16(x[2], x[3]);
  v[0] = Sub16(Twice16(first), a);
  v[1] = Sub16(Twice16(Sub16(sum, middle)), middle);
  v[2] = Add16(Twice16(Add16(difference, apart)), apart);
  v[3] = Add16(sum, b);
  v[4] = Sub16(difference, a);
  v[5] = Sub16(Twice16(last), b);
}

template <bool kSigned>
void TransformInputAs(const Pixels& tile, int64_t channels, int16_t* points, int64_t stride) {
  for (int64_t c = 0; c < channels; c += kWords) {
    Integers half[kInputs][kInputs];  // [column][point of the rows]
#pragma GCC unroll 6
    for (int j = 0; j < kInputs; ++j) {
      Integers x[kInputs];
#pragma GCC unroll 6
      for (int i = 0; i < kInputs; ++i)
        x[i] = LoadBytes(kSigned, static_cast<const char*>(tile.at[i * kInputs + j]) + c,
                         channels - c);
      ApplyInputMatrix(x, half[j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < kInputs; ++i) {
      Integers x[kInputs], v[kInputs];
#pragma GCC unroll 6
      for (int j = 0; j < kInputs; ++j) x[j] = half[j][i];
      ApplyInputMatrix(x, v);
#pragma GCC unroll 6
      for (int j = 0; j < kInputs; ++j) Store256(points + (i * kInputs + j) * stride + c, v[j]);
    }
  }
}

void TransformInput(bool is_signed, const Pixels& tile, int64_t channels, int16_t* points,
                    int64_t point_stride) {
  is_signed ? TransformInputAs<true>(tile, channels, points, point_stride)
            : TransformInputAs<false>(tile, channels, points, point_stride);
}

// ---- Results ------------------------------------------------------------------------------------

inline int64_t CountIn(FullVector) { return kLanes; }
inline int64_t CountIn(PartialVector part) { return part.count; }

template <typename Lanes>
inline Vector LoadAddend(const char* data, Number type, Lanes lanes) {
  if (type == Number::kF32) return Load(reinterpret_cast<const float*>(data), lanes);
  int64_t bytes = 0;
  __builtin_memcpy(&bytes, data, CountIn(lanes));
  const __m128i all = _mm_cvtsi64_si128(bytes);
  return _mm256_cvtepi32_ps(type == Number::kU8 ? _mm256_cvtepu8_epi32(all)
                                                : _mm256_cvtepi8_epi32(all));
}

// Turns the sums of a register of channels, from `channel` on, into results. `out` is the address
// of the result of channel 0.
template <Number kOut, typename Lanes>
inline __attribute__((always_inline)) void StoreResults(Integers sums, int64_t channel,
                                                        const Finish& f, char* out, Lanes lanes) {
  out += channel * (kOut == Number::kF32 ? 4 : 1);
  Vector y = MulAdd(_mm256_cvtepi32_ps(sums), Load(f.factors + channel), Load(f.shifts + channel));
  if (f.add)
    y = MulAdd(LoadAddend(out + f.addend_offset, f.addend_type, lanes), Set(f.addend_factor), y);
  if (f.relu) y = Max(Zero(), y);
  if constexpr (kOut == Number::kF32) {
    Store(reinterpret_cast<float*>(out), y, lanes);
  } else {
    // Numbers above 255 are lowered to 255 before they are converted to 32-bit integers, since the
    // conversion turns every number that does not fit into the least integer. For numbers that are
    // too small, this is right: packing clamps the least integer to the least result.
    const Integers whole = _mm256_cvtps_epi32(_mm256_min_ps(y, Set(255)));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    const int64_t bytes = _mm_cvtsi128_si64(kOut == Number::kU8 ? _mm_packus_epi16(words, words)
                                                                : _mm_packs_epi16(words, words));
    __builtin_memcpy(out, &bytes, CountIn(lanes));
  }
}

// Sets y = A^T m, for 8 channels.
inline __attribute__((always_inline)) void ApplyOutputMatrix(const Integers* m, Integers* y) {
  const Integers sum = Add32(m[1], m[2]), difference = Sub32(m[1], m[2]);
  y[0] = Add32(Add32(sum, m[0]), Add32(m[3], Shift32<3>(m[4])));
  y[1] = Add32(difference, Sub32(Shift32<1>(m[3]), Shift32<2>(m[4])));
  y[2] = Add32(sum, Add32(Shift32<2>(m[3]), Shift32<1>(m[4])));
  y[3] = Add32(Add32(difference, m[5]), Sub32(Shift32<3>(m[3]), m[4]));
}

// 225 kInverse = 1 modulo 2^32.
constexpr uint32_t kInverse = 2271560481u;
static_assert(225 * kInverse == 1);

template <Number kOut>
void TransformOutputAs(const int32_t* products, int64_t stride, int64_t channels,
                       const Finish& finish, const Pixels& tile) {
  const Integers inverse = _mm256_set1_epi32(static_cast<int>(kInverse));
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        Integers half[kInputs][kOutputs];  // [point of the columns][row]
#pragma GCC unroll 6
        for (int j = 0; j < kInputs; ++j) {
          Integers m[kInputs];
#pragma GCC unroll 6
          for (int i = 0; i < kInputs; ++i)
            m[i] = Load256(products + c + (i * kInputs + j) * stride);
          ApplyOutputMatrix(m, half[j]);
        }
#pragma GCC unroll 4
        for (int row = 0; row < kOutputs; ++row) {
          Integers m[kInputs], y[kOutputs];
#pragma GCC unroll 6
          for (int j = 0; j < kInputs; ++j) m[j] = half[j][row];
          ApplyOutputMatrix(m, y);
#pragma GCC unroll 4
          for (int column = 0; column < kOutputs; ++column) {
            const void* const at = tile.at[row * kOutputs + column];
            if (at == nullptr) continue;
            const Integers sums = _mm256_srai_epi32(_mm256_mullo_epi32(y[column], inverse), 2);
            StoreResults<kOut>(sums, c, finish, static_cast<char*>(const_cast<void*>(at)), lanes);
          }
        }
      });
}

template <Number kOut>
void FinishAs(const int32_t* sums, int64_t channels, const Finish& finish, char* out) {
  ForEachVector(
      channels, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
        StoreResults<kOut>(Load256(sums + c), c, finish, out, lanes);
      });
}

void TransformOutput(const int32_t* products, int64_t point_stride, int64_t channels,
                     const Finish& finish, const Pixels& tile) {
  switch (finish.out_type) {
    case Number::kU8:
      return TransformOutputAs<Number::kU8>(products, point_stride, channels, finish, tile);
    case Number::kS8:
      return TransformOutputAs<Number::kS8>(products, point_stride, channels, finish, tile);
    case Number::kF32:
      return TransformOutputAs<Number::kF32>(products, point_stride, channels, finish, tile);
  }
}

void FinishPixel(const int32_t* sums, int64_t channels, const Finish& finish, void* out) {
  char* const bytes = static_cast<char*>(out);
  switch (finish.out_type) {
    case Number::kU8:
      return FinishAs<Number::kU8>(sums, channels, finish, bytes);
    case Number::kS8:
      return FinishAs<Number::kS8>(sums, channels, finish, bytes);
    case Number::kF32:
      return FinishAs<Number::kF32>(sums, channels, finish, bytes);
  }
}

}  // namespace

const Kernels kAvx2 = {
    .isa = kIsa,
    .multiply_words = Multiply<false>,
    .multiply_bytes = Multiply<true>,
    .widen = Widen,
    .transform_input = TransformInput,
    .transform_output = TransformOutput,
    .finish = FinishPixel,
};

}  // namespace cotangent::tensor::int8_kernels

#endif  // !defined(__AVX512F__)
