// Emits loads and stores of array elements for the loop of a vector kernel (machine code that
// applies a VectorProgram to rows of elements; vector_kernel.h). Loads convert elements of every
// type to floats in vector registers, stores convert floats back.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_

#include "autodiff/codegen/jit_registers.h"

namespace cotangent::autodiff::codegen::jit {

class ElementEmitter : public RegisterEmitter {
 protected:
  using RegisterEmitter::RegisterEmitter;

  // Emit code for the vector that is being emitted (at_, jit_memory.h): a load of the value v by
  // the instruction i, or a store of an output.
  void EmitLoad(Value v, const Instruction& i);
  void EmitStore(const Step& step);

 private:
  // Emit a load or store of the first `bytes` bytes (at most 15) of a vector, without touching
  // memory beyond them. `across` is the vector's column in the loop's body, counted in vectors.
  // AVX2 needs these functions at the end of a row: it has no masked moves for elements of less
  // than 4 bytes.
  void LoadPieces(const Xmm& to, const Walk& stream, int across, int bytes);
  void StorePieces(const Xmm& from, const Walk& stream, int across, int bytes);
  // Emits code that rounds x to bf16, to nearest even, and puts the result in the lower 16 bits of
  // each lane of `result`. A NaN becomes the quiet NaN 0x7fc0.
  void RoundToBf16(const Xmm& result, const Xmm& x);
  // Emit code that stores x: StoreWords() its 4-byte elements unchanged, StoreBf16() floats rounded
  // to bf16, StoreBytes() floats rounded and clamped to integers of one byte. `streaming` asks for
  // non-temporal stores, which bypass the caches.
  void StoreWords(const Xmm& x, const Walk& stream, bool streaming);
  void StoreBf16(const Xmm& x, const Walk& stream, bool streaming);
  void StoreBytes(const Xmm& x, const Walk& stream, bool is_signed);
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_ELEMENTS_H_
