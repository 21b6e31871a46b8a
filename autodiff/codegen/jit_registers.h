// Decides, for a vector kernel (machine code that applies a VectorProgram to rows of elements in a
// loop; vector_kernel.h), which value is in which register. Of the values that do not change from
// row to row, as many as there is room for are loaded into registers before the loop; these values
// are called pinned. All other values get registers while the loop's body is emitted. If no
// register is free, the value that is next read farthest in the future loses its register, and is
// kept in memory (Belady 1966: in straight-line code this leads to the fewest loads).
//
// A body works on several vectors at once, its "copies"; a Shape tells how they are arranged in
// rows and columns (jit_plan.h).
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_REGISTERS_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_REGISTERS_H_

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "autodiff/codegen/jit_memory.h"

namespace cotangent::autodiff::codegen::jit {

class RegisterEmitter : public MemoryEmitter {
 public:
  int spill_slots_used() const { return spill_slots_used_; }

 protected:
  // An operand, which is in a register or in memory.
  struct Source {
    std::optional<Address> memory;
    Xmm reg;
    const Xbyak::Operand& operand() const {
      return memory ? static_cast<const Xbyak::Operand&>(*memory) : reg;
    }
  };

  using MemoryEmitter::MemoryEmitter;

  // ---- Before the loop: values that stay in registers throughout it ----

  // Marks all registers as empty and pins values to those that the copies of this shape leave free:
  // first the running sums, then the values whose loads cost most.
  void PinRegisters(const Shape& shape);
  // Emits code that loads the pinned values.
  void LoadPinned(const Shape& shape);

  // ---- In the body, for the step and the copy that are being emitted (at_) ----
  void BeginBody() { next_spill_ = 0; }
  void EndBody();
  // Ends a step. Until then, registers that Read(), Define() and Scratch() returned are not given
  // to another value, unless Release(), DefineAfter() or Replace() takes them from their value.
  void EndStep() { locked_.clear(); }

  // Returns the number of the register that holds the value. Emits a load if the value is not in a
  // register.
  int Read(Value v);
  // Like Read(), but returns the value's address if the value is in memory and an instruction can
  // read it from there.
  Source ReadAny(Value v);
  // Returns whether the value is in memory and not in a register at present.
  bool FromMemory(Value v) const;
  // Returns whether the value changes from row to row and nothing reads it after the current step
  // of the current copy.
  bool DiesHere(Value v) const { return !plan_.IsInvariant(v) && NextUse(Key(v)) == kNever; }
  // Makes the value's register free and forgets the value, unless it is pinned.
  void Release(Value v);
  // Returns the number of a register for the value that the step computes.
  int Define(Value v);
  // Like Define(), for a step that is a single instruction: the result may get the register of an
  // operand that nothing reads afterwards.
  int DefineAfter(Value v, const Instruction& i);
  // Gives the register of `dying`, which nothing reads any more, to the value that the step
  // computes.
  void Replace(Value dying, Value v);
  // Returns the number of a vector register that the current step may overwrite.
  int Scratch() { return Allocate(false); }

  // ---- Registers of running sums ----

  // Each sum of the program has a running sum for each copy. If registers are scarce, a sum has
  // only one running sum for each column of the body (SumsByColumn()); if registers are scarcer
  // still, these running sums are in memory.
  bool SumsInMemory() const { return sums_in_memory_; }
  bool SumsByColumn() const { return sum_copies_ == at_.shape.across; }
  int sum_copies() const { return sum_copies_; }
  int SumRegister(int sum, int copy) const { return sum_registers_[sum * sum_copies_ + copy]; }
  const std::vector<int>& sum_registers() const { return sum_registers_; }

 private:
  struct Place {
    int reg = -1;    // the register that holds the value; -1: none
    int spill = -1;  // the place in the frame's area for spilled vectors; -1: none
    bool pinned = false;
  };

  // Returns the number by which places_ and owner_ identify the current copy's instance of a value.
  int Key(Value v) const;
  // Returns when the value with this key is next read, as the index of the step times the number
  // of copies, plus the key's copy; kNever if it is not read again.
  int NextUse(int key) const;
  // Returns a vector register or, if `mask`, a mask register, that the current step does not use,
  // and locks it for the step. Evict() frees a register: the value in it is kept in memory.
  int Allocate(bool mask);
  void Evict(bool mask, int reg);
  int PinSums(const Shape& shape, int room);
  void PinInvariants(const Shape& shape, int room, int next);
  std::vector<Value> InvariantsByBenefit(const Shape& shape) const;

  std::map<int, Place> places_;  // by key
  // For each vector register (owner_[0]) and mask register (owner_[1]): the key of the value in it,
  // or kFree or kReserved.
  static constexpr int kFree = -1, kReserved = -2;
  std::vector<int> owner_[2];
  std::vector<std::pair<bool, int>> locked_;  // whether it is a mask register, and its number
  std::vector<Value> pinned_;
  std::vector<int> sum_registers_;
  bool sums_in_memory_ = false;
  int sum_copies_ = 1;
  int next_spill_ = 0, spill_slots_used_ = 0;
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_REGISTERS_H_
