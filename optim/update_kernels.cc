#include "optim/update_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cotangent::optim {
namespace {

#define COTANGENT_INLINE inline __attribute__((always_inline))

// The gradient as the rules see it: clipped, with the decay that goes through it.
COTANGENT_INLINE float Gradient(float g, float w, const UpdateCoefficients& c) {
  g *= c.gradient_scale;
  g = g > c.gradient_bound ? c.gradient_bound : g;
  g = g < -c.gradient_bound ? -c.gradient_bound : g;
  return g + c.decay * w;
}

COTANGENT_INLINE void SgdLoop(const UpdateRange& r, const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  float* const w = r.parameters;
  const float* const g = r.gradients;
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    w[i] = c.shrink * w[i] - c.learning_rate * Gradient(g[i], w[i], c);
  }
}

COTANGENT_INLINE void SgdMomentumLoop(const UpdateRange& r,
                                      const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  float* const w = r.parameters;
  const float* const g = r.gradients;
  float* const v = r.state[0];
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    const float gradient = Gradient(g[i], w[i], c);
    v[i] = c.momentum * v[i] + c.gradient_share * gradient;
    const float direction = c.direction_gradient * gradient + c.direction_momentum * v[i];
    w[i] = c.shrink * w[i] - c.learning_rate * direction;
  }
}

template <bool kLargest>
COTANGENT_INLINE void AdamLoop(const UpdateRange& r, const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  float* const w = r.parameters;
  const float* const g = r.gradients;
  float* const m = r.state[0];
  float* const s = r.state[1];
  float* const largest = r.state[2];
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    const float gradient = Gradient(g[i], w[i], c);
    m[i] += c.first_share * (gradient - m[i]);
    s[i] = c.second_keep * s[i] + c.second_share * gradient * gradient;
    float second = s[i];
    if constexpr (kLargest) {
      largest[i] = largest[i] > second ? largest[i] : second;
      second = largest[i];
    }
    w[i] =
        c.shrink * w[i] - c.learning_rate * (m[i] / (std::sqrt(second) * c.root_scale + c.epsilon));
  }
}

template <bool kCentered, bool kMomentum>
COTANGENT_INLINE void RmsPropLoop(const UpdateRange& r, const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  float* const w = r.parameters;
  const float* const g = r.gradients;
  float* const s = r.state[0];
  float* const mean = r.state[1];
  float* const v = r.state[kCentered ? 2 : 1];
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    const float gradient = Gradient(g[i], w[i], c);
    s[i] = c.second_keep * s[i] + c.second_share * gradient * gradient;
    float variance = s[i];
    if constexpr (kCentered) {
      mean[i] += c.first_share * (gradient - mean[i]);
      // Rounding can take the difference of two nearly equal numbers below zero.
      variance -= mean[i] * mean[i];
      variance = variance > 0 ? variance : 0;
    }
    float direction = gradient / (std::sqrt(variance) + c.epsilon);
    if constexpr (kMomentum) {
      v[i] = c.momentum * v[i] + direction;
      direction = v[i];
    }
    w[i] -= c.learning_rate * direction;
  }
}

COTANGENT_INLINE void AdagradLoop(const UpdateRange& r, const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  float* const w = r.parameters;
  const float* const g = r.gradients;
  float* const s = r.state[0];
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    const float gradient = Gradient(g[i], w[i], c);
    s[i] += gradient * gradient;
    w[i] -= c.learning_rate * (gradient / (std::sqrt(s[i]) + c.epsilon));
  }
}

COTANGENT_INLINE void MomentumDirectionLoop(const UpdateRange& r,
                                            const UpdateCoefficients& coefficients) {
  const UpdateCoefficients c = coefficients;
  const float* const g = r.gradients;
  float* const v = r.state[0];
  float* const direction = r.state[1];
#pragma omp simd
  for (int64_t i = 0; i < r.size; ++i) {
    const float gradient = Gradient(g[i], 0, c);
    v[i] = c.momentum * v[i] + c.gradient_share * gradient;
    direction[i] = c.direction_gradient * gradient + c.direction_momentum * v[i];
  }
}

COTANGENT_INLINE void BlendLoop(float* average, const float* values, int64_t size, float keep) {
  const float share = 1 - keep;
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) average[i] += share * (values[i] - average[i]);
}

