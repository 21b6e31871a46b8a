// Eight numbers in double precision, for sums along rows whose order of adding up does not depend
// on the instruction set: each sum is of every eighth number, and the eight are added in pairs.
// Part of row_norm.cc and row_softmax.cc.
//
// Functions return vectors through references, since the calling convention of a vector returned by
// value depends on the instruction set, of which GCC warns.
#ifndef COTANGENT_TENSOR_EIGHT_DOUBLES_H_
#define COTANGENT_TENSOR_EIGHT_DOUBLES_H_

#include <cstdint>
#include <cstring>

#include "base/dispatch.h"
#include "base/element_type.h"

namespace cotangent::tensor {

constexpr int64_t kEight = 8;
using FourDoubles = double __attribute__((vector_size(32)));
using FourFloats = float __attribute__((vector_size(16)));

// Two vectors of four, since compilers split longer vectors number by number where a processor
// lacks registers for them.
struct EightDoubles {
  FourDoubles low = {}, high = {};

  COTANGENT_INLINE void Add(const EightDoubles& numbers) {
    low += numbers.low;
    high += numbers.high;
  }
  COTANGENT_INLINE void AddProducts(const EightDoubles& a, const EightDoubles& b) {
    low += a.low * b.low;
    high += a.high * b.high;
  }
  // Returns the sum of the eight.
  COTANGENT_INLINE double Total() const {
    const FourDoubles sums = low + high;
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
  }
};

COTANGENT_INLINE void Load(const float* from, FourDoubles& to) {
  FourFloats floats;
  std::memcpy(&floats, from, sizeof floats);
  to = __builtin_convertvector(floats, FourDoubles);
}
COTANGENT_INLINE void Load(const Bf16* from, FourDoubles& to) {
  using FourWords = uint32_t __attribute__((vector_size(16)));
  using FourHalves = uint16_t __attribute__((vector_size(8)));
  FourHalves halves;
  std::memcpy(&halves, from, sizeof halves);
  const FourWords bits = __builtin_convertvector(halves, FourWords) << 16;
  FourFloats floats;
  std::memcpy(&floats, &bits, sizeof floats);
  to = __builtin_convertvector(floats, FourDoubles);
}
// Loads the eight numbers from `from` on.
template <typename T>
COTANGENT_INLINE void Load(const T* from, EightDoubles& to) {
  Load(from, to.low);
  Load(from + 4, to.high);
}
// Loads `count` numbers, fewer than eight, followed by zeros.
template <typename T>
COTANGENT_INLINE void LoadFew(const T* from, int64_t count, EightDoubles& to) {
  double numbers[kEight] = {};
  for (int64_t k = 0; k < count; ++k) numbers[k] = static_cast<float>(from[k]);
  std::memcpy(&to, numbers, sizeof to);
}

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_EIGHT_DOUBLES_H_
