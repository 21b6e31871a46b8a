#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_JIT_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_JIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen {

struct MachineCode {
  std::vector<uint8_t> bytes;  // position-independent; a function (const void*, const KernelCall*)
  std::string description;     // as VectorKernel::Describe() returns it
};

// Compiles a program to machine code for the instruction set options.isa. REQUIRES: options.isa is
// kAvx2 or better. Fails with ResourceExhausted if the assembler cannot get memory, and with
// Unimplemented on processors other than x86-64.
absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram& program,
                                           const KernelOptions& options);

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_JIT_H_
