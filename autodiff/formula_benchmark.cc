// Compares compiled formulas with loops written by hand in intrinsics, for activations and their
// derivatives.
//
//   bazel run //autodiff:formula_benchmark
//
// The arguments of a benchmark are (function, elements, instruction set), the first and the last as
// the numbers of enumerators. With 16 million elements, memory limits the speed; with 4096,
// arithmetic does. For large arrays the loops by hand use non-temporal stores, which bypass the
// caches, as CompiledFunction does.

#include <immintrin.h>

#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/symbolic/compiled_function.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/functions.h"
#include "base/cpu.h"
#include "benchmark/benchmark.h"

namespace {

namespace symbolic = cotangent::autodiff::symbolic;
using cotangent::InstructionSet;
using symbolic::Expr;

enum Function { kSoftsign, kSoftsignSlope, kGelu, kGeluSlope, kSilu, kSiluSlope };
constexpr const char* kFunctionNames[] = {"softsign",   "softsign'", "gelu_tanh",
                                          "gelu_tanh'", "silu",      "silu'"};

constexpr float kLog2E = 1.44269504f;
constexpr float kGeluScale = 1.59576912f;  // 2 sqrt(2 / pi)
constexpr float kExp2[] = {1.326470287e-03f, 9.671533480e-03f, 5.550733954e-02f,
                           2.402224243e-01f, 6.931470037e-01f, 1.0f};

// ---- The loops written by hand with AVX-512 intrinsics ----

#define TARGET_512 \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"), always_inline)) inline

TARGET_512 __m512 ExpOfNegative512(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-88)), _mm512_set1_ps(87));
  const __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(-kLog2E));
  const __m512 n = _mm512_roundscale_ps(t, 0);
  const __m512 f = _mm512_fmsub_ps(x, _mm512_set1_ps(-kLog2E), n);
  __m512 p = _mm512_set1_ps(kExp2[0]);
  for (int i = 1; i < 6; ++i) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2[i]));
  return _mm512_scalef_ps(p, n);
}

template <Function function>
TARGET_512 __m512 Apply512(__m512 x) {
  const __m512 one = _mm512_set1_ps(1);
  if constexpr (function == kSoftsign) {
    return _mm512_div_ps(x, _mm512_add_ps(one, _mm512_abs_ps(x)));
  } else if constexpr (function == kSoftsignSlope) {
    const __m512 d = _mm512_add_ps(one, _mm512_abs_ps(x));
    return _mm512_div_ps(one, _mm512_mul_ps(d, d));
  } else if constexpr (function == kSilu || function == kSiluSlope) {
    const __m512 s = _mm512_div_ps(one, _mm512_add_ps(one, ExpOfNegative512(x)));
    if constexpr (function == kSilu) return _mm512_mul_ps(x, s);
    return _mm512_fmadd_ps(_mm512_mul_ps(x, s), _mm512_sub_ps(one, s), s);
  } else {
    const __m512 square = _mm512_mul_ps(x, x);
    const __m512 u =
        _mm512_mul_ps(x, _mm512_fmadd_ps(square, _mm512_set1_ps(kGeluScale * 0.044715f),
                                         _mm512_set1_ps(kGeluScale)));
    const __m512 s = _mm512_div_ps(one, _mm512_add_ps(one, ExpOfNegative512(u)));
    if constexpr (function == kGelu) return _mm512_mul_ps(x, s);
    const __m512 slope = _mm512_fmadd_ps(square, _mm512_set1_ps(kGeluScale * 3 * 0.044715f),
                                         _mm512_set1_ps(kGeluScale));
    const __m512 xs = _mm512_mul_ps(x, s);
    return _mm512_fmadd_ps(_mm512_mul_ps(xs, slope), _mm512_sub_ps(one, s), s);
  }
}

template <Function function, bool streaming>
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))) void Loop512(const float* x,
                                                                               float* y,
                                                                               int64_t n) {
  for (int64_t i = 0; i < n; i += 64) {
    for (int j = 0; j < 64; j += 16) {
      const __m512 v = Apply512<function>(_mm512_loadu_ps(x + i + j));
      if (streaming) {
        _mm512_stream_ps(y + i + j, v);
      } else {
        _mm512_storeu_ps(y + i + j, v);
      }
    }
  }
  if (streaming) _mm_sfence();
}

// ---- The loops written by hand with AVX2 intrinsics ----

#define TARGET_AVX2 __attribute__((target("avx2,fma"), always_inline)) inline

TARGET_AVX2 __m256 ExpOfNegative256(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-88)), _mm256_set1_ps(87));
  const __m256 t = _mm256_mul_ps(x, _mm256_set1_ps(-kLog2E));
  const __m256 n = _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 f = _mm256_fmsub_ps(x, _mm256_set1_ps(-kLog2E), n);
  __m256 p = _mm256_set1_ps(kExp2[0]);
  for (int i = 1; i < 6; ++i) p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2[i]));
  const __m256i shift = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shift));
}

