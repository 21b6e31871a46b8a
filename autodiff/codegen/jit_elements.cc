#include "autodiff/codegen/jit_elements.h"

#include <cstdint>

namespace cotangent::autodiff::codegen::jit {

void ElementEmitter::LoadPieces(const Xmm& to, const Walk& stream, int across, int bytes) {
  const Xmm x(to.getIdx());
  int at = 0;
  if (bytes >= 8) {
    vmovq(x, StreamAddress(stream, across));
    at = 8;
  } else if (bytes >= 4) {
    vmovd(x, StreamAddress(stream, across));
    at = 4;
  } else {
    vpxor(x, x, x);
  }
  if (bytes - at >= 4) {
    vpinsrd(x, x, StreamAddress(stream, across, at), at / 4);
    at += 4;
  }
  if (bytes - at >= 2) {
    vpinsrw(x, x, StreamAddress(stream, across, at), at / 2);
    at += 2;
  }
  if (bytes - at >= 1) vpinsrb(x, x, StreamAddress(stream, across, at), at);
}

void ElementEmitter::StorePieces(const Xmm& from, const Walk& stream, int across, int bytes) {
  const Xmm x(from.getIdx());
  int at = 0;
  if (bytes >= 8) {
    vmovq(StreamAddress(stream, across), x);
    at = 8;
  }
  if (bytes - at >= 4) {
    vpextrd(StreamAddress(stream, across, at), x, at / 4);
    at += 4;
  }
  if (bytes - at >= 2) {
    vpextrw(StreamAddress(stream, across, at), x, at / 2);
    at += 2;
  }
  if (bytes - at >= 1) vpextrb(StreamAddress(stream, across, at), x, at);
}

void ElementEmitter::EmitLoad(Value v, const Instruction& i) {
  const Walk& stream = Input(i.slot);
  const int across = at_.column();
  const Xmm d = Vector(Define(v));
  const bool tail = at_.IsTail();
  const bool pieces = tail && !plan_.avx512 && stream.size < 4;
  const Xmm masked = tail && plan_.avx512 ? d | Opmask(kTailMask) | T_z : d;
  if (pieces) LoadPieces(d, stream, across, at_.shape.tail * stream.size);
  switch (i.type) {
    case ElementType::kF32:
      LoadFloats(d, StreamAddress(stream, across));
      break;
    case ElementType::kS32:
      if (tail && !plan_.avx512) {
        LoadFloats(d, StreamAddress(stream, across));
        vcvtdq2ps(d, d);
      } else {
        vcvtdq2ps(masked, StreamAddress(stream, across));
      }
      break;
    case ElementType::kBf16:
      if (pieces) {
        vpmovzxwd(d, Xmm(d.getIdx()));
      } else {
        vpmovzxwd(masked, StreamAddress(stream, across));
      }
      vpslld(d, d, 16);
      break;
    case ElementType::kU8:
      if (pieces) {
        vpmovzxbd(d, Xmm(d.getIdx()));
      } else {
        vpmovzxbd(masked, StreamAddress(stream, across));
      }
      vcvtdq2ps(d, d);
      break;
    case ElementType::kS8:
      if (pieces) {
        vpmovsxbd(d, Xmm(d.getIdx()));
      } else {
        vpmovsxbd(masked, StreamAddress(stream, across));
      }
      vcvtdq2ps(d, d);
      break;
    case ElementType::kF64:
      break;
  }
  AdvanceStream(stream);
}

void ElementEmitter::RoundToBf16(const Xmm& result, const Xmm& x) {
  vpsrld(result, x, 16);
  if (plan_.avx512) {
    vpandd(result, result, ConstantAddress(1));
    vpaddd(result, result, x);
    vpaddd(result, result, ConstantAddress(0x7fff));
    vcmpps(Opmask(kScratchMask), x, x, 3);
    BroadcastConstant(result | Opmask(kScratchMask), 0x7fc00000);
  } else {
    const Xmm is_nan = Vector(Scratch());
    vpand(result, result, ConstantAddress(1));
    vpaddd(result, result, x);
    vpaddd(result, result, ConstantAddress(0x7fff));
    vcmpps(is_nan, x, x, 3);
    vblendvps(result, result, ConstantAddress(0x7fc00000), is_nan);
  }
  vpsrld(result, result, 16);
}

void ElementEmitter::EmitStore(const Step& step) {
  const VectorProgram::Output& output = plan_.program.outputs()[step.slot];
  const Walk& stream = Output(step.slot);
  const bool streaming = streaming_ && !at_.IsTail() && output.hint == StoreHint::kStreaming;
  const Xmm x = Vector(Read(step.value));
  switch (output.type) {
    case ElementType::kF32:
      StoreWords(x, stream, streaming);
      break;
    case ElementType::kS32: {
      const Xmm integers = Vector(Scratch());
      vcvtps2dq(integers, x);
      StoreWords(integers, stream, streaming);
      break;
    }
    case ElementType::kBf16:
      StoreBf16(x, stream, streaming);
      break;
    case ElementType::kU8:
    case ElementType::kS8:
      StoreBytes(x, stream, output.type == ElementType::kS8);
      break;
    case ElementType::kF64:
      break;
  }
  AdvanceStream(stream);
}

void ElementEmitter::StoreWords(const Xmm& x, const Walk& stream, bool streaming) {
  const Address to = StreamAddress(stream, at_.column());
  if (streaming) {
    vmovntps(to, x);
  } else if (!at_.IsTail()) {
    vmovups(to, x);
  } else if (plan_.avx512) {
    vmovups(to | Opmask(kTailMask), x);
  } else {
    const Xmm mask = Vector(Scratch());
    vmovups(mask, LaneMaskAddress(at_.shape.tail));
    vmaskmovps(to, mask, x);
  }
}

void ElementEmitter::StoreBf16(const Xmm& x, const Walk& stream, bool streaming) {
  const int t = Scratch(), across = at_.column();
  if (!plan_.avx512) {
    RoundToBf16(Vector(t), x);
    vpackusdw(Ymm(t), Ymm(t), Ymm(t));
    vpermq(Ymm(t), Ymm(t), 8);
    if (at_.IsTail()) {
      StorePieces(Xmm(t), stream, across, 2 * at_.shape.tail);
    } else if (streaming) {
      vmovntdq(StreamAddress(stream, across), Xmm(t));
    } else {
      vmovdqu(StreamAddress(stream, across), Xmm(t));
    }
    return;
  }
  if (plan_.isa >= InstructionSet::kAvx512Bf16) {
    vcvtneps2bf16(Ymm(t), x);
  } else {
    RoundToBf16(Vector(t), x);
    vpmovdw(Ymm(t), Vector(t));
  }
  const Address to = StreamAddress(stream, across);
  if (streaming) {
    vmovntdq(to, Ymm(t));
  } else if (at_.IsTail()) {
    vmovdqu16(to | Opmask(kTailMask), Ymm(t));
  } else if (t < 16) {
    vmovdqu(to, Ymm(t));
  } else {
    vmovdqu16(to, Ymm(t));
  }
}

void ElementEmitter::StoreBytes(const Xmm& x, const Walk& stream, bool is_signed) {
  const int t = Scratch(), across = at_.column();
  const uint32_t least = is_signed ? 0xc3000000 : 0;              // -128, 0
  const uint32_t greatest = is_signed ? 0x42fe0000 : 0x437f0000;  // 127, 255
  vmaxps(Vector(t), x, ConstantAddress(least));
  vminps(Vector(t), Vector(t), ConstantAddress(greatest));
  vcvtps2dq(Vector(t), Vector(t));
  if (plan_.avx512) {
    vpmovdb(Xmm(t), Vector(t));
    const Address to = StreamAddress(stream, across);
    if (at_.IsTail()) {
      vmovdqu8(to | Opmask(kTailMask), Xmm(t));
    } else {
      vmovdqu8(to, Xmm(t));
    }
    return;
  }
  if (is_signed) {
    vpackssdw(Ymm(t), Ymm(t), Ymm(t));
    vpermq(Ymm(t), Ymm(t), 8);
    vpacksswb(Xmm(t), Xmm(t), Xmm(t));
  } else {
    vpackusdw(Ymm(t), Ymm(t), Ymm(t));
    vpermq(Ymm(t), Ymm(t), 8);
    vpackuswb(Xmm(t), Xmm(t), Xmm(t));
  }
  if (at_.IsTail()) {
    StorePieces(Xmm(t), stream, across, at_.shape.tail);
  } else {
    vmovq(StreamAddress(stream, across), Xmm(t));
  }
}

}  // namespace cotangent::autodiff::codegen::jit
