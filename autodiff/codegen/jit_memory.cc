#include "autodiff/codegen/jit_memory.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"

namespace cotangent::autodiff::codegen::jit {

namespace {

constexpr int kAddressGprs[] = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3};

}  // namespace

MemoryEmitter::MemoryEmitter(const KernelPlan& plan, int spill_slots)
    : CodeGenerator(4096, Xbyak::AutoGrow, static_cast<Xbyak::Allocator*>(this)),
      plan_(plan),
      spill_slots_(spill_slots) {
  for (const Stream& stream : plan.streams) streams_.push_back({stream});
  LayOutFrame();
}

const MemoryEmitter::Walk& MemoryEmitter::Find(bool is_store, int slot) const {
  return *std::find_if(streams_.begin(), streams_.end(), [&](const Walk& stream) {
    return stream.is_store == is_store && stream.slot == slot;
  });
}

int MemoryEmitter::AllocateFrame(int bytes) {
  const int offset = frame_size_;
  frame_size_ += bytes;
  return offset;
}

void MemoryEmitter::LayOutFrame() {
  saved_rsp_ = AllocateFrame(8);
  rows_slot_ = AllocateFrame(8);
  block_rows_slot_ = AllocateFrame(8);
  size_t gprs = 0;
  for (Walk& stream : streams_) {
    stream.gpr = gprs < std::size(kAddressGprs) ? kAddressGprs[gprs++] : -1;
    stream.address = AllocateFrame(8);
    stream.stride = AllocateFrame(8);
    stream.block = AllocateFrame(8);
    stream.ahead = AllocateFrame(8);
  }
  for (int i = 0; i < plan_.program.num_channels(); ++i) {
    channel_gpr_.push_back(
        plan_.channel_used[i] && gprs < std::size(kAddressGprs) ? kAddressGprs[gprs++] : -1);
    channel_pointer_.push_back(AllocateFrame(8));
  }
  for (size_t i = 0; i < plan_.program.sums().size(); ++i) sum_pointer_.push_back(AllocateFrame(8));
  frame_size_ = (frame_size_ + 63) / 64 * 64;
  for (int i = 0; i < plan_.program.num_scalars(); ++i) {
    scalar_slot_.push_back(AllocateFrame(plan_.avx512 ? 4 : 4 * plan_.width));
  }
  frame_size_ = (frame_size_ + 63) / 64 * 64;
  sum_area_ =
      AllocateFrame(static_cast<int>(plan_.program.sums().size()) * kMostCopies * 4 * plan_.width);
  spill_area_ = AllocateFrame(spill_slots_ * 4 * plan_.width);
}

void MemoryEmitter::Prologue() {
  for (const Reg64& reg : {rbx, rbp, r12, r13, r14, r15}) push(reg);
  mov(rax, rsp);
  sub(rsp, frame_size_ + 64);
  and_(rsp, -64);
  mov(ptr[rsp + saved_rsp_], rax);
  mov(rax, ptr[rsi + offsetof(KernelCall, rows)]);
  mov(ptr[rsp + rows_slot_], rax);
  if (plan_.program.num_scalars() > 0) mov(rdx, ptr[rsi + offsetof(KernelCall, scalars)]);
  for (int i = 0; i < plan_.program.num_scalars(); ++i) {
    if (plan_.avx512) {
      mov(eax, ptr[rdx + 4 * i]);
      mov(dword[rsp + scalar_slot_[i]], eax);
    } else {
      vbroadcastss(ymm0, ptr[rdx + 4 * i]);
      vmovups(ptr[rsp + scalar_slot_[i]], ymm0);
    }
  }
  if (!sum_pointer_.empty()) mov(rdx, ptr[rsi + offsetof(KernelCall, sums)]);
  for (size_t i = 0; i < sum_pointer_.size(); ++i) {
    mov(rax, ptr[rdx + 8 * i]);
    mov(ptr[rsp + sum_pointer_[i]], rax);
  }
  for (const Walk& stream : streams_) {
    const int list = stream.is_store ? offsetof(KernelCall, stores) : offsetof(KernelCall, loads);
    mov(rdx, ptr[rsi + list]);
    mov(rax, ptr[rdx + 8 * stream.slot]);
    mov(ptr[rsp + stream.block], rax);
    if (plan_.columns == 0) continue;
    const int strides =
        stream.is_store ? offsetof(KernelCall, store_strides) : offsetof(KernelCall, load_strides);
    mov(rdx, ptr[rsi + strides]);
    mov(rax, ptr[rdx + 8 * stream.slot]);
    mov(ptr[rsp + stream.stride], rax);
    LoadAhead(stream);
  }
  LoadInvariantPointers();
}

