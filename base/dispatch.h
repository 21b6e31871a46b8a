// How to write a loop once, compile it for each instruction set, and pick one version when the
// program runs:
//
//   namespace {            // unnamed, so that each source has a copy with its own flags
//   struct Halve {
//     static COTANGENT_INLINE void Run(float* values, int64_t size) {
//   #pragma omp simd
//       for (int64_t i = 0; i < size; ++i) values[i] *= 0.5f;
//     }
//   };
//   }  // namespace
//   auto* halve = LoopFor<Halve>(WidestInstructionSet());   // void (*)(float*, int64_t)
//
// LoopFor() relies on the compiler to vectorise, so a source with such loops is compiled with
// LOOP_COPTS of base/dispatch.bzl: -O3 -ffp-contract=off -fopenmp-simd. Contraction to fused
// multiply-adds is off so that every instruction set computes the same bits. Functions that Run()
// calls must be COTANGENT_INLINE, too: otherwise they are compiled for plain x86-64.
//
// Kernels written in intrinsics are not picked this way: their sources are compiled once for each
// instruction set (instruction_set_libraries in base/dispatch.bzl).
#ifndef COTANGENT_BASE_DISPATCH_H_
#define COTANGENT_BASE_DISPATCH_H_

#include "base/cpu.h"

#define COTANGENT_INLINE inline __attribute__((always_inline))

// Unless told otherwise (prefer-vector-width), GCC takes vectors of 256 bits even where it may use
// AVX-512. clang takes the widest; it does not know this word, and would ignore the whole target
// attribute because of it.
#if defined(__clang__)
#define COTANGENT_AVX512_TARGET "avx512f,avx512vl,avx512bw,avx512dq,fma"
#else
#define COTANGENT_AVX512_TARGET "avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512"
#endif

namespace cotangent {

template <typename Loop, typename Run = decltype(&Loop::Run)>
struct CompiledLoop;

template <typename Loop, typename Result, typename... Arguments>
struct CompiledLoop<Loop, Result (*)(Arguments...)> {
  using Function = Result (*)(Arguments...);

  static Result Portable(Arguments... arguments) { return Loop::Run(arguments...); }
#if defined(__x86_64__)
  __attribute__((target("avx2,fma"))) static Result Avx2(Arguments... arguments) {
    return Loop::Run(arguments...);
  }
  __attribute__((target(COTANGENT_AVX512_TARGET))) static Result Avx512(Arguments... arguments) {
    return Loop::Run(arguments...);
  }
#endif
};

// Returns `Loop::Run` as compiled for the widest of AVX-512, AVX2 and plain code that
// `instructions` includes.
template <typename Loop>
typename CompiledLoop<Loop>::Function LoopFor(InstructionSet instructions) {
  using Compiled = CompiledLoop<Loop>;
#if defined(__x86_64__)
  if (instructions >= InstructionSet::kAvx512) return Compiled::Avx512;
  if (instructions >= InstructionSet::kAvx2) return Compiled::Avx2;
#endif
  return Compiled::Portable;
}

}  // namespace cotangent

#endif  // COTANGENT_BASE_DISPATCH_H_
