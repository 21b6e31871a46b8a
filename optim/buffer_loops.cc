#include "optim/buffer_loops.h"

#include <cstring>

namespace cotangent::optim {
namespace {

struct BlendLoop {
  static COTANGENT_INLINE void Run(float* average, const float* values, int64_t size, float keep) {
    const float share = 1 - keep;
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) average[i] += share * (values[i] - average[i]);
  }
};

// Infinities and NaNs are the floats whose exponent bits are all ones. If the bits of a float
// without the sign bit are read as an integer, infinities and NaNs give kInfinity or more, all
// other floats less.
constexpr int32_t kSignless = 0x7fffffff;
constexpr int32_t kInfinity = 0x7f800000;

COTANGENT_INLINE int32_t SignlessBits(const float& value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & kSignless;
}

struct SummariseLoop {
  static COTANGENT_INLINE GradientSummary Run(const float* gradients, int64_t size) {
    int32_t largest = 0;
    double sum = 0;
#pragma omp simd reduction(max : largest) reduction(+ : sum)
    for (int64_t i = 0; i < size; ++i) {
      const int32_t bits = SignlessBits(gradients[i]);
      largest = largest > bits ? largest : bits;
      const double g = gradients[i];
      sum += g * g;
    }
    return {sum, largest < kInfinity};
  }
};

struct AllFiniteLoop {
  static COTANGENT_INLINE bool Run(const float* values, int64_t size) {
    int32_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < size; ++i) {
      const int32_t bits = SignlessBits(values[i]);
      largest = largest > bits ? largest : bits;
    }
    return largest < kInfinity;
  }
};

}  // namespace

BufferLoops BufferLoopsFor(InstructionSet instructions) {
  return {LoopFor<BlendLoop>(instructions), LoopFor<SummariseLoop>(instructions),
          LoopFor<AllFiniteLoop>(instructions)};
}

}  // namespace cotangent::optim