template <Function function>
TARGET_AVX2 __m256 Apply256(__m256 x) {
  const __m256 one = _mm256_set1_ps(1);
  const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
  if constexpr (function == kSoftsign) {
    return _mm256_div_ps(x, _mm256_add_ps(one, size));
  } else if constexpr (function == kSoftsignSlope) {
    const __m256 d = _mm256_add_ps(one, size);
    return _mm256_div_ps(one, _mm256_mul_ps(d, d));
  } else if constexpr (function == kSilu || function == kSiluSlope) {
    const __m256 s = _mm256_div_ps(one, _mm256_add_ps(one, ExpOfNegative256(x)));
    if constexpr (function == kSilu) return _mm256_mul_ps(x, s);
    return _mm256_fmadd_ps(_mm256_mul_ps(x, s), _mm256_sub_ps(one, s), s);
  } else {
    const __m256 square = _mm256_mul_ps(x, x);
    const __m256 u =
        _mm256_mul_ps(x, _mm256_fmadd_ps(square, _mm256_set1_ps(kGeluScale * 0.044715f),
                                         _mm256_set1_ps(kGeluScale)));
    const __m256 s = _mm256_div_ps(one, _mm256_add_ps(one, ExpOfNegative256(u)));
    if constexpr (function == kGelu) return _mm256_mul_ps(x, s);
    const __m256 slope = _mm256_fmadd_ps(square, _mm256_set1_ps(kGeluScale * 3 * 0.044715f),
                                         _mm256_set1_ps(kGeluScale));
    const __m256 xs = _mm256_mul_ps(x, s);
    return _mm256_fmadd_ps(_mm256_mul_ps(xs, slope), _mm256_sub_ps(one, s), s);
  }
}

template <Function function, bool streaming>
__attribute__((target("avx2,fma"))) void Loop256(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += 32) {
    for (int j = 0; j < 32; j += 8) {
      const __m256 v = Apply256<function>(_mm256_loadu_ps(x + i + j));
      if (streaming) {
        _mm256_stream_ps(y + i + j, v);
      } else {
        _mm256_storeu_ps(y + i + j, v);
      }
    }
  }
  if (streaming) _mm_sfence();
}

using Loop = void (*)(const float*, float*, int64_t);

template <Function function>
Loop ByHand(InstructionSet isa, bool streaming) {
  if (isa == InstructionSet::kAvx2)
    return streaming ? Loop256<function, true> : Loop256<function, false>;
  return streaming ? Loop512<function, true> : Loop512<function, false>;
}

Loop ByHand(int function, InstructionSet isa, bool streaming) {
  switch (function) {
    case kSoftsign:
      return ByHand<kSoftsign>(isa, streaming);
    case kSoftsignSlope:
      return ByHand<kSoftsignSlope>(isa, streaming);
    case kGelu:
      return ByHand<kGelu>(isa, streaming);
    case kGeluSlope:
      return ByHand<kGeluSlope>(isa, streaming);
    case kSilu:
      return ByHand<kSilu>(isa, streaming);
    default:
      return ByHand<kSiluSlope>(isa, streaming);
  }
}

Expr Formula(int function, Expr x) {
  const Expr f = function <= kSoftsignSlope ? symbolic::Softsign(x)
                 : function <= kGeluSlope   ? symbolic::GeluTanh(x)
                                            : symbolic::Silu(x);
  return function % 2 == 0 ? f : symbolic::Differentiate(f, x);
}

// Allocates arrays that begin on cache lines, as tensors do.
std::unique_ptr<float[], void (*)(float*)> Aligned(int64_t n) {
  return {static_cast<float*>(operator new (n * sizeof(float), std::align_val_t{64})),
          [](float* p) { operator delete (p, std::align_val_t{64}); }};
}

struct Arrays {
  explicit Arrays(int64_t n) : x(Aligned(n)), y(Aligned(n)) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < n; ++i) x[i] = i < 65536 ? normal(random) : x[i - 65536];
    std::fill_n(y.get(), n, 0.0f);
  }
  std::unique_ptr<float[], void (*)(float*)> x, y;
};

void Label(benchmark::State& state) {
  const int64_t n = state.range(1);
  state.SetItemsProcessed(state.iterations() * n);
  state.SetLabel(std::string(kFunctionNames[state.range(0)]) + " " +
                 Name(static_cast<InstructionSet>(state.range(2))));
}

void BM_Compiled(benchmark::State& state) {
  symbolic::Pool pool;
  const Expr x = pool.Variable("x");
  const InstructionSet isa = static_cast<InstructionSet>(state.range(2));
  const auto function = symbolic::CompiledFunction::Compile({Formula(state.range(0), x)}, {x}, isa);
  if (!function.ok()) return state.SkipWithError(std::string(function.status().message()).c_str());
  const Arrays arrays(state.range(1));
  for (auto _ : state) {
    (*function)({arrays.x.get()}, {arrays.y.get()}, state.range(1));
    benchmark::ClobberMemory();
  }
  Label(state);
}

void BM_ByHand(benchmark::State& state) {
  const InstructionSet isa = static_cast<InstructionSet>(state.range(2));
  if (isa > cotangent::WidestInstructionSet())
    return state.SkipWithError("this processor has no such instructions");
  const Loop loop = ByHand(state.range(0), isa, state.range(1) >= int64_t{4} << 20);
  const Arrays arrays(state.range(1));
  for (auto _ : state) {
    loop(arrays.x.get(), arrays.y.get(), state.range(1));
    benchmark::ClobberMemory();
  }
  Label(state);
}

void Cases(benchmark::internal::Benchmark* b) {
  for (const InstructionSet isa : {InstructionSet::kAvx512, InstructionSet::kAvx2}) {
    for (const int64_t n : {int64_t{4096}, int64_t{16} << 20}) {
      for (int function = kSoftsign; function <= kSiluSlope; ++function)
        b->Args({function, n, static_cast<int64_t>(isa)});
    }
  }
}

BENCHMARK(BM_Compiled)->Apply(Cases);
BENCHMARK(BM_ByHand)->Apply(Cases);

}  // namespace
