// Implements vector_jit.h for processors other than x86-64, for which there is no assembler. Vector
// programs are interpreted there.
#include "autodiff/codegen/vector_jit.h"

namespace cotangent::autodiff::codegen {

absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram&, const KernelOptions&) {
  return absl::UnimplementedError("there is no assembler for this processor");
}

}  // namespace cotangent::autodiff::codegen
