#include "tensor/product_kernels.h"

#include "tensor/vectors.h"

namespace cotangent::tensor::product_kernels {
namespace {

template <bool kBf16, int kRows, int kVectors, bool kAhead>
void MultiplyBlock(const Product& p, int64_t row) {
  Vector sums[kRows][kVectors];
  float* c = p.c + row * p.c_row;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[r][v] = Zero();
  }
  // Prefetches the kRows rows of c after these, which may not be in a cache yet.
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors * kLanes; v += 16)
      __builtin_prefetch(c + (kRows + r) * p.c_row + v, 1);
  }
  const char* a = p.a + row * p.a_row;
  const char* b = p.b;
  const int64_t a_row = p.a_row;
  // Each step of the sum prefetches the cache line at `next`, and moves `next` on by next_step
  // bytes. All steps for these kRows rows together move it over about kRows / p.rows of the
  // p.next_bytes bytes at p.next.
  const char* next = nullptr;
  int64_t next_step = 0;
  if constexpr (kAhead)
    next = p.next + p.next_bytes * row / p.rows,
    next_step = p.next_bytes * kRows / (p.rows * p.depth);
  for (int64_t k = 0; k < p.depth; ++k, a += p.a_step, b += p.b_step) {
    if constexpr (kAhead) __builtin_prefetch(next), next += next_step;
    Vector columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      columns[v] = Load(reinterpret_cast<const float*>(b) + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vector x = Set(*reinterpret_cast<const float*>(a + r * a_row));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kBf16) {
          sums[r][v] = MulAddPairs(x, columns[v], sums[r][v]);
        } else {
          sums[r][v] = MulAdd(x, columns[v], sums[r][v]);
        }
      }
    }
  }
  if (p.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = Add(Load(c + r * p.c_row + v * kLanes), sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) Store(c + r * p.c_row + v * kLanes, sums[r][v]);
  }
}

// Computes all rows of the product, in blocks of kRows rows, as many as fit into the registers; the
// last rows in smaller blocks.
template <bool kBf16, int kRows, int kVectors, bool kAhead>
void MultiplyRowsAs(const Product& p) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) MultiplyBlock<kBf16, kRows, kVectors, kAhead>(p, row);
  if constexpr (kRows > 4) {
    for (; row + 4 <= p.rows; row += 4) MultiplyBlock<kBf16, 4, kVectors, kAhead>(p, row);
  }
  for (; row + 2 <= p.rows; row += 2) MultiplyBlock<kBf16, 2, kVectors, kAhead>(p, row);
  if (row < p.rows) MultiplyBlock<kBf16, 1, kVectors, kAhead>(p, row);
}

template <bool kBf16, int kRows, int kVectors>
void MultiplyRows(const Product& p) {
  p.next != nullptr ? MultiplyRowsAs<kBf16, kRows, kVectors, true>(p)
                    : MultiplyRowsAs<kBf16, kRows, kVectors, false>(p);
}

#if defined(__AVX512F__)
constexpr int64_t kPanelVectors = 4;  // of the 32 registers, those for a row of b
template <bool kBf16>
void MultiplyColumns(const Product& p) {
  switch (p.vectors) {
    case 1:
      return MultiplyRows<kBf16, 12, 1>(p);
    case 2:
      return MultiplyRows<kBf16, 12, 2>(p);
    case 3:
      return MultiplyRows<kBf16, 8, 3>(p);
    default:
      return MultiplyRows<kBf16, 6, 4>(p);
  }
}
#else
constexpr int64_t kPanelVectors = 2;  // of the 16 registers, those for a row of b
template <bool kBf16>
void MultiplyColumns(const Product& p) {
  p.vectors == 1 ? MultiplyRows<kBf16, 12, 1>(p) : MultiplyRows<kBf16, 6, 2>(p);
}
#endif

template <bool kBf16>
void FinishRows(const Results& r) {
  constexpr int64_t kSize = kBf16 ? 2 : 4;
  const Vector least = Set(r.relu ? 0.0f : -__builtin_inff());
  for (int64_t i = 0; i < r.rows; ++i) {
    ForEachVector(
        r.columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const int64_t at = i * r.out_row + j * kSize;
          Vector y = Load(r.sums + i * r.sums_row + j, lanes);
          if (r.bias != nullptr) y = Add(y, Load(r.bias + j, lanes));
          if (r.addend != nullptr) y = Add(y, LoadAs<kBf16>(r.addend + at, lanes));
          StoreAs<kBf16>(r.out + at, Max(least, y), lanes);
        });
  }
}

void Multiply(bool bf16, const Product& product) {
  WithType(bf16, [&](auto type) { MultiplyColumns<type.value>(product); });
}

void Finish(bool bf16, const Results& results) {
  WithType(bf16, [&](auto type) { FinishRows<type.value>(results); });
}

void CopyRows(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
              int64_t to_row) {
  for (int64_t i = 0; i < rows; ++i) {
    ForEachVector(
        columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          Store(to + i * to_row + j, Load(from + i * from_row + j, lanes));
        });
  }
}

void TransposeMatrix(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                     int64_t to_row, bool fill) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    ForEachVector(
        columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          Vector in[kLanes], out[kLanes];
#pragma GCC unroll 16
          for (int r = 0; r < kLanes; ++r)
            in[r] = i + r < rows ? Load(from + (i + r) * from_row + j, lanes) : Zero();
          Transpose(in, out);
#pragma GCC unroll 16
          for (int c = 0; c < kLanes; ++c) {
            if (j + c >= columns) continue;
            float* const at = to + (j + c) * to_row + i;
            fill || i + kLanes <= rows ? Store(at, out[c])
                                       : Store(at, out[c], PartialVector{rows - i});
          }
        });
  }
}

#if defined(__AVX512F__)
void PairRows(const float* first, const float* second, int64_t columns, float* to) {
  ForEachVector(
      columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Store(to + j,
              Interleave(Load(first + j, lanes),
                         second == nullptr ? Zero() : Load(second + j, lanes)),
              lanes);
      });
}

void PairColumns(const float* from, int64_t columns, float* to) {
  char* out = reinterpret_cast<char*>(to);
  ForEachVector(
      columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        StoreBf16(out + j * 2, Load(from + j, lanes), lanes);
      });
  if (columns % 2 != 0) StoreBf16(out + columns * 2, Zero(), PartialVector{1});
}
#endif

void Combine(int64_t rows, int64_t columns, float alpha, const float* t, int64_t t_row, float beta,
             float* c, int64_t c_row) {
  const Vector a = Set(alpha), b = Set(beta);
  for (int64_t i = 0; i < rows; ++i) {
    ForEachVector(
        columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          float* to = c + i * c_row + j;
          Vector x = Mul(a, Load(t + i * t_row + j, lanes));
          if (beta != 0) x = MulAdd(b, Load(to, lanes), x);
          Store(to, x, lanes);
        });
  }
}

}  // namespace

const Kernels COTANGENT_KERNELS = {
    .isa = kIsa,
    .lanes = kLanes,
    .panel_vectors = kPanelVectors,
    .multiply = Multiply,
    .finish = Finish,
    .copy_rows = CopyRows,
    .transpose = TransposeMatrix,
#if defined(__AVX512F__)
    .pair_rows = PairRows,
    .pair_columns = PairColumns,
#endif
    .combine = Combine,
};

}  // namespace cotangent::tensor::product_kernels
