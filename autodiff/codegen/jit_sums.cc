#include "autodiff/codegen/jit_sums.h"

namespace cotangent::autodiff::codegen::jit {

void SumEmitter::InitializeSums(const Shape& shape) {
  if (sums() == 0) return;
  if (!SumsInMemory()) {
    for (const int reg : sum_registers()) vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
    return;
  }
  const int reg = 0;
  vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
  for (int i = 0; i < sums(); ++i) {
    for (int across = 0; across < shape.across; ++across) {
      vmovups(SumAddress(i, across), Vector(reg));
    }
  }
}

void SumEmitter::EmitSum(const Step& step) {
  const int across = at_.column();
  Xmm x = Vector(Read(step.value));
  // In a flat kernel, whose data is one long row, all lanes are added up in the end. So lanes past
  // the end of the row must not count. The last elements, which do not fill a vector, are processed
  // one at a time with AVX2, and all at once, under a mask, with AVX-512. In other kernels, nobody
  // reads the sums of lanes past the end of a row.
  if (plan_.columns == 0 && at_.shape.tail != 0 && !plan_.avx512) {
    const Xmm masked = Vector(Scratch());
    vandps(masked, x, LaneMaskAddress(1));
    x = masked;
  }
  const int reg =
      SumsInMemory() ? Scratch() : SumRegister(step.slot, SumsByColumn() ? across : at_.copy);
  const Xmm sum = Vector(reg);
  if (SumsInMemory()) vmovups(sum, SumAddress(step.slot, across));
  if (plan_.columns == 0 && at_.shape.tail != 0 && plan_.avx512) {
    vaddps(sum | Opmask(kTailMask), sum, x);
  } else {
    vaddps(sum, sum, x);
  }
  if (SumsInMemory()) vmovups(SumAddress(step.slot, across), sum);
}

void SumEmitter::MergeSums(const Shape& shape) {
  if (SumsInMemory() || SumsByColumn()) return;
  for (int i = 0; i < sums(); ++i) {
    for (int copy = shape.across; copy < sum_copies(); ++copy) {
      const Xmm to = Vector(SumRegister(i, copy % shape.across));
      vaddps(to, to, Vector(SumRegister(i, copy)));
    }
  }
}

void SumEmitter::FinishSums(const Shape& shape) {
  at_.shape = shape;
  for (int i = 0; i < sums(); ++i) {
    mov(rax, SumPointer(i));
    if (column_index_) lea(rax, ptr[rax + rbp * 4]);
    for (int across = 0; across < shape.across; ++across) {
      const Address to = ptr[rax + across * plan_.width * 4];
      const Xmm total = SumsInMemory() ? Vector(1) : Vector(SumRegister(i, across));
      if (SumsInMemory()) vmovups(total, SumAddress(i, across));
      at_.copy = across;
      AddTo(to, total);
    }
  }
  at_.copy = 0;
}

// The emitted code overwrites `total` and vector registers 0 to 2. It runs after the loop, where
// registers that hold no sums are free; the values that the loop needs in registers are loaded
// again before the next group of columns.
void SumEmitter::AddTo(const Address& to, const Xmm& total) {
  const Xmm old = Vector(0);
  if (!at_.IsTail()) {
    vaddps(total, total, to);
    vmovups(to, total);
  } else if (plan_.avx512) {
    vmovups(old | Opmask(kTailMask) | T_z, to);
    vaddps(total, total, old);
    vmovups(to | Opmask(kTailMask), total);
  } else {
    const Xmm mask = Vector(2);
    vmovups(mask, LaneMaskAddress(at_.shape.tail));
    vmaskmovps(old, mask, to);
    vaddps(total, total, old);
    vmaskmovps(to, mask, total);
  }
}

void SumEmitter::FinishFlatSums(const Shape& shape) {
  at_.shape = shape;
  for (int i = 0; i < sums(); ++i) {
    const int reg = SumsInMemory() ? 0 : SumRegister(i, 0);
    if (SumsInMemory()) vmovups(Vector(reg), SumAddress(i, 0));
    for (int copy = 1; copy < shape.across; ++copy) {
      if (SumsInMemory()) {
        vaddps(Vector(reg), Vector(reg), SumAddress(i, copy));
      } else {
        vaddps(Vector(reg), Vector(reg), Vector(SumRegister(i, copy)));
      }
    }
    // Adds the upper half of the vector to its lower half until one lane is left. The code may
    // overwrite registers 0 and 1, because no value of the loop's body is alive here.
    vmovaps(Vector(1), Vector(reg));
    if (plan_.avx512) {
      vextractf64x4(ymm0, zmm1, 1);
      vaddps(ymm1, ymm1, ymm0);
    }
    vextractf128(xmm0, ymm1, 1);
    vaddps(xmm1, xmm1, xmm0);
    vmovhlps(xmm0, xmm1, xmm1);
    vaddps(xmm1, xmm1, xmm0);
    vmovshdup(xmm0, xmm1);
    vaddss(xmm1, xmm1, xmm0);
    mov(rax, SumPointer(i));
    vaddss(xmm1, xmm1, ptr[rax]);
    vmovss(ptr[rax], xmm1);
  }
}

}  // namespace cotangent::autodiff::codegen::jit
