// Which value is in which register. What does not change from row to row is pinned to registers
// before the loop as far as there is room; the rest are given out while the body is emitted. Where
// there is none left, the value whose next use is farthest gives way (Belady 1966), which for
// straight-line code is as good as it gets.
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
  // An operand in a register or in memory.
  struct Source {
    std::optional<Address> memory;
    Xmm reg;
    const Xbyak::Operand& operand() const {
      return memory ? static_cast<const Xbyak::Operand&>(*memory) : reg;
    }
  };

  using MemoryEmitter::MemoryEmitter;

  // ---- Before the loop ----
  // Empties all registers and hands out those that copies of this shape leave over: running sums
  // first, then what saves most loads.
  void PinRegisters(const Shape& shape);
  void LoadPinned(const Shape& shape);

  // ---- In the body, at the position ----
  void BeginBody() { next_spill_ = 0; }
  void EndBody();
  // Registers that Read(), Define() and Scratch() give stay what they are until then.
  void EndStep() { locked_.clear(); }

  // The register that holds the value, loaded if need be.
  int Read(Value v);
  // The same, or the value's address where it is not in a register.
  Source ReadAny(Value v);
  // Whether the value is at present to be had from memory only.
  bool FromMemory(Value v) const;
  // Whether nothing reads the value after the current step of the current copy.
  bool DiesHere(Value v) const { return !plan_.IsInvariant(v) && NextUse(Key(v)) == kNever; }
  void Release(Value v);
  // A register for the value that is computed.
  int Define(Value v);
  // The same for operations of one instruction: operands that end here may give theirs.
  int DefineAfter(Value v, const Instruction& i);
  // Gives the register of `dying`, which nothing reads any more, to the value that is computed.
  void Replace(Value dying, Value v);
  int Scratch() { return Allocate(false); }

  // ---- Running sums ----
  // By sum and copy, or by sum and column where registers are scarce (SumsByColumn()); in memory
  // where they are scarcer.
  bool SumsInMemory() const { return sums_in_memory_; }
  bool SumsByColumn() const { return sum_copies_ == at_.shape.across; }
  int sum_copies() const { return sum_copies_; }
  int SumRegister(int sum, int copy) const { return sum_registers_[sum * sum_copies_ + copy]; }
  const std::vector<int>& sum_registers() const { return sum_registers_; }

 private:
  struct Place {
    int reg = -1;
    int spill = -1;
    bool pinned = false;
  };

  // Of a value in the current copy.
  int Key(Value v) const;
  // When the value is next read after the current step of the current copy, in steps times copies.
  int NextUse(int key) const;
  int Allocate(bool mask);
  void Evict(bool mask, int reg);
  int PinSums(const Shape& shape, int room);
  void PinInvariants(const Shape& shape, int room, int next);
  std::vector<Value> InvariantsByBenefit(const Shape& shape) const;

  std::map<int, Place> places_;  // by key
  // Keys of the values in vector registers and in mask registers, or one of these.
  static constexpr int kFree = -1, kReserved = -2;
  std::vector<int> owner_[2];
  std::vector<std::pair<bool, int>> locked_;  // whether a mask register, and which
  std::vector<Value> pinned_;
  std::vector<int> sum_registers_;
  bool sums_in_memory_ = false;
  int sum_copies_ = 1;
  int next_spill_ = 0, spill_slots_used_ = 0;
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_REGISTERS_H_
