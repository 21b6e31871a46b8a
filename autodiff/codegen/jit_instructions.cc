#include "autodiff/codegen/jit_instructions.h"

#include <cstdint>
#include <utility>

namespace cotangent::autodiff::codegen::jit {
namespace {

constexpr uint32_t kSignBit = 0x80000000;

}  // namespace

void InstructionEmitter::EmitCompute(Value v, const Instruction& i) {
  // Emits an operation d = f(a, b), which reads b from memory if b is not in a register. If f
  // commutes and only a is in memory, a and b are exchanged.
  const auto binary = [&](auto emit, bool commutes) {
    Value a = i.a, b = i.b;
    if (commutes && FromMemory(a) && !FromMemory(b)) std::swap(a, b);
    const Xmm first = Vector(Read(a));
    const Source second = ReadAny(b);
    emit(Vector(DefineAfter(v, i)), first, second.operand());
  };
  const auto unary = [&](auto emit) {
    const Source source = ReadAny(i.a);
    emit(Vector(DefineAfter(v, i)), source.operand());
  };
  const auto with_constant = [&](auto emit, uint32_t bits) {
    const Xmm a = Vector(Read(i.a));
    emit(Vector(DefineAfter(v, i)), a, ConstantAddress(bits));
  };
  const auto shift = [&](auto emit) {
    const Xmm a = Vector(Read(i.a));
    emit(Vector(DefineAfter(v, i)), a);
  };
#define EMIT(name) [&](const auto& d, const auto&... s) { name(d, s...); }
  switch (i.opcode) {
    case Opcode::kLoad:
      return EmitLoad(v, i);
    case Opcode::kLoadChannel:
    case Opcode::kLoadScalar:
    case Opcode::kConstant:
      return;
    case Opcode::kAdd:
      return binary(EMIT(vaddps), true);
    case Opcode::kSub:
      return binary(EMIT(vsubps), false);
    case Opcode::kMul:
      return binary(EMIT(vmulps), true);
    case Opcode::kDiv:
      return binary(EMIT(vdivps), false);
    case Opcode::kMulAdd:
    case Opcode::kMulSub:
    case Opcode::kNegMulAdd:
      return EmitFma(v, i);
    case Opcode::kNeg:
      return with_constant(EMIT(vxorps), kSignBit);
    case Opcode::kAbs:
      return with_constant(EMIT(vandps), ~kSignBit);
    case Opcode::kMin:
      return binary(EMIT(vminps), false);
    case Opcode::kMax:
      return binary(EMIT(vmaxps), false);
    case Opcode::kSqrt:
      return unary(EMIT(vsqrtps));
    case Opcode::kFloor:
    case Opcode::kRound:
      return EmitRounding(v, i);
    case Opcode::kScale:
      return EmitScale(v, i);
    case Opcode::kBitAnd:
      return binary(EMIT(vandps), true);
    case Opcode::kBitOr:
      return binary(EMIT(vorps), true);
    case Opcode::kBitXor:
      return binary(EMIT(vxorps), true);
    case Opcode::kBitAdd:
      return binary(EMIT(vpaddd), true);
    case Opcode::kBitSub:
      return binary(EMIT(vpsubd), false);
    case Opcode::kShiftLeft:
      return shift([&](const Xmm& d, const Xmm& a) { vpslld(d, a, i.slot); });
    case Opcode::kShiftRightArithmetic:
      return shift([&](const Xmm& d, const Xmm& a) { vpsrad(d, a, i.slot); });
    case Opcode::kToInteger:
      return unary(EMIT(vcvtps2dq));
    case Opcode::kFromInteger:
      return unary(EMIT(vcvtdq2ps));
    case Opcode::kLess:
    case Opcode::kLessEqual:
    case Opcode::kEqual:
      return EmitCompare(v, i);
    case Opcode::kMaskAnd:
    case Opcode::kMaskOr:
    case Opcode::kMaskNot:
      return EmitMaskOperation(v, i);
    case Opcode::kSelect:
      return EmitSelect(v, i);
  }
#undef EMIT
}

void InstructionEmitter::EmitRounding(Value v, const Instruction& i) {
  const int mode = i.opcode == Opcode::kFloor ? 1 : 0;
  const Source source = ReadAny(i.a);
  const Xmm d = Vector(DefineAfter(v, i));
  if (plan_.avx512) {
    vrndscaleps(d, source.operand(), mode);
  } else {
    vroundps(d, source.operand(), mode);
  }
}

// Emits a fused multiply-add (FMA) of the instruction's kind, of which the lines below show kMulAdd
// (the others negate the summand or the product). Each of its three forms overwrites the register
// d, which holds a factor or the summand. Only the operand o may be in memory:
//   132  d = d * o + s    213  d = s * d + o    231  d = s * o + d
void InstructionEmitter::FusedMultiplyAdd(const Instruction& i, int form, const Xmm& d,
                                          const Xmm& s, const Xbyak::Operand& o) {
  switch (i.opcode) {
    case Opcode::kMulAdd:
      return form == 213   ? vfmadd213ps(d, s, o)
             : form == 231 ? vfmadd231ps(d, s, o)
                           : vfmadd132ps(d, s, o);
    case Opcode::kMulSub:
      return form == 213   ? vfmsub213ps(d, s, o)
             : form == 231 ? vfmsub231ps(d, s, o)
                           : vfmsub132ps(d, s, o);
    default:
      return form == 213   ? vfnmadd213ps(d, s, o)
             : form == 231 ? vfnmadd231ps(d, s, o)
                           : vfnmadd132ps(d, s, o);
  }
}

// Emits a fused multiply-add. If nothing reads one of the factors or the summand afterwards, the
// result overwrites its register.
void InstructionEmitter::EmitFma(Value v, const Instruction& i) {
  Value a = i.a, b = i.b;
  const Value c = i.c;
  if (FromMemory(a) && !FromMemory(b)) std::swap(a, b);  // only the second factor may be in memory
  if (DiesHere(c) && c != a && c != b) {
    const int d = Read(c);
    const Xmm first = Vector(Read(a));
    const Source second = ReadAny(b);
    FusedMultiplyAdd(i, 231, Vector(d), first, second.operand());
    return Replace(c, v);
  }
  for (const auto& [dying, other] : {std::pair{a, b}, std::pair{b, a}}) {
    if (!DiesHere(dying) || dying == c) continue;
    const int d = Read(dying);
    if (FromMemory(other) && other != dying) {
      const Xmm summand = Vector(Read(c));
      const Source factor = ReadAny(other);
      FusedMultiplyAdd(i, 132, Vector(d), summand, factor.operand());
    } else {
      const Xmm factor = Vector(Read(other));
      const Source summand = ReadAny(c);
      FusedMultiplyAdd(i, 213, Vector(d), factor, summand.operand());
    }
    return Replace(dying, v);
  }
  EmitFmaByCopy(v, i, a, b);
}

// Emits a fused multiply-add where no operand's register may be overwritten, so that one of the
// operands has to be copied to the result's register, or loaded into it from memory: the summand c,
// but the factor a if b is in memory and c is not, because the instruction can then read b from
// memory. a and b are the factors; if only one of them is in memory, it is b.
void InstructionEmitter::EmitFmaByCopy(Value v, const Instruction& i, Value a, Value b) {
  const Value c = i.c;
  if (!FromMemory(c) && FromMemory(b)) {
    const Xmm first = Vector(Read(a));
    const Xmm summand = Vector(Read(c));
    const int d = Define(v);
    vmovaps(Vector(d), first);
    const Source factor = ReadAny(b);
    return FusedMultiplyAdd(i, 132, Vector(d), summand, factor.operand());
  }
  const Xmm first = Vector(Read(a));
  const Source second = ReadAny(b);
  if (second.memory) {
    const Xmm factor = Vector(Read(b));
    const int d = Define(v);
    if (HasInvariantAddress(c)) {
      LoadInvariant(c, d);
    } else {
      vmovaps(Vector(d), Vector(Read(c)));
    }
    return FusedMultiplyAdd(i, 231, Vector(d), first, factor);
  }
  const int d = Define(v);
  if (HasInvariantAddress(c) && FromMemory(c)) {
    LoadInvariant(c, d);
  } else {
    vmovaps(Vector(d), Vector(Read(c)));
  }
  FusedMultiplyAdd(i, 231, Vector(d), first, second.operand());
}

// Emits a * 2^b. AVX-512 has an instruction for it. For AVX2 the emitted code adds b to the
// exponent bits of a if the result is known to be a normal number (the field `slot` is 1).
// Otherwise the code multiplies a by two powers of 2, each within the range of f32, so that the
// product overflows or underflows only if the result does.
void InstructionEmitter::EmitScale(Value v, const Instruction& i) {
  const Xmm a = Vector(Read(i.a));
  if (plan_.avx512) {
    const Source b = ReadAny(i.b);
    vscalefps(Vector(DefineAfter(v, i)), a, b.operand());
    return;
  }
  const Xmm b = Vector(Read(i.b));
  const Xmm n = Vector(Scratch());
  vcvtps2dq(n, b);
  if (i.slot == 1) {
    vpslld(n, n, 23);
    vpaddd(Vector(DefineAfter(v, i)), n, a);
    return;
  }
  const Xmm half = Vector(Scratch());
  vpsrad(half, n, 1);
  vpsubd(n, n, half);
  for (const Xmm& factor : {half, n}) {
    vpslld(factor, factor, 23);
    vpaddd(factor, factor, ConstantAddress(0x3f800000));
  }
  const Xmm result = Vector(DefineAfter(v, i));
  vmulps(half, a, half);
  vmulps(result, half, n);
}

void InstructionEmitter::EmitCompare(Value v, const Instruction& i) {
  Value a = i.a, b = i.b;
  // The predicate tells vcmpps how to compare. Comparisons with the predicates used here are false
  // if an operand is NaN ("ordered") and raise no exception for it ("quiet").
  int predicate = i.opcode == Opcode::kLess ? 0x11 : i.opcode == Opcode::kLessEqual ? 0x12 : 0x00;
  if (FromMemory(a) && !FromMemory(b)) {
    std::swap(a, b);
    predicate = i.opcode == Opcode::kLess ? 0x1e : i.opcode == Opcode::kLessEqual ? 0x1d : 0x00;
  }
  const Xmm first = Vector(Read(a));
  const Source second = ReadAny(b);
  if (plan_.avx512) {
    vcmpps(Opmask(Define(v)), first, second.operand(), predicate);
  } else {
    vcmpps(Vector(DefineAfter(v, i)), first, second.operand(), predicate);
  }
}

void InstructionEmitter::EmitMaskOperation(Value v, const Instruction& i) {
  const int a = Read(i.a);
  const int b = i.b < 0 ? a : Read(i.b);
  const int d = DefineAfter(v, i);
  if (plan_.avx512) {
    if (i.opcode == Opcode::kMaskAnd) kandw(Opmask(d), Opmask(a), Opmask(b));
    if (i.opcode == Opcode::kMaskOr) korw(Opmask(d), Opmask(a), Opmask(b));
    if (i.opcode == Opcode::kMaskNot) knotw(Opmask(d), Opmask(a));
  } else {
    if (i.opcode == Opcode::kMaskAnd) vandps(Vector(d), Vector(a), Vector(b));
    if (i.opcode == Opcode::kMaskOr) vorps(Vector(d), Vector(a), Vector(b));
    if (i.opcode == Opcode::kMaskNot) vxorps(Vector(d), Vector(a), ConstantAddress(~0u));
  }
}

void InstructionEmitter::EmitSelect(Value v, const Instruction& i) {
  const auto is_zero = [&](Value x) {
    return plan_.instructions[x].opcode == Opcode::kConstant && plan_.instructions[x].bits == 0;
  };
  const int mask = Read(i.a);
  if (is_zero(i.c)) {
    if (plan_.avx512) {
      const Xmm x = Vector(Read(i.b));
      vmovaps(Vector(DefineAfter(v, i)) | Opmask(mask) | T_z, x);
    } else {
      const Source x = ReadAny(i.b);
      vandps(Vector(DefineAfter(v, i)), Vector(mask), x.operand());
    }
    return;
  }
  if (is_zero(i.b) && !plan_.avx512) {
    const Source x = ReadAny(i.c);
    vandnps(Vector(DefineAfter(v, i)), Vector(mask), x.operand());
    return;
  }
  const Xmm if_false = Vector(Read(i.c));
  const Source if_true = ReadAny(i.b);
  const Xmm d = Vector(DefineAfter(v, i));
  if (plan_.avx512) {
    vblendmps(d | Opmask(mask), if_false, if_true.operand());
  } else {
    vblendvps(d, if_false, if_true.operand(), Vector(mask));
  }
}

}  // namespace cotangent::autodiff::codegen::jit
