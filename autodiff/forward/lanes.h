#ifndef COTANGENT_AUTODIFF_FORWARD_LANES_H_
#define COTANGENT_AUTODIFF_FORWARD_LANES_H_

// Lanes<T, N>: the N tangents of a dual number (autodiff/forward/dual.h), as a small vector that
// only offers linear combinations. A lane is one tangent.
//
// For `double` and `float` and N > 1, the lanes are stored in 16-byte vectors, which every x86-64
// processor has, and the operations on them are unrolled at compile time, so that a compiler can
// keep a whole dual number in registers. (One wide vector type would be simpler, but on processors
// without such a register GCC moves it through memory.) If N does not fill the last vector, the
// unused elements of that vector (its padding) are computed like the others, and affect no lane;
// only Total() counts them. For other T, such as dual numbers, and for N = 1, the lanes are an
// array. If N is kDynamic, they are a std::vector.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

namespace cotangent::autodiff::forward {

// The value of N which means that the number of directions is known only at run time.
inline constexpr int kDynamic = -1;

// Chunk is the unit in which lanes are stored and computed, kWidth its number of lanes.
template <class T, int N>
struct LaneStorage {
  using Chunk = T;
  static constexpr int kWidth = 1;
};

template <std::floating_point T, int N>
requires(N > 1 && sizeof(T) <= 8) struct LaneStorage<T, N> {
  using Chunk __attribute__((vector_size(16))) = T;
  static constexpr int kWidth = 16 / sizeof(T);
};

template <class T, int N>
class Lanes {
  static_assert(N >= 1, "a dual number needs at least one direction");
  using Chunk = typename LaneStorage<T, N>::Chunk;
  static constexpr int kWidth = LaneStorage<T, N>::kWidth;
  static constexpr int kChunks = (N + kWidth - 1) / kWidth;
  using Indices = std::make_index_sequence<kChunks>;

 public:
  static constexpr bool kOneLane = N == 1;

  // As with plain numbers, `Lanes a;` is uninitialized, and `Lanes a{};` is zero.
  Lanes() = default;

  // Returns 1 in lane k (counted from 0) and 0 elsewhere; ignores the second argument. Writes whole
  // chunks: if a single lane were written and its chunk read back, the processor's store forwarding
  // would stall.
  static Lanes Unit(int k, int = N) {
    return Map([&](auto i) __attribute__((always_inline)) {
      if constexpr (kWidth == 1) {
        return Chunk(k == static_cast<int>(i) ? 1 : 0);
      } else {
        Chunk chunk{};
        for (int lane = 0; lane < kWidth; ++lane)
          chunk[lane] = k == static_cast<int>(i) * kWidth + lane ? 1 : 0;
        return chunk;
      }
    });
  }

  static constexpr int size() { return N; }
  T& operator[](int i) { return reinterpret_cast<T*>(chunk_)[i]; }
  const T& operator[](int i) const { return reinterpret_cast<const T*>(chunk_)[i]; }

  friend Lanes operator+(const Lanes& a, const Lanes& b) {
    return Map([&](auto i) __attribute__((always_inline)) { return a.chunk_[i] + b.chunk_[i]; });
  }
  friend Lanes operator-(const Lanes& a, const Lanes& b) {
    return Map([&](auto i) __attribute__((always_inline)) { return a.chunk_[i] - b.chunk_[i]; });
  }
  friend Lanes operator-(const Lanes& a) {
    return Map([&](auto i) __attribute__((always_inline)) { return -a.chunk_[i]; });
  }
  // Returns s a. S is T or a plain number.
  template <class S>
  friend Lanes operator*(const S& s, const Lanes& a) {
    return Map([&](auto i) __attribute__((always_inline)) { return s * a.chunk_[i]; });
  }
  // Returns s a + t b.
  friend Lanes Combine(const T& s, const Lanes& a, const T& t, const Lanes& b) {
    return Map([&](auto i)
                   __attribute__((always_inline)) { return s * a.chunk_[i] + t * b.chunk_[i]; });
  }
  // Returns s (a - t b), which the quotient rule needs.
  friend Lanes ScaledDifference(const T& s, const Lanes& a, const T& t, const Lanes& b) {
    return Map([&](auto i)
                   __attribute__((always_inline)) { return s * (a.chunk_[i] - t * b.chunk_[i]); });
  }
  // Returns the sum of all lanes, padding included. The sum serves only to find lanes that are not
  // finite.
  T Total() const {
    Chunk sum = chunk_[0];
    for (int i = 1; i < kChunks; ++i) sum = sum + chunk_[i];
    if constexpr (kWidth == 1) {
      return sum;
    } else {
      T total = sum[0];
      for (int lane = 1; lane < kWidth; ++lane) total += sum[lane];
      return total;
    }
  }

