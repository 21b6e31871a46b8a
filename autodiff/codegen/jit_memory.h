// The memory of a vector kernel, and the registers that point at it: the stack frame, the arrays
// that the loop walks along, operands that do not change, constants. The lowest layer of the code
// generator; those above it emit by its addresses.
//
// Registers: rdi and rsi are the arguments, rax and rdx scratch, rcx counts, rbp is the column; the
// others hold addresses.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_MEMORY_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_MEMORY_H_

#include <xbyak/xbyak.h>

#include <cstdint>
#include <map>
#include <vector>

#include "autodiff/codegen/jit_plan.h"

namespace cotangent::autodiff::codegen::jit {

inline constexpr int kTailMask = 1;     // k1: lanes of the last vector that belong to the row
inline constexpr int kScratchMask = 2;  // k2

// The memory the assembler writes to is never executed: the finished code is copied out.
class PlainMemory : public Xbyak::Allocator {
 public:
  bool useProtect() const override { return false; }
};

// Which copy of which step is being emitted.
struct Position {
  Shape shape;
  int step = 0, copy = 0;

  int column() const { return copy % shape.across; }  // of the copy's vector, in vectors
  bool IsLastColumn() const { return column() == shape.across - 1; }
  // Whether the copy's vector is a row's last and only partly the row's.
  bool IsTail() const { return shape.tail != 0 && IsLastColumn(); }
};

class MemoryEmitter : private PlainMemory, public Xbyak::CodeGenerator {
 protected:
  using Address = Xbyak::Address;
  using Label = Xbyak::Label;
  using Opmask = Xbyak::Opmask;
  using Reg64 = Xbyak::Reg64;
  using Xmm = Xbyak::Xmm;
  using Ymm = Xbyak::Ymm;
  using Zmm = Xbyak::Zmm;

  // A stream with where its address is at run time. Offsets are those in the frame.
  struct Walk : Stream {
    int gpr = -1;     // register that holds the address; -1: it is in the frame
    int address = 0;  // offset of the address, without a register
    int stride = 0;   // offset of the distance to the next row
    int block = 0;    // offset of the address of the block of rows, at column 0
    int ahead = 0;    // offset of the distance to what is prefetched
  };

  // spill_slots: vectors that the frame has room for besides.
  MemoryEmitter(const KernelPlan& plan, int spill_slots);

  // ---- Entry and exit ----
  // Saves registers, makes the frame and copies there what the call holds.
  void Prologue();
  void Epilogue();
  // Jumps where a stream with non-temporal stores, which want aligned addresses, has none.
  void CheckStreamingAlignment(Label& misaligned);
  // Points streams at the block of rows, from column rbp on or from its first.
  void LoadPointers(bool at_column);

  // ---- Streams, at the position ----
  const Walk& Input(int slot) const { return Find(false, slot); }
  const Walk& Output(int slot) const { return Find(true, slot); }
  Address StreamAddress(const Walk& stream, int across, int offset = 0);
  // After the last vector of a row: on to the next row.
  void AdvanceStream(const Walk& stream);
  // Loads a vector of floats, of a row's last only the lanes that belong to the row.
  void LoadFloats(const Xmm& to, const Address& from);

  // ---- Operands that do not change, and what the frame holds ----
  // Whether an instruction can read the value from memory at the position.
  bool HasInvariantAddress(Value v) const;
  Address InvariantAddress(Value v);  // changes rdx
  void LoadInvariant(Value v, int reg);
  // Bits in every lane, or in each its own.
  Address ConstantAddress(uint32_t bits);
  Address FullConstantAddress(const std::vector<uint32_t>& lanes);
  // All bits set in the first `lanes` lanes.
  Address LaneMaskAddress(int lanes);
  void BroadcastConstant(const Xmm& to, uint32_t bits);
  Address SpillAddress(int slot) { return ptr[rsp + spill_area_ + slot * 4 * plan_.width]; }
  Address SumAddress(int sum, int across) {
    return ptr[rsp + sum_area_ + (sum * at_.shape.across + across) * 4 * plan_.width];
  }
  // Where the addresses of the caller's sums and the numbers of rows are.
  Address SumPointer(size_t sum) { return ptr[rsp + sum_pointer_[sum]]; }
  Address RowsLeft() { return qword[rsp + rows_slot_]; }
  Address BlockRows() { return qword[rsp + block_rows_slot_]; }
  void AdvanceBlock(const Walk& stream);  // by BlockRows() rows; changes rax
  void EmitConstants();

  // Register `reg` as a whole vector.
  Xmm Vector(int reg) const {
    return plan_.avx512 ? static_cast<Xmm>(Zmm(reg)) : static_cast<Xmm>(Ymm(reg));
  }

  const KernelPlan& plan_;
  Position at_;
  std::vector<Walk> streams_;
  bool streaming_ = false;     // the loops being generated use non-temporal stores
  bool column_index_ = false;  // rbp holds the column, or the element of a flat kernel

 private:
  int AllocateFrame(int bytes);
  void LayOutFrame();
  void LoadAhead(const Walk& stream);
  void LoadInvariantPointers();
  const Walk& Find(bool is_store, int slot) const;
  void PrefetchStream(const Walk& stream);

  const int spill_slots_;
  std::vector<int> channel_gpr_, channel_pointer_, scalar_slot_, sum_pointer_;
  int frame_size_ = 0, rows_slot_ = 0, block_rows_slot_ = 0, saved_rsp_ = 0;
  int spill_area_ = 0, sum_area_ = 0;
  std::map<uint32_t, Label> constants_;
  std::map<std::vector<uint32_t>, Label> full_constants_;
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_MEMORY_H_
