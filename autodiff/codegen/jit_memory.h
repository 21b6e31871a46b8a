// Emits the code by which a vector kernel (machine code that applies a VectorProgram to rows of
// elements; vector_kernel.h) addresses its memory: the stack frame, the arrays that the loop walks
// along, operands that do not change from row to row, and constants. This is the lowest layer of
// the code generator; the layers above it use its addresses.
//
// General registers in the generated code: rdi and rsi hold the arguments (the kernel and the
// KernelCall) at entry; rax and rdx are scratch; rcx counts rows or elements; rbp holds the column.
// The other registers hold addresses, as do rdi and rsi after entry. The loop works on the rows in
// blocks: it finishes one block of rows before it goes on to the next (vector_jit.cc). A flat
// kernel is one whose data is a single long row.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_MEMORY_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_MEMORY_H_

#include <xbyak/xbyak.h>

#include <cstdint>
#include <map>
#include <vector>

#include "autodiff/codegen/jit_plan.h"

namespace cotangent::autodiff::codegen::jit {

// Mask registers of AVX-512.
inline constexpr int kTailMask = 1;  // k1: the lanes of a row's last vector that belong to the row
inline constexpr int kScratchMask = 2;  // k2: for temporary masks

// Allocates the buffer that the assembler writes to. The finished code is copied out of the buffer,
// so the buffer is never executable.
class PlainMemory : public Xbyak::Allocator {
 public:
  bool useProtect() const override { return false; }
};

// The step of the loop's body (jit_plan.h) that is being emitted, and the vector ("copy") for which
// it is emitted: the body works on several vectors at once, and a step is emitted for each of them.
struct Position {
  Shape shape;
  int step = 0, copy = 0;

  // Returns the column of the copy's vector in the loop's body, counted in vectors.
  int column() const { return copy % shape.across; }
  bool IsLastColumn() const { return column() == shape.across - 1; }
  // Returns whether the copy's vector is the last of a row and only some of its lanes belong to the
  // row.
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

  // A stream (an input or output array), and where the generated code keeps its address. Offsets
  // are in bytes from the start of the stack frame.
  struct Walk : Stream {
    int gpr = -1;     // register that holds the address; -1: the address is in the frame
    int address = 0;  // offset of the address if it has no register
    int stride = 0;   // offset of the distance to the next row
    int block = 0;    // offset of the address of the block of rows, at column 0
    int ahead = 0;    // offset of the distance to the memory to prefetch
  };

  // `spill_slots` is the number of vectors that the frame has room for when registers run out.
  MemoryEmitter(const KernelPlan& plan, int spill_slots);

  // ---- Entry and exit of the generated function ----

  // Emits code that saves registers, makes the stack frame, copies the contents of the KernelCall
  // into it, and loads the addresses of channel operands that have a register.
  void Prologue();
  void Epilogue();
  // Emits a jump to `misaligned`, taken if an output that asks for non-temporal stores does not
  // have the aligned addresses that such stores need.
  void CheckStreamingAlignment(Label& misaligned);
  // Emits code that sets the address of each stream to the first row of the current block of rows:
  // to column rbp if `at_column`, otherwise to the first column.
  void LoadPointers(bool at_column);

  // ---- Streams; AdvanceStream() and LoadFloats() emit code for the vector of at_ ----
  const Walk& Input(int slot) const { return Find(false, slot); }
  const Walk& Output(int slot) const { return Find(true, slot); }
  // Returns the address of the vector with index `across` in the row of the body, plus `offset`
  // bytes. The emitted code may change rax.
  Address StreamAddress(const Walk& stream, int across, int offset = 0);
  // If this vector is the last in a row of the body, emits code that prefetches, if rows are
  // processed in groups of columns, and moves the stream's address to the next row. Does nothing in
  // a flat kernel.
  void AdvanceStream(const Walk& stream);
  // Emits a load of a vector of 4-byte elements. If only some lanes of the vector belong to the
  // row, the load does not touch memory beyond the row, and the other lanes become 0.
  void LoadFloats(const Xmm& to, const Address& from);

  // ---- Operands that do not change from row to row, and the contents of the frame ----

  // Returns whether the value does not change from row to row and an instruction can read it from
  // memory for the vector that is being emitted.
  bool HasInvariantAddress(Value v) const;
  Address InvariantAddress(Value v);  // the emitted code may change rdx
  // Emits code that loads the value into vector register `reg`.
  void LoadInvariant(Value v, int reg);
  // ConstantAddress() returns the address of a constant with the same bits in every lane, and
  // FullConstantAddress() that of a constant with separate bits for each lane.
  Address ConstantAddress(uint32_t bits);
  Address FullConstantAddress(const std::vector<uint32_t>& lanes);
  // Returns the address of a constant with all bits set in the first `lanes` lanes and none in the
  // others.
  Address LaneMaskAddress(int lanes);
  void BroadcastConstant(const Xmm& to, uint32_t bits);
  Address SpillAddress(int slot) { return ptr[rsp + spill_area_ + slot * 4 * plan_.width]; }
  Address SumAddress(int sum, int across) {
    return ptr[rsp + sum_area_ + (sum * at_.shape.across + across) * 4 * plan_.width];
  }
  // Return the places in the frame of the addresses of the caller's sums, of the number of rows
  // left, and of the number of rows in the current block.
  Address SumPointer(size_t sum) { return ptr[rsp + sum_pointer_[sum]]; }
  Address RowsLeft() { return qword[rsp + rows_slot_]; }
  Address BlockRows() { return qword[rsp + block_rows_slot_]; }
  void AdvanceBlock(const Walk& stream);  // moves on by BlockRows() rows; changes rax
  void EmitConstants();

  // Returns the vector register with the number `reg` in full width: zmm for AVX-512, ymm for AVX2.
  Xmm Vector(int reg) const {
    return plan_.avx512 ? static_cast<Xmm>(Zmm(reg)) : static_cast<Xmm>(Ymm(reg));
  }

  const KernelPlan& plan_;
  Position at_;
  std::vector<Walk> streams_;
  bool streaming_ = false;     // whether the loops being generated use non-temporal stores
  bool column_index_ = false;  // whether rbp holds the column, or the element of a flat kernel

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