void MemoryEmitter::LoadAhead(const Walk& stream) {
  Label none;
  mov(rdx, ptr[rsi + (stream.is_store ? offsetof(KernelCall, store_aheads)
                                      : offsetof(KernelCall, load_aheads))]);
  xor_(eax, eax);
  test(rdx, rdx);
  jz(none);
  mov(rax, ptr[rdx + 8 * stream.slot]);
  L(none);
  mov(ptr[rsp + stream.ahead], rax);
}

void MemoryEmitter::LoadInvariantPointers() {
  // Copies all addresses to the frame before any register gets one, because one of these registers
  // may be rsi, which holds the KernelCall.
  bool any = false;
  for (int i = 0; i < plan_.program.num_channels(); ++i) {
    if (!plan_.channel_used[i]) continue;
    if (!any) mov(rdx, ptr[rsi + offsetof(KernelCall, channels)]);
    any = true;
    mov(rax, ptr[rdx + 8 * i]);
    mov(ptr[rsp + channel_pointer_[i]], rax);
  }
  for (int i = 0; i < plan_.program.num_channels(); ++i) {
    if (channel_gpr_[i] >= 0) mov(Reg64(channel_gpr_[i]), ptr[rsp + channel_pointer_[i]]);
  }
}

void MemoryEmitter::Epilogue() {
  if (streaming_) sfence();
  mov(rsp, ptr[rsp + saved_rsp_]);
  for (const Reg64& reg : {r15, r14, r13, r12, rbp, rbx}) pop(reg);
  vzeroupper();
  ret();
}

void MemoryEmitter::CheckStreamingAlignment(Label& misaligned) {
  for (const Walk& stream : streams_) {
    if (!stream.is_store || plan_.program.outputs()[stream.slot].hint != StoreHint::kStreaming)
      continue;
    mov(rax, ptr[rsp + stream.block]);
    if (plan_.columns != 0) or_(rax, ptr[rsp + stream.stride]);
    test(al, stream.size * plan_.width - 1);
    jnz(misaligned, T_NEAR);
  }
}

void MemoryEmitter::LoadPointers(bool at_column) {
  for (const Walk& stream : streams_) {
    const Reg64 reg(stream.gpr >= 0 ? stream.gpr : 0);
    mov(reg, ptr[rsp + stream.block]);
    if (at_column) lea(reg, ptr[reg + rbp * stream.size]);
    if (stream.gpr < 0) mov(ptr[rsp + stream.address], reg);
  }
}

MemoryEmitter::Address MemoryEmitter::StreamAddress(const Walk& stream, int across, int offset) {
  const Reg64 base(stream.gpr >= 0 ? stream.gpr : 0);
  if (stream.gpr < 0) {
    mov(base, ptr[rsp + (plan_.columns == 0 ? stream.block : stream.address)]);
  }
  const int displacement = across * plan_.width * stream.size + offset;
  if (plan_.columns == 0) return ptr[base + rbp * stream.size + displacement];
  return ptr[base + displacement];
}

void MemoryEmitter::AdvanceStream(const Walk& stream) {
  if (plan_.columns == 0 || !at_.IsLastColumn()) return;
  if (column_index_) PrefetchStream(stream);
  if (stream.gpr >= 0) {
    add(Reg64(stream.gpr), ptr[rsp + stream.stride]);
  } else {
    mov(rax, ptr[rsp + stream.stride]);
    add(ptr[rsp + stream.address], rax);
  }
}

// Emits prefetches of the memory that lies, from the vectors of the loop's body in this row, at the
// distance in bytes that the stack frame holds at Walk::ahead.
void MemoryEmitter::PrefetchStream(const Walk& stream) {
  if (stream.gpr >= 0) {
    mov(rax, ptr[rsp + stream.ahead]);
    add(rax, Reg64(stream.gpr));
  } else {
    mov(rax, ptr[rsp + stream.address]);
    add(rax, ptr[rsp + stream.ahead]);
  }
  for (int byte = 0; byte < at_.shape.across * plan_.width * stream.size; byte += 64) {
    if (stream.is_store) {
      prefetchw(ptr[rax + byte]);
    } else {
      prefetcht0(ptr[rax + byte]);
    }
  }
}

