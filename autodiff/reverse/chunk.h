#ifndef COTANGENT_AUTODIFF_REVERSE_CHUNK_H_
#define COTANGENT_AUTODIFF_REVERSE_CHUNK_H_

// Defines Chunk, a few doubles in one vector register, and functions that compute on all doubles of
// a chunk at once. program.h replays recorded programs with chunks.

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "autodiff/reverse/functions.h"

// These macros name the instruction sets for which functions on chunks of 4 and 8 doubles are
// compiled.
#if defined(__x86_64__)
#define COTANGENT_FOR_4_LANES [[gnu::target("avx2,fma")]]
#define COTANGENT_FOR_8_LANES [[gnu::target("avx512f")]]
#else
#define COTANGENT_FOR_4_LANES
#define COTANGENT_FOR_8_LANES
#endif

namespace cotangent::autodiff::reverse {

// The type of one vector register with kWidth doubles (lanes): 2 on every x86-64 (SSE2) and ARMv8,
// 4 with AVX2, 8 with AVX-512. Unaligned is the same for data that is aligned only as doubles are.
// All functions of Chunk, which holds such a vector, are COTANGENT_INLINE, because they must be
// compiled for the instruction set of the function that they are inlined into.
template <int kWidth>
struct VectorOf {
  using Aligned __attribute__((vector_size(8 * kWidth), may_alias)) = double;
  using Unaligned __attribute__((vector_size(8 * kWidth), may_alias, aligned(8))) = double;
};

template <int kWidth>
struct Chunk {
  static_assert(kWidth == 1 || kWidth == 2 || kWidth == 4 || kWidth == 8);
  using Vector = typename VectorOf<kWidth>::Aligned;
  using Unaligned = typename VectorOf<kWidth>::Unaligned;

  COTANGENT_INLINE static Chunk Load(const double* from) {
    return {*reinterpret_cast<const Unaligned*>(from)};
  }
  COTANGENT_INLINE void Store(double* to) const { *reinterpret_cast<Unaligned*>(to) = vector; }
  COTANGENT_INLINE static Chunk Broadcast(double x) {
    return Fill([x](int) __attribute__((always_inline)) { return x; });
  }
  // Returns the chunk f(0), ..., f(kWidth - 1).
  template <class F>
  COTANGENT_INLINE static Chunk Fill(const F& f) {
    return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
      return Chunk{Vector{f(I)...}};
    }
    (std::make_integer_sequence<int, kWidth>());
  }
  COTANGENT_INLINE double operator[](int lane) const { return vector[lane]; }
  // Returns the sum of lanes kFirst to kEnd - 1.
  template <int kFirst = 0, int kEnd = kWidth>
  COTANGENT_INLINE double Total() const {
    if constexpr (kEnd - kFirst == 1) {
      return vector[kFirst];
    } else {
      constexpr int kMiddle = (kFirst + kEnd) / 2;
      return Total<kFirst, kMiddle>() + Total<kMiddle, kEnd>();
    }
  }
  // Returns this chunk, with 0 in the lanes where x is 0.
  COTANGENT_INLINE Chunk WhereNonzero(const Chunk& x) const {
    return {x.vector != Vector{} ? vector : Vector{}};
  }

#define COTANGENT_LANES(op)                                                   \
  COTANGENT_INLINE friend Chunk operator op(const Chunk& a, const Chunk& b) { \
    return {a.vector op b.vector};                                            \
  }
  COTANGENT_LANES(+)
  COTANGENT_LANES(-)
  COTANGENT_LANES(*)
  COTANGENT_LANES(/)
#undef COTANGENT_LANES
  COTANGENT_INLINE friend Chunk operator-(const Chunk& a) { return {-a.vector}; }
  COTANGENT_INLINE Chunk& operator+=(const Chunk& b) { return *this = *this + b; }

  Vector vector;
};

