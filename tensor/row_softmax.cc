#include "tensor/row_softmax.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "tensor/eight_doubles.h"

namespace cotangent::tensor {
namespace {

// Rows are worked on in groups of kEight numbers, as vectors (of GCC and clang, for any instruction
// set), since compilers do not vectorise loops that select. The last group of a row may be shorter;
// what is missing in it is filled up.
using Floats = float __attribute__((vector_size(4 * kEight)));
using Words = uint32_t __attribute__((vector_size(4 * kEight)));

// Calls work(first column, count) for each group, where `count` is Whole or the number of columns of
// a short group.
using Whole = std::integral_constant<int64_t, kEight>;
template <typename Work>
COTANGENT_INLINE void ForEachGroup(int64_t columns, Work work) {
  int64_t k = 0;
  for (; k + kEight <= columns; k += kEight) work(k, Whole{});
  if (k < columns) work(k, columns - k);
}

// Copies fewer than kEight numbers in pieces of constant size: calling memcpy() would take longer
// than computing them.
COTANGENT_INLINE void CopyFew(const float* from, int64_t count, float* to) {
  int64_t copied = 0;
  if (count & 4) std::memcpy(to, from, 16), copied = 4;
  if (count & 2) std::memcpy(to + copied, from + copied, 8), copied += 2;
  if (count & 1) to[copied] = from[copied];
}

COTANGENT_INLINE void Read(const float* from, Whole, float, Floats& to) {
  std::memcpy(&to, from, sizeof(to));
}
COTANGENT_INLINE void Read(const float* from, int64_t count, float filler, Floats& to) {
  float numbers[kEight];
  std::fill_n(numbers, kEight, filler);
  CopyFew(from, count, numbers);
  Read(numbers, Whole{}, filler, to);
}
COTANGENT_INLINE void Write(const Floats& from, Whole, float* to) {
  std::memcpy(to, &from, sizeof(from));
}
COTANGENT_INLINE void Write(const Floats& from, int64_t count, float* to) {
  float numbers[kEight];
  Write(from, Whole{}, numbers);
  CopyFew(numbers, count, to);
}

COTANGENT_INLINE void Convert(const Floats& from, EightDoubles& to) {
  FourFloats halves[2];
  std::memcpy(halves, &from, sizeof(halves));
  to.low = __builtin_convertvector(halves[0], FourDoubles);
  to.high = __builtin_convertvector(halves[1], FourDoubles);
}

// Replaces each x <= 0 by exp(x), with a relative error of at most 2e-7; by 0 below kLeast, and NaN
// by NaN. With n the integer next to x / ln 2 and f = x - n ln 2, exp(x) = 2^n exp(f), and exp(f) is
// its Taylor polynomial of degree 7, whose remainder is at most (ln 2 / 2)^8 / 8! = 5e-9.
COTANGENT_INLINE void Exponentiate(Floats& x) {
  constexpr float kLeast = -87.0f;           // exp(kLeast) is 1.6e-38, a normal f32
  constexpr float kMagic = 12582912;         // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLog2E = 1.44269504f;      // 1 / ln 2
  constexpr float kLn2High = 0.693145752f;   // the upper 16 bits of ln 2: n * kLn2High is exact
  constexpr float kLn2Low = 1.42860677e-6f;  // the rest
  const Words kept = (Words)(x >= kLeast) | (Words)(x != x);
  const Floats inside = x < kLeast ? Floats{} + kLeast : x;
  const Floats rounded = inside * kLog2E + kMagic;
  const Floats n = rounded - kMagic;
  const Floats f = (inside - n * kLn2High) - n * kLn2Low;
  Floats p = Floats{} + 1.0f / 5040;
  for (const float coefficient : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = p * f + coefficient;
  const Words power = (Words)p + ((Words)rounded << 23);  // the last bits of `rounded` are n
  x = (Floats)(power & kept) + (inside - inside);         // inside - inside: 0, or NaN for NaN
}

COTANGENT_INLINE float Largest(int64_t columns, const float* x) {
  Floats largest = Floats{} - INFINITY;
  ForEachGroup(
      columns, [&](int64_t k, auto count) __attribute__((always_inline)) {
        Floats group;
        Read(x + k, count, -INFINITY, group);
        largest = group > largest ? group : largest;
      });
  float result = -INFINITY;
  for (int64_t i = 0; i < kEight; ++i) result = std::max(result, largest[i]);
  return result;
}

struct Forward {
  static COTANGENT_INLINE void Run(int64_t rows, int64_t columns, const float* x, float* y) {
    for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
      const float largest = Largest(columns, x);
      EightDoubles sums;
      ForEachGroup(
          columns, [&](int64_t k, auto count) __attribute__((always_inline)) {
            Floats group;
            EightDoubles numbers;
            Read(x + k, count, -INFINITY, group);
            group -= largest;
            Exponentiate(group);
            Convert(group, numbers);
            sums.Add(numbers);
            Write(group, count, y + k);
          });
      const float share = static_cast<float>(1 / sums.Total());
#pragma omp simd
      for (int64_t k = 0; k < columns; ++k) y[k] *= share;
    }
  }
};

struct Backward {
  static COTANGENT_INLINE void Run(int64_t rows, int64_t columns, const float* dy, const float* y,
                                   float* dx) {
    for (int64_t r = 0; r < rows; ++r, dy += columns, y += columns, dx += columns) {
      EightDoubles sums;
      ForEachGroup(
          columns, [&](int64_t k, auto count) __attribute__((always_inline)) {
            Floats gradients, shares;
            EightDoubles a, b;
            Read(dy + k, count, 0, gradients);
            Read(y + k, count, 0, shares);
            Convert(gradients, a);
            Convert(shares, b);
            sums.AddProducts(a, b);
          });
      const double dot = sums.Total();
#pragma omp simd
      for (int64_t k = 0; k < columns; ++k) dx[k] = static_cast<float>(y[k] * (dy[k] - dot));
    }
  }
};

}  // namespace

void SoftmaxRows(int64_t rows, int64_t columns, const float* x, float* y) {
  static const auto run = LoopFor<Forward>(WidestInstructionSet());
  ParallelRanges(rows, LeastItems(4 * columns), [&](int64_t begin, int64_t end) {
    run(end - begin, columns, x + begin * columns, y + begin * columns);
  });
}

void SoftmaxRowsGradient(int64_t rows, int64_t columns, const float* dy, const float* y,
                         float* dx) {
  static const auto run = LoopFor<Backward>(WidestInstructionSet());
  ParallelRanges(rows, LeastItems(columns), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    run(end - begin, columns, dy + at, y + at, dx + at);
  });
}

}  // namespace cotangent::tensor
