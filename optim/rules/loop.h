#ifndef COTANGENT_OPTIM_RULES_LOOP_H_
#define COTANGENT_OPTIM_RULES_LOOP_H_

// How a loop over flat buffers is written once and compiled for each instruction set:
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
// A source that has loops is compiled with -O3 -ffp-contract=off -fopenmp-simd (LOOP_COPTS in
// BUILD): without contraction to fused multiply-adds every instruction set computes the same bits.

#include <limits>
#include <vector>

#define COTANGENT_INLINE inline __attribute__((always_inline))

namespace cotangent::optim {

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// Those that this processor has, widest first; the baseline is always among them.
std::vector<InstructionSet> AvailableInstructionSets();
inline InstructionSet WidestInstructionSet() { return AvailableInstructionSets().front(); }

template <typename Loop, typename Run = decltype(&Loop::Run)>
struct CompiledLoop;

template <typename Loop, typename Result, typename... Arguments>
struct CompiledLoop<Loop, Result (*)(Arguments...)> {
  using Function = Result (*)(Arguments...);

  static Result Baseline(Arguments... arguments) { return Loop::Run(arguments...); }
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
  if (instructions == InstructionSet::kAvx512) return Compiled::Avx512;
  if (instructions == InstructionSet::kAvx2) return Compiled::Avx2;
#endif
  return Compiled::Baseline;
}

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RULES_LOOP_H_
