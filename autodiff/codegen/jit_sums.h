// Running sums of a vector kernel: zero before the loop, added to in the body, and added to the
// caller's after it.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_

#include "autodiff/codegen/jit_instructions.h"

namespace cotangent::autodiff::codegen::jit {

class SumEmitter : public InstructionEmitter {
 protected:
  using InstructionEmitter::InstructionEmitter;

  void InitializeSums(const Shape& shape);
  void EmitSum(const Step& step);
  // Adds up the running sums of the rows of a body into those of its first row.
  void MergeSums(const Shape& shape);
  // Adds them to the caller's: by column, or of a flat kernel all lanes together.
  void FinishSums(const Shape& shape);
  void FinishFlatSums(const Shape& shape);

 private:
  int sums() const { return static_cast<int>(plan_.program.sums().size()); }
  // Adds a column's running sums to the caller's.
  void AddTo(const Address& to, const Xmm& total);
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_SUMS_H_
