#include "autodiff/reverse/chunk.h"

#include <cmath>

#include "base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>

// The C library's names for its vector functions begin with _ZGV, then b for SSE, d for AVX2 or e
// for AVX-512, then N and the number of lanes.
#define COTANGENT_DECLARE(name)                                     \
  __m128d _ZGVbN2v_##name(__m128d);                                 \
  __attribute__((target("avx2"))) __m256d _ZGVdN4v_##name(__m256d); \
  __attribute__((target("avx512f"))) __m512d _ZGVeN8v_##name(__m512d);
extern "C" {
COTANGENT_DECLARE(sin)
COTANGENT_DECLARE(cos)
COTANGENT_DECLARE(exp)
COTANGENT_DECLARE(tanh)
COTANGENT_DECLARE(cosh)
}
#undef COTANGENT_DECLARE
#endif

namespace cotangent::autodiff::reverse {

int WidestChunk() { return HasAvx512() ? 8 : HasAvx2() ? 4 : 2; }

#if defined(__x86_64__)
#define COTANGENT_EVALUATE(target_, width, prefix)                                 \
  target_ void EvaluateLanes(sinRule, const Chunk<width>& x, Chunk<width>& value,  \
                             Chunk<width>& slope) {                                \
    value.vector = prefix##_sin(x.vector), slope.vector = prefix##_cos(x.vector);  \
  }                                                                                \
  target_ void EvaluateLanes(cosRule, const Chunk<width>& x, Chunk<width>& value,  \
                             Chunk<width>& slope) {                                \
    value.vector = prefix##_cos(x.vector), slope.vector = -prefix##_sin(x.vector); \
  }                                                                                \
  target_ void EvaluateLanes(expRule, const Chunk<width>& x, Chunk<width>& value,  \
                             Chunk<width>& slope) {                                \
    value.vector = slope.vector = prefix##_exp(x.vector);                          \
  }                                                                                \
  target_ void EvaluateLanes(tanhRule, const Chunk<width>& x, Chunk<width>& value, \
                             Chunk<width>& slope) {                                \
    value.vector = prefix##_tanh(x.vector);                                        \
    const Chunk<width>::Vector secant = 1.0 / prefix##_cosh(x.vector);             \
    slope.vector = secant * secant;                                                \
  }
COTANGENT_EVALUATE(, 2, _ZGVbN2v)
COTANGENT_EVALUATE(COTANGENT_FOR_4_LANES, 4, _ZGVdN4v)
COTANGENT_EVALUATE(COTANGENT_FOR_8_LANES, 8, _ZGVeN8v)
#undef COTANGENT_EVALUATE
#else
// Other processors have no such vector functions: compute one lane at a time.
#define COTANGENT_EVALUATE(width, rule, value_of, slope_of)                                   \
  void EvaluateLanes(rule, const Chunk<width>& x, Chunk<width>& value, Chunk<width>& slope) { \
    for (int lane = 0; lane < width; ++lane) {                                                \
      const double at = x[lane];                                                              \
      value.vector[lane] = value_of, slope.vector[lane] = slope_of;                           \
    }                                                                                         \
  }
#define COTANGENT_EVALUATE_ALL(width)                             \
  COTANGENT_EVALUATE(width, sinRule, std::sin(at), std::cos(at))  \
  COTANGENT_EVALUATE(width, cosRule, std::cos(at), -std::sin(at)) \
  COTANGENT_EVALUATE(width, expRule, std::exp(at), std::exp(at))  \
  COTANGENT_EVALUATE(width, tanhRule, std::tanh(at), 1 / (std::cosh(at) * std::cosh(at)))
COTANGENT_EVALUATE_ALL(2)
COTANGENT_EVALUATE_ALL(4)
COTANGENT_EVALUATE_ALL(8)
#undef COTANGENT_EVALUATE_ALL
#undef COTANGENT_EVALUATE
#endif

}  // namespace cotangent::autodiff::reverse
