// Tells which instructions the processor has, how large its second-level cache is, and its name.
// Only cpu.cc reads the environment variable COTANGENT_ISA, which limits the instructions that the
// program uses.
#ifndef COTANGENT_BASE_CPU_H_
#define COTANGENT_BASE_CPU_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cotangent {

// Instruction sets that code is written or compiled for. Each includes the ones before it.
enum class InstructionSet : uint8_t {
  kPortable,    // plain C++; on x86 that is SSE2, which every x86-64 has
  kAvx2,        // AVX2 and FMA: Intel Haswell, AMD Zen and later
  kAvx512,      // AVX-512 F, BW, DQ and VL: Intel Skylake-X, AMD Zen 4 and later
  kAvx512Bf16,  // dot products of bfloat16 pairs: Cooper Lake, Zen 4 and later
  kAmx,         // products of tiles of 16 x 32 bfloat16: Sapphire Rapids and later
};

// Returns "portable", "avx2", "avx512", "avx512_bf16" or "amx".
const char* Name(InstructionSet set);

// Returns the widest set that both the processor and the operating system support.
InstructionSet ProcessorInstructionSet();

// Returns the widest set that the program may use: ProcessorInstructionSet(), or a narrower one
// that the environment variable COTANGENT_ISA names. Code that is written for an instruction set
// asks this function (only autodiff/reverse/sin_cos.h asks the processor itself), and
// tensor/onednn.cc limits oneDNN accordingly. The first call reads the variable; all later calls
// return the same answer.
InstructionSet WidestInstructionSet();

// Returns all sets up to WidestInstructionSet(), widest first, for tests that run code of which
// there is a version for each instruction set.
std::vector<InstructionSet> AvailableInstructionSets();

inline bool HasAvx2() { return WidestInstructionSet() >= InstructionSet::kAvx2; }
inline bool HasAvx512() { return WidestInstructionSet() >= InstructionSet::kAvx512; }
inline bool HasAvx512Bf16() { return WidestInstructionSet() >= InstructionSet::kAvx512Bf16; }
inline bool HasAmx() { return WidestInstructionSet() >= InstructionSet::kAmx; }

// Returns the names of all instruction sets as a list: "portable, avx2, ... or amx".
std::string InstructionSetNames();

// Returns the value of COTANGENT_ISA if the variable is set, but not to the name of an instruction
// set (it is then ignored); otherwise "".
std::string UnknownInstructionSet();

// Returns the size of a core's second-level cache in bytes, or 512 KiB if the system does not
// report it.
int64_t SecondCacheBytes();

// Returns the processor's own name, such as "AMD EPYC 9654 96-Core Processor", or "unknown
// processor" if it does not tell a name or is not an x86-64.
std::string ProcessorName();

// Returns the maker and the family of the processor as CPUID tells them, such as "AuthenticAMD 25"
// (Zen 3 and 4) or "GenuineIntel 6", or "unknown processor" if it is not an x86-64. Programs are
// about equally fast on processors of one family with the same instructions.
std::string ProcessorFamily();

}  // namespace cotangent

#endif  // COTANGENT_BASE_CPU_H_
