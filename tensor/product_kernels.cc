#include "tensor/product_kernels.h"

#include <immintrin.h>

#include "tensor/vectors.h"

namespace cotangent::tensor::product_kernels {
namespace {

template <bool kBf16, int kRows, int kVectors>
void MultiplyBlock(const Product& p, int64_t row) {
  Vector sums[kRows][kVectors];
  float* c = p.c + row * p.c_row;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[r][v] = p.accumulate ? _mm512_loadu_ps(c + r * p.c_row + v * kLanes) : _mm512_setzero_ps();
  }
  // The next rows' results, which may be far away, have the time that these rows' sums take.
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(c + (kRows + r) * p.c_row + v * kLanes, 1);
  }
  const char* a = p.a + row * p.a_row;
  const char* b = p.b;
  const int64_t a_row = p.a_row;
  for (int64_t k = 0; k < p.depth; ++k, a += p.a_step, b += p.b_step) {
    Vector columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) columns[v] = _mm512_loadu_ps(b + v * 64);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vector x = _mm512_set1_ps(*reinterpret_cast<const float*>(a + r * a_row));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kBf16) {
          sums[r][v] = _mm512_dpbf16_ps(sums[r][v], (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(columns[v]));
        } else {
          sums[r][v] = _mm512_fmadd_ps(x, columns[v], sums[r][v]);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(c + r * p.c_row + v * kLanes, sums[r][v]);
  }
}

// Rows in blocks of as many as the registers hold.
template <bool kBf16, int kRows, int kVectors>
void MultiplyRows(const Product& p) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) MultiplyBlock<kBf16, kRows, kVectors>(p, row);
  if constexpr (kRows > 4) {
    for (; row + 4 <= p.rows; row += 4) MultiplyBlock<kBf16, 4, kVectors>(p, row);
  }
  for (; row + 2 <= p.rows; row += 2) MultiplyBlock<kBf16, 2, kVectors>(p, row);
  if (row < p.rows) MultiplyBlock<kBf16, 1, kVectors>(p, row);
}

template <bool kBf16>
void MultiplyColumns(const Product& p) {
  switch (p.vectors) {
    case 1: return MultiplyRows<kBf16, 12, 1>(p);
    case 2: return MultiplyRows<kBf16, 12, 2>(p);
    case 3: return MultiplyRows<kBf16, 8, 3>(p);
    default: return MultiplyRows<kBf16, 6, 4>(p);
  }
}

template <bool kBf16>
void FinishRows(const Results& r) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  const Vector least = _mm512_set1_ps(r.relu ? 0.0f : -__builtin_inff());
  for (int64_t i = 0; i < r.rows; ++i) {
    for (int64_t j = 0; j < r.columns; j += kLanes) {
      const __mmask16 mask = MaskOf(r.columns - j);
      const int64_t at = i * r.out_row + j * kSize;
      Vector y = _mm512_loadu_ps(r.sums + i * r.sums_row + j);
      if (r.bias != nullptr) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, r.bias + j));
      if (r.addend != nullptr) y = _mm512_add_ps(y, Load<kBf16>(r.addend + at, 0, mask));
      // max_ps gives its second operand where one is not a number, so that it stays one.
      Store<kBf16>(r.out + at, 0, mask, _mm512_max_ps(least, y));
    }
  }
}

}  // namespace

void Finish(bool bf16, const Results& results) { bf16 ? FinishRows<true>(results) : FinishRows<false>(results); }

void Multiply(bool bf16, const Product& product) { bf16 ? MultiplyColumns<true>(product) : MultiplyColumns<false>(product); }

void CopyRows(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      _mm512_storeu_ps(to + i * to_row + j, _mm512_maskz_loadu_ps(MaskOf(columns - j), from + i * from_row + j));
    }
  }
}

void Transpose(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row, bool fill) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      Vector in[kLanes], out[kLanes];
      const __mmask16 mask = MaskOf(columns - j);
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) in[r] = i + r < rows ? _mm512_maskz_loadu_ps(mask, from + (i + r) * from_row + j) : _mm512_setzero_ps();
      Transpose16(in, out);
      const __mmask16 stored = fill ? 0xffff : MaskOf(rows - i);
#pragma GCC unroll 16
      for (int c = 0; c < kLanes; ++c) {
        if (j + c < columns) _mm512_mask_storeu_ps(to + (j + c) * to_row + i, stored, out[c]);
      }
    }
  }
}

void Combine(int64_t rows, int64_t columns, float alpha, const float* t, int64_t t_row, float beta, float* c, int64_t c_row) {
  const Vector a = _mm512_set1_ps(alpha), b = _mm512_set1_ps(beta);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const __mmask16 mask = MaskOf(columns - j);
      float* to = c + i * c_row + j;
      Vector x = _mm512_mul_ps(a, _mm512_maskz_loadu_ps(mask, t + i * t_row + j));
      if (beta != 0) x = _mm512_fmadd_ps(b, _mm512_maskz_loadu_ps(mask, to), x);
      _mm512_mask_storeu_ps(to, mask, x);
    }
  }
}

}  // namespace cotangent::tensor::product_kernels
