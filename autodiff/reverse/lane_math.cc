#include "autodiff/reverse/lane_math.h"

#include <immintrin.h>

// The names of the vector ABI: e for AVX-512, d for AVX2, b for SSE; N the lanes.
extern "C" {
__attribute__((target("avx512f"))) __m512d _ZGVeN8v_sin(__m512d);
__attribute__((target("avx512f"))) __m512d _ZGVeN8v_cos(__m512d);
__attribute__((target("avx512f"))) __m512d _ZGVeN8v_exp(__m512d);
__attribute__((target("avx512f"))) __m512d _ZGVeN8v_tanh(__m512d);
__attribute__((target("avx512f"))) __m512d _ZGVeN8v_cosh(__m512d);
__attribute__((target("avx2"))) __m256d _ZGVdN4v_sin(__m256d);
__attribute__((target("avx2"))) __m256d _ZGVdN4v_cos(__m256d);
__attribute__((target("avx2"))) __m256d _ZGVdN4v_exp(__m256d);
__attribute__((target("avx2"))) __m256d _ZGVdN4v_tanh(__m256d);
__attribute__((target("avx2"))) __m256d _ZGVdN4v_cosh(__m256d);
__m128d _ZGVbN2v_sin(__m128d);
__m128d _ZGVbN2v_cos(__m128d);
__m128d _ZGVbN2v_exp(__m128d);
__m128d _ZGVbN2v_tanh(__m128d);
__m128d _ZGVbN2v_cosh(__m128d);
}

namespace cotangent::autodiff::reverse {
namespace {

using Function = void (*)(const double* x, double* y);

// Calls the variant for this processor.
#define COTANGENT_LANE_FUNCTION(name)                                                             \
  __attribute__((target("avx512f"))) void name##Avx512(const double* x, double* y) {              \
    _mm512_store_pd(y, _ZGVeN8v_##name(_mm512_load_pd(x)));                                       \
  }                                                                                               \
  __attribute__((target("avx2"))) void name##Avx2(const double* x, double* y) {                   \
    for (int i = 0; i < kLanes; i += 4)                                                           \
      _mm256_store_pd(y + i, _ZGVdN4v_##name(_mm256_load_pd(x + i)));                             \
  }                                                                                               \
  void name##Sse(const double* x, double* y) {                                                    \
    for (int i = 0; i < kLanes; i += 2) _mm_store_pd(y + i, _ZGVbN2v_##name(_mm_load_pd(x + i))); \
  }                                                                                               \
  void name##Lanes(const Pack& x, Pack& y) {                                                      \
    static const Function kBest =                                                                 \
        __builtin_cpu_supports("avx512f")                                 ? name##Avx512          \
        : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? name##Avx2            \
                                                                          : name##Sse;            \
    kBest(reinterpret_cast<const double*>(x.chunk), reinterpret_cast<double*>(y.chunk));          \
  }
COTANGENT_LANE_FUNCTION(sin)
COTANGENT_LANE_FUNCTION(cos)
COTANGENT_LANE_FUNCTION(exp)
COTANGENT_LANE_FUNCTION(tanh)
COTANGENT_LANE_FUNCTION(cosh)

}  // namespace

void EvaluateLanes(sinRule, const Pack& x, Pack& value, Pack& derivative) {
  sinLanes(x, value);
  cosLanes(x, derivative);
}

void EvaluateLanes(cosRule, const Pack& x, Pack& value, Pack& derivative) {
  cosLanes(x, value);
  sinLanes(x, derivative);
  derivative = -derivative;
}

void EvaluateLanes(expRule, const Pack& x, Pack& value, Pack& derivative) {
  expLanes(x, value);
  derivative = value;
}

void EvaluateLanes(tanhRule, const Pack& x, Pack& value, Pack& derivative) {
  tanhLanes(x, value);
  coshLanes(x, derivative);
  const Pack secant = Pack(1) / derivative;
  derivative = secant * secant;
}

}  // namespace cotangent::autodiff::reverse
