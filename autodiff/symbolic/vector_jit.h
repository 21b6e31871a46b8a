#ifndef COTANGENT_AUTODIFF_SYMBOLIC_VECTOR_JIT_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_VECTOR_JIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/vector_kernel.h"
#include "autodiff/symbolic/vector_program.h"

namespace cotangent::autodiff::symbolic {

struct MachineCode {
  std::vector<uint8_t> bytes;  // position-independent; a function (const void*, const KernelCall*)
  std::string description;
};

// Compiles for `options.isa`, at least kAvx2. Fails with ResourceExhausted where the assembler
// cannot get memory.
absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram& program,
                                           const KernelOptions& options);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_VECTOR_JIT_H_