void MemoryEmitter::LoadFloats(const Xmm& to, const Address& from) {
  if (!at_.IsTail()) {
    vmovups(to, from);
  } else if (plan_.avx512) {
    vmovups(to | Opmask(kTailMask) | T_z, from);
  } else {
    // `to` holds the mask first and then the result.
    vmovups(to, LaneMaskAddress(at_.shape.tail));
    vmaskmovps(to, to, from);
  }
}

bool MemoryEmitter::HasInvariantAddress(Value v) const {
  if (!plan_.IsInvariant(v)) return false;
  return !(plan_.instructions[v].opcode == Opcode::kLoadChannel && at_.IsTail());
}

MemoryEmitter::Address MemoryEmitter::InvariantAddress(Value v) {
  const Instruction& i = plan_.instructions[v];
  switch (i.opcode) {
    case Opcode::kConstant:
      return ConstantAddress(i.bits);
    case Opcode::kLoadScalar:
      return plan_.avx512 ? ptr_b[rsp + scalar_slot_[i.slot]] : ptr[rsp + scalar_slot_[i.slot]];
    default: {
      const Reg64 base(channel_gpr_[i.slot] >= 0 ? channel_gpr_[i.slot] : 2);
      if (channel_gpr_[i.slot] < 0) mov(base, ptr[rsp + channel_pointer_[i.slot]]);
      const int displacement = (at_.column()) * plan_.width * 4;
      return column_index_ ? ptr[base + rbp * 4 + displacement] : ptr[base + displacement];
    }
  }
}

void MemoryEmitter::LoadInvariant(Value v, int reg) {
  const Instruction& i = plan_.instructions[v];
  if (i.opcode == Opcode::kConstant && i.bits == 0) {
    if (reg < 16) {
      vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
    } else {
      vpxord(Xmm(reg), Xmm(reg), Xmm(reg));
    }
  } else if (i.opcode == Opcode::kLoadChannel) {
    LoadFloats(Vector(reg), InvariantAddress(v));
  } else if (i.opcode == Opcode::kConstant) {
    if (plan_.avx512) {
      vbroadcastss(Vector(reg), ptr[rip + constants_[i.bits]]);
    } else {
      vmovups(Vector(reg), ConstantAddress(i.bits));
    }
  } else if (plan_.avx512) {
    vbroadcastss(Vector(reg), ptr[rsp + scalar_slot_[i.slot]]);
  } else {
    vmovups(Vector(reg), ptr[rsp + scalar_slot_[i.slot]]);
  }
}

MemoryEmitter::Address MemoryEmitter::ConstantAddress(uint32_t bits) {
  if (plan_.avx512) return ptr_b[rip + constants_[bits]];
  return FullConstantAddress(std::vector<uint32_t>(plan_.width, bits));
}

MemoryEmitter::Address MemoryEmitter::FullConstantAddress(const std::vector<uint32_t>& lanes) {
  return ptr[rip + full_constants_[lanes]];
}

MemoryEmitter::Address MemoryEmitter::LaneMaskAddress(int lanes) {
  std::vector<uint32_t> mask(plan_.width);
  std::fill_n(mask.begin(), lanes, ~0u);
  return FullConstantAddress(mask);
}

void MemoryEmitter::BroadcastConstant(const Xmm& to, uint32_t bits) {
  vpbroadcastd(to, ptr[rip + constants_[bits]]);
}

void MemoryEmitter::AdvanceBlock(const Walk& stream) {
  mov(rax, ptr[rsp + stream.stride]);
  imul(rax, ptr[rsp + block_rows_slot_]);
  add(ptr[rsp + stream.block], rax);
}

void MemoryEmitter::EmitConstants() {
  align(64);
  for (auto& [lanes, label] : full_constants_) {
    L(label);
    for (const uint32_t lane : lanes) dd(lane);
  }
  for (auto& [bits, label] : constants_) {
    L(label);
    dd(bits);
  }
}

}  // namespace cotangent::autodiff::codegen::jit
