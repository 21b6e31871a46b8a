// What this processor can do, and how many threads compute.
#ifndef COTANGENT_TENSOR_CPU_H_
#define COTANGENT_TENSOR_CPU_H_

#include <cstdint>
#include <string>

namespace cotangent::tensor {

// Instruction sets that both the processor and the operating system support, and the environment
// variable COTANGENT_ISA does not rule out: portable (none), avx2, avx512 or avx512_bf16 is the
// widest to be used, by oneDNN too.
bool HasAvx2();        // with FMA
bool HasAvx512();      // F, BW, DQ, VL: Skylake-X and Zen 4 on
bool HasAvx512Bf16();  // dot products of bfloat16 pairs
// The widest of them, named as above.
std::string InstructionSet();
// What COTANGENT_ISA says if it names none of these, and rules nothing out therefore; else "".
std::string UnknownInstructionSet();

// Bytes of a core's second-level cache; 512 KiB where the system does not tell.
int64_t SecondCacheBytes();

// "AMD EPYC 9654 96-Core Processor", as the processor tells it; "unknown processor" if it does not.
std::string ProcessorName();

// How many threads compute fastest, by default: the logical processors this process may run on,
// counting hyperthreads of one core once, but no more than control groups grant time for
// (cpu_quota.h), rounded up.
int PhysicalThreads();

// Sets and tells how many threads the kernels use (OpenMP's setting, oneDNN's too). OpenMP keeps
// the number for each calling thread, so set it on the thread that creates and runs the kernels,
// before it creates them.
void SetThreads(int threads);
int Threads();

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CPU_H_