 private:
  template <class F>
  static Lanes Map(F f) {
    return Map(f, Indices());
  }
  template <class F, std::size_t... kIndex>
  static Lanes Map(F f, std::index_sequence<kIndex...>) {
    Lanes result;
    ((result.chunk_[kIndex] = f(std::integral_constant<std::size_t, kIndex>())), ...);
    return result;
  }

  Chunk chunk_[kChunks];
};

// Lanes whose number is known only at run time. An empty object stands for any number of zeros, so
// that a constant needs no memory; operands of different lengths count as extended with zeros.
template <class T>
class Lanes<T, kDynamic> {
 public:
  static constexpr bool kOneLane = false;

  Lanes() = default;

  // Returns n lanes, with 1 in lane k and 0 elsewhere.
  static Lanes Unit(int k, int n) {
    Lanes unit;
    unit.Resize(n);
    unit[k] = T(1);
    return unit;
  }

  int size() const { return static_cast<int>(lane_.size()); }
  T& operator[](int i) { return lane_[i]; }
  T operator[](int i) const { return i < size() ? lane_[i] : T(0); }

  // Changes the number of lanes to n; new lanes are zero.
  void Resize(int n) { lane_.resize(n, T(0)); }

  friend Lanes operator+(Lanes a, const Lanes& b) {
    a.Resize(std::max(a.size(), b.size()));
    for (int i = 0; i < b.size(); ++i) a.lane_[i] = a.lane_[i] + b.lane_[i];
    return a;
  }
  friend Lanes operator-(Lanes a, const Lanes& b) {
    a.Resize(std::max(a.size(), b.size()));
    for (int i = 0; i < b.size(); ++i) a.lane_[i] = a.lane_[i] - b.lane_[i];
    return a;
  }
  friend Lanes operator-(Lanes a) {
    for (T& lane : a.lane_) lane = -lane;
    return a;
  }
  template <class S>
  friend Lanes operator*(const S& s, Lanes a) {
    for (T& lane : a.lane_) lane = s * lane;
    return a;
  }
  friend Lanes Combine(const T& s, Lanes a, const T& t, const Lanes& b) {
    a.Resize(std::max(a.size(), b.size()));
    for (int i = 0; i < a.size(); ++i) a.lane_[i] = s * a.lane_[i];
    for (int i = 0; i < b.size(); ++i) a.lane_[i] = a.lane_[i] + t * b.lane_[i];
    return a;
  }
  friend Lanes ScaledDifference(const T& s, Lanes a, const T& t, const Lanes& b) {
    a.Resize(std::max(a.size(), b.size()));
    for (int i = 0; i < b.size(); ++i) a.lane_[i] = a.lane_[i] - t * b.lane_[i];
    for (int i = 0; i < a.size(); ++i) a.lane_[i] = s * a.lane_[i];
    return a;
  }
  T Total() const {
    T total(0);
    for (const T& lane : lane_) total = total + lane;
    return total;
  }

 private:
  std::vector<T> lane_;
};

}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_LANES_H_