// A chunk of a single double, which needs no vector register.
template <>
struct Chunk<1> {
  COTANGENT_INLINE static Chunk Load(const double* from) { return {*from}; }
  COTANGENT_INLINE void Store(double* to) const { *to = value; }
  COTANGENT_INLINE static Chunk Broadcast(double x) { return {x}; }
  COTANGENT_INLINE double Total() const { return value; }
  COTANGENT_INLINE Chunk WhereNonzero(const Chunk& x) const { return {x.value != 0 ? value : 0}; }
  COTANGENT_INLINE friend Chunk operator+(Chunk a, Chunk b) { return {a.value + b.value}; }
  COTANGENT_INLINE friend Chunk operator-(Chunk a, Chunk b) { return {a.value - b.value}; }
  COTANGENT_INLINE friend Chunk operator*(Chunk a, Chunk b) { return {a.value * b.value}; }
  COTANGENT_INLINE friend Chunk operator/(Chunk a, Chunk b) { return {a.value / b.value}; }
  COTANGENT_INLINE friend Chunk operator-(Chunk a) { return {-a.value}; }
  COTANGENT_INLINE Chunk& operator+=(Chunk b) { return *this = *this + b; }

  double value;
};

// Returns whether all lanes are finite.
template <int kWidth>
COTANGENT_INLINE bool AllFinite(const Chunk<kWidth>& x) {
  return (x - x).Total() == 0;
}
// For a quotient y = l / r with the weight w, returns whether `inverse`, which is w / r, and
// `product`, which is inverse * y, keep all their digits in every lane: the inverse is finite, and
// neither is so small that digits are lost. A product with y = 0 is exact.
template <int kWidth>
COTANGENT_INLINE bool AllDigits(const Chunk<kWidth>& inverse, const Chunk<kWidth>& product,
                                const Chunk<kWidth>& y) {
  constexpr double kMin = std::numeric_limits<double>::min(),
                   kMax = std::numeric_limits<double>::max();
  if constexpr (kWidth == 1) {
    const double i = std::abs(inverse.value), p = std::abs(product.value);
    return i >= kMin && i <= kMax && ((p >= kMin && p <= kMax) || y.value == 0);
  } else {
    const auto i = inverse.vector < 0 ? -inverse.vector : inverse.vector;
    const auto p = product.vector < 0 ? -product.vector : product.vector;
    const auto digits = (i >= kMin) & (i <= kMax) & (((p >= kMin) & (p <= kMax)) | (y.vector == 0));
    std::int64_t all = -1;
    for (int lane = 0; lane < kWidth; ++lane) all &= digits[lane];
    return all != 0;
  }
}

// Returns the number of doubles in the widest chunk that this processor supports: 2, 4 or 8.
int WidestChunk();

// Set `value` to f(x) and `slope` to f'(x) in every lane, for f = sin, cos, exp or tanh. On x86-64
// they call the vector functions of the C library (libmvec), whose results are within 4 units in
// the last place of those of the scalar functions; elsewhere they compute one lane at a time.
#define COTANGENT_VECTOR_FUNCTION(name, width) \
  void EvaluateLanes(name##Rule, const Chunk<width>& x, Chunk<width>& value, Chunk<width>& slope);
#define COTANGENT_VECTOR_FUNCTIONS(width) \
  COTANGENT_VECTOR_FUNCTION(sin, width)   \
  COTANGENT_VECTOR_FUNCTION(cos, width)   \
  COTANGENT_VECTOR_FUNCTION(exp, width)   \
  COTANGENT_VECTOR_FUNCTION(tanh, width)
COTANGENT_VECTOR_FUNCTIONS(2)
COTANGENT_VECTOR_FUNCTIONS(4)
COTANGENT_VECTOR_FUNCTIONS(8)
#undef COTANGENT_VECTOR_FUNCTIONS
#undef COTANGENT_VECTOR_FUNCTION

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_CHUNK_H_
