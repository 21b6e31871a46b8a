// Emits the machine instructions for each operation of a VectorProgram (vector_program.h).
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_INSTRUCTIONS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_INSTRUCTIONS_H_

#include "autodiff/codegen/jit_elements.h"

namespace cotangent::autodiff::codegen::jit {

class InstructionEmitter : public ElementEmitter {
 protected:
  using ElementEmitter::ElementEmitter;

  // Emits code that computes the value v by the instruction i, for the vector that is being emitted
  // (at_, jit_memory.h).
  void EmitCompute(Value v, const Instruction& i);

 private:
  void EmitFma(Value v, const Instruction& i);
  void EmitFmaByCopy(Value v, const Instruction& i, Value a, Value b);
  void FusedMultiplyAdd(const Instruction& i, int form, const Xmm& d, const Xmm& s,
                        const Xbyak::Operand& o);
  void EmitRounding(Value v, const Instruction& i);
  void EmitScale(Value v, const Instruction& i);
  void EmitCompare(Value v, const Instruction& i);
  void EmitMaskOperation(Value v, const Instruction& i);
  void EmitSelect(Value v, const Instruction& i);
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_INSTRUCTIONS_H_