// Infinities and NaNs are the floats whose exponent is all ones: as integers without the sign, the
// largest.
constexpr int32_t kSignless = 0x7fffffff;
constexpr int32_t kInfinity = 0x7f800000;

COTANGENT_INLINE int32_t SignlessBits(const float& value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & kSignless;
}

COTANGENT_INLINE GradientSummary SummariseLoop(const float* gradients, int64_t size) {
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

COTANGENT_INLINE bool AllFiniteLoop(const float* values, int64_t size) {
  int32_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < size; ++i) {
    const int32_t bits = SignlessBits(values[i]);
    largest = largest > bits ? largest : bits;
  }
  return largest < kInfinity;
}

// The loops above once more for each instruction set: inlined into functions compiled for it.
#define COTANGENT_UPDATE(Name, Loop) \
  COTANGENT_TARGET void Name(const UpdateRange& r, const UpdateCoefficients& c) { Loop(r, c); }
#define COTANGENT_KERNELS                                                                       \
  COTANGENT_UPDATE(SgdUpdate, SgdLoop)                                                          \
  COTANGENT_UPDATE(SgdMomentumUpdate, SgdMomentumLoop)                                          \
  COTANGENT_UPDATE(AdamUpdate, AdamLoop<false>)                                                 \
  COTANGENT_UPDATE(AdamMaxUpdate, AdamLoop<true>)                                               \
  COTANGENT_UPDATE(RmsPropUpdate, (RmsPropLoop<false, false>))                                  \
  COTANGENT_UPDATE(RmsPropMomentumUpdate, (RmsPropLoop<false, true>))                           \
  COTANGENT_UPDATE(RmsPropCenteredUpdate, (RmsPropLoop<true, false>))                           \
  COTANGENT_UPDATE(RmsPropCenteredMomentumUpdate, (RmsPropLoop<true, true>))                    \
  COTANGENT_UPDATE(AdagradUpdate, AdagradLoop)                                                  \
  COTANGENT_UPDATE(MomentumDirection, MomentumDirectionLoop)                                    \
  COTANGENT_TARGET void Blend(float* average, const float* values, int64_t size, float keep) {  \
    BlendLoop(average, values, size, keep);                                                     \
  }                                                                                             \
  COTANGENT_TARGET GradientSummary Summarise(const float* gradients, int64_t size) {            \
    return SummariseLoop(gradients, size);                                                      \
  }                                                                                             \
  COTANGENT_TARGET bool AllFinite(const float* values, int64_t size) {                          \
    return AllFiniteLoop(values, size);                                                         \
  }                                                                                             \
  constexpr UpdateKernels kKernels = {SgdUpdate,                                                \
                                      SgdMomentumUpdate,                                        \
                                      AdamUpdate,                                               \
                                      AdamMaxUpdate,                                            \
                                      {{RmsPropUpdate, RmsPropMomentumUpdate},                  \
                                       {RmsPropCenteredUpdate, RmsPropCenteredMomentumUpdate}}, \
                                      AdagradUpdate,                                            \
                                      MomentumDirection,                                        \
                                      Blend,                                                    \
                                      Summarise,                                                \
                                      AllFinite};

namespace baseline {
#define COTANGENT_TARGET
COTANGENT_KERNELS
#undef COTANGENT_TARGET
}  // namespace baseline

#if defined(__x86_64__)
namespace avx2 {
#define COTANGENT_TARGET __attribute__((target("avx2,fma")))
COTANGENT_KERNELS
#undef COTANGENT_TARGET
}  // namespace avx2

namespace avx512 {
#define COTANGENT_TARGET \
  __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")))
COTANGENT_KERNELS
#undef COTANGENT_TARGET
}  // namespace avx512
#endif

}  // namespace

int AvailableKernels(NamedKernels (&available)[3]) {
  int count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
    available[count++] = {"avx512", &avx512::kKernels};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    available[count++] = {"avx2", &avx2::kKernels};
  }
#endif
  available[count++] = {"baseline", &baseline::kKernels};
  return count;
}

const UpdateKernels& KernelsForThisProcessor() {
  NamedKernels available[3];
  AvailableKernels(available);
  return *available[0].kernels;
}

}  // namespace cotangent::optim
