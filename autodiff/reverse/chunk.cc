#include "autodiff/reverse/chunk.h"

#include <immintrin.h>

#include "base/cpu.h"

// The names of the vector ABI: e for AVX-512, d for AVX2, b for SSE; N the lanes.
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

namespace cotangent::autodiff::reverse {

int WidestChunk() { return HasAvx512() ? 8 : HasAvx2() ? 4 : 2; }

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
COTANGENT_EVALUATE(__attribute__((target("avx2,fma"))), 4, _ZGVdN4v)
COTANGENT_EVALUATE(__attribute__((target("avx512f"))), 8, _ZGVeN8v)
#undef COTANGENT_EVALUATE

}  // namespace cotangent::autodiff::reverse
