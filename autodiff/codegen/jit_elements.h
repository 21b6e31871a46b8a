// Elements of every type in memory, to and from registers of floats.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_

#include "autodiff/codegen/jit_registers.h"

namespace cotangent::autodiff::codegen::jit {

class ElementEmitter : public RegisterEmitter {
 protected:
  using RegisterEmitter::RegisterEmitter;

  void EmitLoad(Value v, const Instruction& i);
  void EmitStore(const Step& step);

 private:
  // Moves up to 15 bytes and touches none beyond: AVX2 has no masks for elements so small.
  void LoadPieces(const Xmm& to, const Walk& stream, int across, int bytes);
  void StorePieces(const Xmm& from, const Walk& stream, int across, int bytes);
  // Rounds to bf16 in the lower 16 bits of each lane, to nearest even; NaN to the quiet NaN.
  void RoundToBf16(const Xmm& result, const Xmm& x);
  // Stores x as elements of four bytes as they are, as bf16, and as integers of one byte.
  void StoreWords(const Xmm& x, const Walk& stream, bool streaming);
  void StoreBf16(const Xmm& x, const Walk& stream, bool streaming);
  void StoreBytes(const Xmm& x, const Walk& stream, bool is_signed);
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_
