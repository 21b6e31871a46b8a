// Emits the running sums of a vector kernel (machine code that applies a VectorProgram to rows of
// elements in a loop; vector_kernel.h). They are 0 before the loop, the loop's body adds to them,
// and after the loop they are added to the caller's sums (KernelCall::sums).
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_

#include "autodiff/codegen/jit_instructions.h"

namespace cotangent::autodiff::codegen::jit {

class SumEmitter : public InstructionEmitter {
 protected:
  using InstructionEmitter::InstructionEmitter;

  // Emits code that sets the running sums to 0.
  void InitializeSums(const Shape& shape);
  // Emits code that adds the value of the step, for the vector that is being emitted, to its sum.
  void EmitSum(const Step& step);
  // Emits code that adds the running sums of the body's other rows to those of its first row. (The
  // loop's body works on several rows at once.) Does nothing if its rows share their running sums.
  void MergeSums(const Shape& shape);
  // Emit code that adds the running sums to the caller's sums: FinishSums() column by column,
  // FinishFlatSums() all lanes together (for a flat kernel, whose data is one long row).
  void FinishSums(const Shape& shape);
  void FinishFlatSums(const Shape& shape);

 private:
  int sums() const { return static_cast<int>(plan_.program.sums().size()); }
  // Emits code that adds `total`, the running sums of one vector of columns, to the caller's sums
  // at `to`.
  void AddTo(const Address& to, const Xmm& total);
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_
