// What the processor can do: the one place that asks it, and that reads COTANGENT_ISA.
#ifndef COTANGENT_BASE_CPU_H_
#define COTANGENT_BASE_CPU_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cotangent {

// Instruction sets that code is written or compiled for, each including those before it.
enum class InstructionSet : uint8_t {
  kPortable,    // plain C++; on x86 what every x86-64 has (SSE2)
  kAvx2,        // with FMA: Haswell, Zen and later
  kAvx512,      // F, BW, DQ and VL: Skylake-X, Zen 4 and later
  kAvx512Bf16,  // dot products of bfloat16 pairs: Cooper Lake, Zen 4 and later
};

// "portable", "avx2", "avx512", "avx512_bf16".
const char* Name(InstructionSet set);

// The widest that both the processor and the operating system support.
InstructionSet ProcessorInstructionSet();

// The widest to be used, by every module and by oneDNN: the processor's, or less where the
// environment variable COTANGENT_ISA names less. Fixed at the first call.
InstructionSet WidestInstructionSet();

// All up to WidestInstructionSet(), widest first. What picks code by instruction set is tested
// with each of them.
std::vector<InstructionSet> AvailableInstructionSets();

inline bool HasAvx2() { return WidestInstructionSet() >= InstructionSet::kAvx2; }
inline bool HasAvx512() { return WidestInstructionSet() >= InstructionSet::kAvx512; }
inline bool HasAvx512Bf16() { return WidestInstructionSet() >= InstructionSet::kAvx512Bf16; }

// What COTANGENT_ISA says if it names none of the instruction sets, and so rules nothing out;
// else "".
std::string UnknownInstructionSet();

// Bytes of a core's second-level cache; 512 KiB where the system does not tell.
int64_t SecondCacheBytes();

// "AMD EPYC 9654 96-Core Processor", as the processor tells it; "unknown processor" if it does not.
std::string ProcessorName();

}  // namespace cotangent

#endif  // COTANGENT_BASE_CPU_H_
