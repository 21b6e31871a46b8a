// How a loop is written once, compiled for each instruction set, and picked when the program runs:
//
//   namespace {            // or two sources might compile it with different flags
//   struct Halve {
//     static COTANGENT_INLINE void Run(float* values, int64_t size) {
//   #pragma omp simd
//       for (int64_t i = 0; i < size; ++i) values[i] *= 0.5f;
//     }
//   };
//   }  // namespace
//   auto* halve = LoopFor<Halve>(WidestInstructionSet());   // void (*)(float*, int64_t)
//
// The compiler vectorises: a source that has such loops is compiled with LOOP_COPTS of
// base/dispatch.bzl. These are -O3 -ffp-contract=off -fopenmp-simd: without contraction to fused
// multiply-adds every instruction set computes the same bits. What Run() calls must be
// COTANGENT_INLINE, too.
//
// Kernels written in intrinsics are sources compiled several times: instruction_set_libraries in
// base/dispatch.bzl.
#ifndef COTANGENT_BASE_DISPATCH_H_
#define COTANGENT_BASE_DISPATCH_H_

#include "base/cpu.h"

#define COTANGENT_INLINE inline __attribute__((always_inline))

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
  __attribute__((
      target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512"))) static Result
  Avx512(Arguments... arguments) {
    return Loop::Run(arguments...);
  }
#endif
};

// `Loop::Run`, compiled for `instructions`.
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
