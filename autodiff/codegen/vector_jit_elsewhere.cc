// Of processors that are not x86-64: there is no assembler, and vector programs are interpreted.
#include "autodiff/codegen/vector_jit.h"

namespace cotangent::autodiff::codegen {

absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram&, const KernelOptions&) {
  return absl::UnimplementedError("there is no assembler for this processor");
}

}  // namespace cotangent::autodiff::codegen
