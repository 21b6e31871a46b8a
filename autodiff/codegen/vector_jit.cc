// From a VectorProgram to machine code.
//
// The program is straight-line, so is the body of the loop: the scheduled operations, each emitted
// for several vectors at once ("copies") so that the latency of one hides behind the others. Copies
// lie side by side in a row (up to `across`), and in successive rows (`down`). What does not change
// from row to row (constants, scalars, channel operands, running sums) stays in registers as far as
// there is room, and is a memory operand beyond. A register allocator that walks along with the
// emission evicts the value whose next use is farthest (Belady 1966), which for straight-line code
// is as good as it gets.
//
// A row wider than one body is cut into groups of columns, and the rows into blocks that stay in
// the first-level cache while the groups pass over them:
//
//   for each block of rows
//     for each group of columns           channels and sums into registers
//       for each `down` rows, then for each row left over: body
//
// Walking so, no line of memory follows its neighbour and the processor foresees none of them:
// every body asks for what the caller says comes later (KernelCall's aheads).
//
// A flat kernel is one loop over vectors, then one for single vectors, then the masked rest.

#include "autodiff/codegen/vector_jit.h"

#include <xbyak/xbyak.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cotangent::autodiff::codegen {
namespace {

using Xbyak::Address;
using Xbyak::Label;
using Xbyak::Opmask;
using Xbyak::Reg64;
using Xbyak::Xmm;
using Xbyak::Ymm;
using Xbyak::Zmm;

// Of a body: keys of values leave room for this many.
constexpr int kMostCopies = 4;
constexpr int kNever = std::numeric_limits<int>::max();
constexpr uint32_t kSignBit = 0x80000000;

// A step of the body: a value to compute, an output to store or a sum to add to.
struct Step {
  enum Kind { kCompute, kStore, kSum } kind;
  Value value;
  int slot = 0;
};

// The body's shape.
struct Shape {
  int across = 1;  // vectors side by side
  int down = 1;    // rows
  int tail = 0;    // lanes of the last vector of a row that belong to it; 0: all
  int copies() const { return across * down; }
};

// An array the loop walks along: an input or an output.
struct Stream {
  bool is_store;
  int slot;
  int size;         // of an element
  int gpr = -1;     // register that holds the address, -1: in the frame
  int address = 0;  // frame offsets
  int stride = 0;
  int block = 0;  // address of the block of rows, at column 0
  int ahead = 0;  // distance to what is prefetched
};

// The memory the assembler writes to is never executed: the finished code is copied out.
class PlainMemory : public Xbyak::Allocator {
 public:
  bool useProtect() const override { return false; }
};

class Assembler : private PlainMemory, public Xbyak::CodeGenerator {
 public:
  Assembler(const VectorProgram& program, const KernelOptions& options, int spill_slots);

  void Assemble();

  int spill_slots_used() const { return spill_slots_used_; }
  MachineCode Take();

 private:
  // ---- Planning ----
  void ListSteps();
  int Peak() const;
  int MaskPeak() const;
  Shape ChooseShape(int vectors, int tail) const;
  void PinRegisters(const Shape& shape);
  bool IsInvariant(Value v) const;
  bool InMaskRegister(Value v) const { return avx512_ && program_.IsMask(v); }
  std::vector<Value> StepOperands(const Step& step) const;

  // ---- Frame and loops ----
  int Frame(int bytes);
  void LayOutFrame();
  void Prologue();
  void Epilogue();
  void LoadAhead(const Stream& stream);
  void LoadInvariantPointers();
  void CheckStreamingAlignment(Label& misaligned);
  void Loops();
  void FlatLoops();
  void ColumnLoops();
  void Group(const Shape& shape);
  void LoadPointers(bool at_column);
  void Rows(const Shape& shape);
  void InitializeSums(const Shape& shape);
  void MergeSums(const Shape& shape);
  void FinishSums(const Shape& shape);
  void FinishFlatSums(const Shape& shape);
  void LoadPinned(const Shape& shape);
  void SetTailMask(int lanes);

  // ---- The body ----
  void Body(const Shape& shape);
  void EmitStep(const Step& step);
  void EmitCompute(Value v, const Instruction& i);
  void EmitFma(Value v, const Instruction& i);
  void EmitScale(Value v, const Instruction& i);
  void EmitCompare(Value v, const Instruction& i);
  void EmitSelect(Value v, const Instruction& i);
  void EmitMaskOperation(Value v, const Instruction& i);
  void EmitLoad(Value v, const Instruction& i);
  void EmitStore(const Step& step);
  void EmitSum(const Step& step);

  // ---- Elements in memory ----
  Address StreamAddress(const Stream& stream, int across, int offset = 0);
  void AdvanceStream(const Stream& stream);
  void PrefetchStream(const Stream& stream);
  bool IsTail() const { return shape_.tail != 0 && copy_ % shape_.across == shape_.across - 1; }
  void LoadFloats(const Xmm& to, const Address& from);
  void LoadPieces(const Xmm& to, const Stream& stream, int across, int bytes);
  void StorePieces(const Xmm& from, const Stream& stream, int across, int bytes);
  void RoundToBf16(const Xmm& result, const Xmm& x);

  // ---- Registers ----
  struct Place {
    int reg = -1;
    int spill = -1;
    bool pinned = false;
  };
  struct Source {
    std::optional<Address> memory;
    Xmm reg;
    const Xbyak::Operand& operand() const {
      return memory ? static_cast<const Xbyak::Operand&>(*memory) : reg;
    }
  };
  int Key(Value v) const;
  int NextUse(int key) const;
  bool DiesHere(Value v) const { return !IsInvariant(v) && NextUse(Key(v)) == kNever; }
  int Allocate(bool mask);
  int Scratch() { return scratch_.emplace_back(Allocate(false)); }
  void Evict(bool mask, int reg);
  int Read(Value v);
  Source ReadAny(Value v);
  bool FromMemory(Value v) const;
  void LoadInvariant(Value v, int reg);
  Address InvariantAddress(Value v);
  bool HasInvariantAddress(Value v) const;
  void Release(Value v);
  void ReleaseOperands(const Instruction& i);
  int Define(Value v);
  int DefineAfter(Value v, const Instruction& i);
  void EndStep();

  Xmm Vector(int reg) const {
    return avx512_ ? static_cast<Xmm>(Zmm(reg)) : static_cast<Xmm>(Ymm(reg));
  }
  Address ConstantAddress(uint32_t bits);
  Address FullConstantAddress(const std::vector<uint32_t>& lanes);
  Address SpillAddress(int slot) { return ptr[rsp + spill_area_ + slot * 4 * width_]; }
  Address SumAddress(int sum, int across) {
    return ptr[rsp + sum_area_ + (sum * shape_.across + across) * 4 * width_];
  }
  void EmitConstants();

  const VectorProgram& program_;
  const std::vector<Instruction>& instructions_;
  const Isa isa_;
  const int columns_;
  const bool avx512_;
  const int width_;  // floats in a vector
  const int vector_registers_;

  std::vector<Step> steps_;
  std::vector<std::vector<int>> uses_;  // of each value: the steps that read it
  std::vector<Stream> streams_;
  std::vector<int> channel_gpr_, channel_pointer_, scalar_slot_, sum_pointer_;
  std::vector<bool> channel_used_;
  int frame_size_ = 0, rows_slot_ = 0, block_rows_slot_ = 0, saved_rsp_ = 0;
  int spill_area_ = 0, sum_area_ = 0;
  const int spill_slots_;
  int spill_slots_used_ = 0;
  int next_spill_ = 0;
  bool streaming_ = false;     // the loops being generated use non-temporal stores
  bool column_index_ = false;  // rbp holds the column, or the element of a flat kernel
  bool sums_in_memory_ = false;
  int sum_copies_ = 1;  // running sums per sum: shape's copies, or one per vector across

  // The state of the emission.
  Shape shape_;
  int step_ = 0, copy_ = 0;
  std::map<int, Place> places_;
  std::vector<int>
      owner_[2];  // key of the value in each vector and mask register, -1 free, -2 reserved
  std::vector<std::pair<bool, int>> locked_;
  std::vector<int> scratch_;
  std::vector<int> sum_registers_;
  std::vector<Value> pinned_;
  std::map<uint32_t, Label> constants_;
  std::map<std::vector<uint32_t>, Label> full_constants_;
  Shape main_shape_;
};

// Registers: rax and rdx are scratch, rcx counts, rbp is the column; the others hold addresses.
constexpr int kAddressGprs[] = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3};
constexpr int kTailMask = 1;     // k1
constexpr int kScratchMask = 2;  // k2

Assembler::Assembler(const VectorProgram& program, const KernelOptions& options, int spill_slots)
    : CodeGenerator(4096, Xbyak::AutoGrow, static_cast<Xbyak::Allocator*>(this)),
      program_(program),
      instructions_(program.instructions()),
      isa_(options.isa),
      columns_(options.columns),
      avx512_(options.isa >= Isa::kAvx512),
      width_(avx512_ ? 16 : 8),
      vector_registers_(avx512_ ? 32 : 16),
      spill_slots_(spill_slots) {
  ListSteps();
}

// ---------------------------------------------------------------- Planning

bool Assembler::IsInvariant(Value v) const {
  const Opcode opcode = instructions_[v].opcode;
  return opcode >= Opcode::kLoadChannel && opcode <= Opcode::kConstant;
}

std::vector<Value> Assembler::StepOperands(const Step& step) const {
  if (step.kind != Step::kCompute) return {step.value};
  std::vector<Value> operands;
  const Instruction& i = instructions_[step.value];
  for (const Value v : {i.a, i.b, i.c}) {
    if (v >= 0) operands.push_back(v);
  }
  return operands;
}

// Sums follow their values; stores wait for the last load, so that outputs may lie where inputs
// lay.
void Assembler::ListSteps() {
  const std::vector<Value> schedule = program_.Schedule();
  int loads_left = 0;
  for (const Value v : schedule) loads_left += instructions_[v].opcode == Opcode::kLoad;
  std::vector<bool> computed(instructions_.size()), stored(program_.outputs().size());
  const auto store_ready = [&] {
    for (size_t i = 0; loads_left == 0 && i < stored.size(); ++i) {
      const Value v = program_.outputs()[i].value;
      if (stored[i] || !(computed[v] || IsInvariant(v))) continue;
      stored[i] = true;
      steps_.push_back({Step::kStore, v, static_cast<int>(i)});
    }
  };
  const auto sum_of = [&](Value v) {
    for (size_t i = 0; i < program_.sums().size(); ++i) {
      if (program_.sums()[i] == v) steps_.push_back({Step::kSum, v, static_cast<int>(i)});
    }
  };
  for (const Value v : schedule) {
    if (!IsInvariant(v)) steps_.push_back({Step::kCompute, v});
    computed[v] = true;
    loads_left -= instructions_[v].opcode == Opcode::kLoad;
    sum_of(v);
    store_ready();
  }
  uses_.resize(instructions_.size());
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s) {
    for (const Value v : StepOperands(steps_[s])) {
      if (uses_[v].empty() || uses_[v].back() != s) uses_[v].push_back(s);
    }
  }
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s) {
    const Instruction& i = instructions_[steps_[s].value];
    if (steps_[s].kind == Step::kCompute && i.opcode == Opcode::kLoad) {
      streams_.push_back({false, i.slot, static_cast<int>(Bytes(i.type))});
    }
    if (steps_[s].kind == Step::kStore) {
      streams_.push_back(
          {true, steps_[s].slot, static_cast<int>(Bytes(program_.outputs()[steps_[s].slot].type))});
    }
  }
  channel_used_.resize(program_.num_channels());
  for (const Value v : schedule) {
    if (instructions_[v].opcode == Opcode::kLoadChannel)
      channel_used_[instructions_[v].slot] = true;
  }
}

// The most vector values alive at once, per copy.
int Assembler::Peak() const {
  int alive = 0, peak = 1;
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s) {
    const Step& step = steps_[s];
    int dying = 0;
    for (const Value v : StepOperands(step)) {
      if (!IsInvariant(v) && !InMaskRegister(v) && uses_[v].back() == s) ++dying;
    }
    const bool defines = step.kind == Step::kCompute && !InMaskRegister(step.value);
    peak = std::max(peak, alive);
    alive += (defines ? 1 : 0) - dying;
    peak = std::max(peak, alive);
  }
  return peak;
}

int Assembler::MaskPeak() const {
  int alive = 0, peak = 0;
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s) {
    if (steps_[s].kind == Step::kCompute && InMaskRegister(steps_[s].value)) ++alive;
    peak = std::max(peak, alive);
    for (const Value v : StepOperands(steps_[s])) {
      if (InMaskRegister(v) && uses_[v].back() == s) --alive;
    }
  }
  return peak;
}

Shape Assembler::ChooseShape(int vectors, int tail) const {
  const int sums = static_cast<int>(program_.sums().size());
  const int masks = MaskPeak();
  int copies = kMostCopies;
  while (copies > 1 &&
         (Peak() * copies + 2 + sums * std::min(copies, vectors) > vector_registers_ ||
          masks * copies > 5)) {
    --copies;
  }
  Shape shape;
  shape.tail = tail;
  shape.across = std::min(copies, vectors);
  // Rather no remainder than the widest body.
  for (int across = shape.across; across >= 2 && 2 * across > shape.across; --across) {
    if (vectors % across == 0) {
      shape.across = across;
      break;
    }
  }
  shape.down = std::max(1, copies / shape.across);
  return shape;
}

// Hands out the registers the copies leave over: running sums first, then what saves most loads.
void Assembler::PinRegisters(const Shape& shape) {
  shape_ = shape;
  owner_[0].assign(vector_registers_, -1);
  owner_[1].assign(8, -1);
  owner_[1][0] = owner_[1][kTailMask] = owner_[1][kScratchMask] = -2;
  places_.clear();
  pinned_.clear();
  sum_registers_.clear();
  int next = vector_registers_;
  int room = vector_registers_ - Peak() * shape.copies() - 3;

  const int sums = static_cast<int>(program_.sums().size());
  sum_copies_ = sums * shape.copies() <= room ? shape.copies() : shape.across;
  sums_in_memory_ = sums * sum_copies_ > std::max(room, 0) + 1;
  if (!sums_in_memory_) {
    for (int i = 0; i < sums * sum_copies_; ++i) {
      sum_registers_.push_back(--next);
      owner_[0][next] = -2;
    }
    room -= sums * sum_copies_;
  }

  std::vector<std::pair<int, Value>> wishes;  // benefit per register, value
  for (Value v = 0; v < static_cast<Value>(instructions_.size()); ++v) {
    if (!IsInvariant(v) || uses_[v].empty()) continue;
    int benefit = 0;
    for (const int s : uses_[v]) {
      // As the first operand of an operation that does not commute it cannot be a memory operand.
      const bool must_load =
          steps_[s].kind != Step::kCompute || instructions_[steps_[s].value].a == v;
      benefit += (must_load ? 3 : 2) * shape.copies();
    }
    if (instructions_[v].opcode == Opcode::kLoadChannel) benefit /= shape.across;
    wishes.push_back({benefit, v});
  }
  std::stable_sort(wishes.begin(), wishes.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  for (const auto& [benefit, v] : wishes) {
    const bool is_channel = instructions_[v].opcode == Opcode::kLoadChannel;
    const int registers = is_channel ? shape.across : 1;
    if (registers > room) continue;
    room -= registers;
    pinned_.push_back(v);
    for (int copy = 0; copy < registers; ++copy) {
      copy_ = copy;
      const int key = Key(v);
      places_[key] = {.reg = --next, .pinned = true};
      owner_[0][next] = key;
    }
  }
  copy_ = 0;
}

// ---------------------------------------------------------------- Frame and loops

int Assembler::Frame(int bytes) {
  const int offset = frame_size_;
  frame_size_ += bytes;
  return offset;
}

void Assembler::LayOutFrame() {
  saved_rsp_ = Frame(8);
  rows_slot_ = Frame(8);
  block_rows_slot_ = Frame(8);
  size_t gprs = 0;
  for (Stream& stream : streams_) {
    stream.gpr = gprs < std::size(kAddressGprs) ? kAddressGprs[gprs++] : -1;
    stream.address = Frame(8);
    stream.stride = Frame(8);
    stream.block = Frame(8);
    stream.ahead = Frame(8);
  }
  for (int i = 0; i < program_.num_channels(); ++i) {
    channel_gpr_.push_back(channel_used_[i] && gprs < std::size(kAddressGprs) ? kAddressGprs[gprs++]
                                                                              : -1);
    channel_pointer_.push_back(Frame(8));
  }
  for (size_t i = 0; i < program_.sums().size(); ++i) sum_pointer_.push_back(Frame(8));
  frame_size_ = (frame_size_ + 63) / 64 * 64;
  for (int i = 0; i < program_.num_scalars(); ++i) {
    scalar_slot_.push_back(Frame(avx512_ ? 4 : 4 * width_));
  }
  frame_size_ = (frame_size_ + 63) / 64 * 64;
  sum_area_ = Frame(static_cast<int>(program_.sums().size()) * kMostCopies * 4 * width_);
  spill_area_ = Frame(spill_slots_ * 4 * width_);
}

void Assembler::Prologue() {
  for (const Reg64& reg : {rbx, rbp, r12, r13, r14, r15}) push(reg);
  mov(rax, rsp);
  sub(rsp, frame_size_ + 64);
  and_(rsp, -64);
  mov(ptr[rsp + saved_rsp_], rax);
  mov(rax, ptr[rsi + offsetof(KernelCall, rows)]);
  mov(ptr[rsp + rows_slot_], rax);
  if (program_.num_scalars() > 0) mov(rdx, ptr[rsi + offsetof(KernelCall, scalars)]);
  for (int i = 0; i < program_.num_scalars(); ++i) {
    if (avx512_) {
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
  for (const Stream& stream : streams_) {
    const int list = stream.is_store ? offsetof(KernelCall, stores) : offsetof(KernelCall, loads);
    mov(rdx, ptr[rsi + list]);
    mov(rax, ptr[rdx + 8 * stream.slot]);
    mov(ptr[rsp + stream.block], rax);
    if (columns_ == 0) continue;
    const int strides =
        stream.is_store ? offsetof(KernelCall, store_strides) : offsetof(KernelCall, load_strides);
    mov(rdx, ptr[rsi + strides]);
    mov(rax, ptr[rdx + 8 * stream.slot]);
    mov(ptr[rsp + stream.stride], rax);
    LoadAhead(stream);
  }
  LoadInvariantPointers();
}

void Assembler::LoadAhead(const Stream& stream) {
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

void Assembler::LoadInvariantPointers() {
  // Through rdx to the frame first: the registers may be the one that holds the call.
  bool any = false;
  for (int i = 0; i < program_.num_channels(); ++i) {
    if (!channel_used_[i]) continue;
    if (!any) mov(rdx, ptr[rsi + offsetof(KernelCall, channels)]);
    any = true;
    mov(rax, ptr[rdx + 8 * i]);
    mov(ptr[rsp + channel_pointer_[i]], rax);
  }
  for (int i = 0; i < program_.num_channels(); ++i) {
    if (channel_gpr_[i] >= 0) mov(Reg64(channel_gpr_[i]), ptr[rsp + channel_pointer_[i]]);
  }
}

void Assembler::Epilogue() {
  if (streaming_) sfence();
  mov(rsp, ptr[rsp + saved_rsp_]);
  for (const Reg64& reg : {r15, r14, r13, r12, rbp, rbx}) pop(reg);
  vzeroupper();
  ret();
}

// Non-temporal stores want aligned addresses.
void Assembler::CheckStreamingAlignment(Label& misaligned) {
  for (const Stream& stream : streams_) {
    if (!stream.is_store || program_.outputs()[stream.slot].hint != StoreHint::kStreaming) continue;
    mov(rax, ptr[rsp + stream.block]);
    if (columns_ != 0) or_(rax, ptr[rsp + stream.stride]);
    test(al, stream.size * width_ - 1);
    jnz(misaligned, T_NEAR);
  }
}

void Assembler::Assemble() {
  LayOutFrame();
  Prologue();
  const bool any_streaming =
      std::any_of(program_.outputs().begin(), program_.outputs().end(),
                  [](const auto& output) { return output.hint == StoreHint::kStreaming; });
  // Rows that do not fill their vectors are not worth it.
  if (any_streaming && columns_ % width_ == 0) {
    Label misaligned;
    CheckStreamingAlignment(misaligned);
    streaming_ = true;
    Loops();
    Epilogue();
    streaming_ = false;
    L(misaligned);
  }
  Loops();
  Epilogue();
  EmitConstants();
  ready();
}

void Assembler::Loops() {
  if (columns_ == 0) {
    FlatLoops();
  } else {
    ColumnLoops();
  }
}

void Assembler::LoadPointers(bool at_column) {
  for (const Stream& stream : streams_) {
    const Reg64 reg(stream.gpr >= 0 ? stream.gpr : 0);
    mov(reg, ptr[rsp + stream.block]);
    if (at_column) lea(reg, ptr[reg + rbp * stream.size]);
    if (stream.gpr < 0) mov(ptr[rsp + stream.address], reg);
  }
}

void Assembler::FlatLoops() {
  const Shape wide = {.across = ChooseShape(kNever, 0).copies()};
  const Shape single = {};
  main_shape_ = wide;
  LoadPointers(/*at_column=*/false);
  column_index_ = true;
  xor_(ebp, ebp);
  mov(rcx, ptr[rsp + rows_slot_]);
  PinRegisters(wide);
  LoadPinned(wide);
  InitializeSums(wide);

  Label singles, single_loop, rest, done;
  const auto loop = [&](const Shape& shape, Label& next) {
    Label top;
    const int elements = shape.across * width_;
    cmp(rcx, elements);
    jl(next, T_NEAR);
    align(32);
    L(top);
    Body(shape);
    add(rbp, elements);
    sub(rcx, elements);
    cmp(rcx, elements);
    jge(top, T_NEAR);
    L(next);
  };
  loop(wide, singles);
  if (wide.across > 1) loop(single, rest);
  if (avx512_) {
    test(rcx, rcx);
    jle(done, T_NEAR);
    mov(eax, 1);
    shl(eax, cl);
    sub(eax, 1);
    kmovw(Opmask(kTailMask), eax);
    Body({.tail = width_});
    L(done);
  } else {
    Label one;
    test(rcx, rcx);
    jle(done, T_NEAR);
    L(one);
    Body({.tail = 1});
    inc(rbp);
    dec(rcx);
    jnz(one, T_NEAR);
    L(done);
  }
  FinishFlatSums(wide);
  column_index_ = false;
}

void Assembler::SetTailMask(int lanes) {
  if (!avx512_ || lanes == 0) return;
  mov(eax, (1u << lanes) - 1);
  kmovw(Opmask(kTailMask), eax);
}

void Assembler::ColumnLoops() {
  const int vectors = (columns_ + width_ - 1) / width_;
  const int tail = columns_ % width_;
  const Shape widest = ChooseShape(vectors, tail);
  main_shape_ = widest;
  if (widest.across == vectors) {
    LoadPointers(/*at_column=*/false);
    mov(rcx, ptr[rsp + rows_slot_]);
    SetTailMask(tail);
    Group(widest);
    return;
  }
  const int full_vectors = columns_ / width_;
  const int groups = full_vectors / widest.across;
  const int rest = vectors - groups * widest.across;
  int row_bytes = 0;
  for (const Stream& stream : streams_) row_bytes += stream.size * columns_;
  const int block_rows =
      std::clamp(24 * 1024 / std::max(row_bytes, 1), 8, 64) / widest.down * widest.down;

  column_index_ = true;
  SetTailMask(tail);
  Label block, done;
  cmp(qword[rsp + rows_slot_], 0);
  jle(done, T_NEAR);
  L(block);
  mov(eax, block_rows);
  cmp(rax, ptr[rsp + rows_slot_]);
  cmovg(rax, ptr[rsp + rows_slot_]);
  mov(ptr[rsp + block_rows_slot_], rax);
  xor_(ebp, ebp);
  if (groups > 0) {
    Label group;
    L(group);
    LoadPointers(/*at_column=*/true);
    mov(rcx, ptr[rsp + block_rows_slot_]);
    Group({.across = widest.across, .down = widest.down});
    add(rbp, widest.across * width_);
    cmp(rbp, groups * widest.across * width_);
    jl(group, T_NEAR);
  }
  if (rest > 0) {
    LoadPointers(/*at_column=*/true);
    mov(rcx, ptr[rsp + block_rows_slot_]);
    Group({.across = rest, .down = std::max(1, widest.copies() / rest), .tail = tail});
  }
  for (const Stream& stream : streams_) {
    mov(rax, ptr[rsp + stream.stride]);
    imul(rax, ptr[rsp + block_rows_slot_]);
    add(ptr[rsp + stream.block], rax);
  }
  mov(rax, ptr[rsp + block_rows_slot_]);
  sub(ptr[rsp + rows_slot_], rax);
  jg(block, T_NEAR);
  L(done);
  column_index_ = false;
}

// All rows (rcx of them) of one group of columns.
void Assembler::Group(const Shape& shape) {
  PinRegisters(shape);
  LoadPinned(shape);
  InitializeSums(shape);
  Rows(shape);
  FinishSums(shape);
}

void Assembler::Rows(const Shape& shape) {
  Label top, rest, rest_top, done;
  if (shape.down > 1) {
    cmp(rcx, shape.down);
    jl(rest, T_NEAR);
    align(32);
    L(top);
    Body(shape);
    sub(rcx, shape.down);
    cmp(rcx, shape.down);
    jge(top, T_NEAR);
    L(rest);
  }
  test(rcx, rcx);
  jle(done, T_NEAR);
  align(32);
  L(rest_top);
  Body({.across = shape.across, .tail = shape.tail});
  dec(rcx);
  jnz(rest_top, T_NEAR);
  L(done);
  MergeSums(shape);
}

void Assembler::LoadPinned(const Shape& shape) {
  shape_ = shape;
  for (const Value v : pinned_) {
    const bool is_channel = instructions_[v].opcode == Opcode::kLoadChannel;
    for (copy_ = 0; copy_ < (is_channel ? shape.across : 1); ++copy_) {
      LoadInvariant(v, places_[Key(v)].reg);
    }
  }
  copy_ = 0;
}

void Assembler::InitializeSums(const Shape& shape) {
  if (program_.sums().empty()) return;
  if (!sums_in_memory_) {
    for (const int reg : sum_registers_) vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
    return;
  }
  const int reg = 0;
  vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
  for (size_t i = 0; i < program_.sums().size(); ++i) {
    for (int across = 0; across < shape.across; ++across) {
      vmovups(SumAddress(static_cast<int>(i), across), Vector(reg));
    }
  }
}

// Adds up the running sums of the rows of a body into those of its first row.
void Assembler::MergeSums(const Shape& shape) {
  if (sums_in_memory_ || sum_copies_ == shape.across) return;
  for (size_t i = 0; i < program_.sums().size(); ++i) {
    for (int copy = shape.across; copy < sum_copies_; ++copy) {
      const Xmm to = Vector(sum_registers_[i * sum_copies_ + copy % shape.across]);
      vaddps(to, to, Vector(sum_registers_[i * sum_copies_ + copy]));
    }
  }
}

void Assembler::FinishSums(const Shape& shape) {
  shape_ = shape;
  for (size_t i = 0; i < program_.sums().size(); ++i) {
    mov(rax, ptr[rsp + sum_pointer_[i]]);
    if (column_index_) lea(rax, ptr[rax + rbp * 4]);
    for (int across = 0; across < shape.across; ++across) {
      const Address to = ptr[rax + across * width_ * 4];
      // Every register that is no sum is free here: reload the pinned ones for the next group.
      const Xmm old = Vector(0);
      const Xmm total =
          sums_in_memory_ ? Vector(1) : Vector(sum_registers_[i * sum_copies_ + across]);
      if (sums_in_memory_) vmovups(total, SumAddress(static_cast<int>(i), across));
      copy_ = across;
      if (!IsTail()) {
        vaddps(total, total, to);
        vmovups(to, total);
      } else if (avx512_) {
        vmovups(old | Opmask(kTailMask) | T_z, to);
        vaddps(total, total, old);
        vmovups(to | Opmask(kTailMask), total);
      } else {
        std::vector<uint32_t> lanes(width_);
        std::fill_n(lanes.begin(), shape.tail, ~0u);
        const Xmm mask = Vector(2);
        vmovups(mask, FullConstantAddress(lanes));
        vmaskmovps(old, mask, to);
        vaddps(total, total, old);
        vmaskmovps(to, mask, total);
      }
    }
  }
  copy_ = 0;
}

void Assembler::FinishFlatSums(const Shape& shape) {
  shape_ = shape;
  const int sums = static_cast<int>(program_.sums().size());
  for (int i = 0; i < sums; ++i) {
    const int reg = sums_in_memory_ ? 0 : sum_registers_[i * sum_copies_];
    if (sums_in_memory_) vmovups(Vector(reg), SumAddress(i, 0));
    for (int copy = 1; copy < shape.across; ++copy) {
      if (sums_in_memory_) {
        vaddps(Vector(reg), Vector(reg), SumAddress(i, copy));
      } else {
        vaddps(Vector(reg), Vector(reg), Vector(sum_registers_[i * sum_copies_ + copy]));
      }
    }
    // Halve, and halve again. ymm0 and xmm0 are the only registers below 16 used here; no value is
    // alive.
    vmovaps(Vector(1), Vector(reg));
    if (avx512_) {
      vextractf64x4(ymm0, zmm1, 1);
      vaddps(ymm1, ymm1, ymm0);
    }
    vextractf128(xmm0, ymm1, 1);
    vaddps(xmm1, xmm1, xmm0);
    vmovhlps(xmm0, xmm1, xmm1);
    vaddps(xmm1, xmm1, xmm0);
    vmovshdup(xmm0, xmm1);
    vaddss(xmm1, xmm1, xmm0);
    mov(rax, ptr[rsp + sum_pointer_[i]]);
    vaddss(xmm1, xmm1, ptr[rax]);
    vmovss(ptr[rax], xmm1);
  }
}

// ---------------------------------------------------------------- The body

void Assembler::Body(const Shape& shape) {
  shape_ = shape;
  next_spill_ = 0;
  for (step_ = 0; step_ < static_cast<int>(steps_.size()); ++step_) {
    for (copy_ = 0; copy_ < shape.copies(); ++copy_) EmitStep(steps_[step_]);
  }
  // Only the pinned stay.
  for (auto entry = places_.begin(); entry != places_.end();) {
    if (entry->second.pinned) {
      ++entry;
      continue;
    }
    const bool mask = InMaskRegister(entry->first / kMostCopies);
    if (entry->second.reg >= 0) owner_[mask][entry->second.reg] = -1;
    entry = places_.erase(entry);
  }
  copy_ = 0;
}

void Assembler::EmitStep(const Step& step) {
  switch (step.kind) {
    case Step::kCompute:
      EmitCompute(step.value, instructions_[step.value]);
      break;
    case Step::kStore:
      EmitStore(step);
      break;
    case Step::kSum:
      EmitSum(step);
      break;
  }
  for (const Value v : StepOperands(step)) {
    if (DiesHere(v)) Release(v);
  }
  EndStep();
}

void Assembler::EmitCompute(Value v, const Instruction& i) {
  // dst = f(a, b), b from memory if it is there.
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
    case Opcode::kRound: {
      const int mode = i.opcode == Opcode::kFloor ? 1 : 0;
      return unary([&](const Xmm& d, const Xbyak::Operand& s) {
        if (avx512_) {
          vrndscaleps(d, s, mode);
        } else {
          vroundps(d, s, mode);
        }
      });
    }
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

// The three forms of an FMA overwrite one of the factors or the summand; the last operand may be in
// memory.
void Assembler::EmitFma(Value v, const Instruction& i) {
  const auto emit = [&](int form, const Xmm& d, const Xmm& s, const Xbyak::Operand& o) {
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
  };
  Value a = i.a, b = i.b;
  const Value c = i.c;
  if (FromMemory(a) && !FromMemory(b))
    std::swap(a, b);  // of the factors, the second is the one in memory
  // A factor or summand that ends here gives its register.
  if (DiesHere(c) && c != a && c != b) {
    const int d = Read(c);
    const Xmm first = Vector(Read(a));
    const Source second = ReadAny(b);
    emit(231, Vector(d), first, second.operand());
    Release(c);
    places_[Key(v)].reg = d;
    owner_[0][d] = Key(v);
    return;
  }
  for (const auto& [dying, other] : {std::pair{a, b}, std::pair{b, a}}) {
    if (!DiesHere(dying) || dying == c) continue;
    const int d = Read(dying);
    if (FromMemory(other) && other != dying) {
      const Xmm summand = Vector(Read(c));
      const Source factor = ReadAny(other);
      emit(132, Vector(d), summand, factor.operand());
    } else {
      const Xmm factor = Vector(Read(other));
      const Source summand = ReadAny(c);
      emit(213, Vector(d), factor, summand.operand());
    }
    Release(dying);
    places_[Key(v)].reg = d;
    owner_[0][d] = Key(v);
    return;
  }
  // None ends: copy one, best the one that must come from memory anyway.
  if (FromMemory(c) || !FromMemory(b)) {
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
      return emit(231, Vector(d), first, factor);
    }
    const int d = Define(v);
    if (HasInvariantAddress(c) && places_[Key(c)].reg < 0) {
      LoadInvariant(c, d);
    } else {
      vmovaps(Vector(d), Vector(Read(c)));
    }
    return emit(231, Vector(d), first, second.operand());
  }
  const Xmm first = Vector(Read(a));
  const Xmm summand = Vector(Read(c));
  const int d = Define(v);
  vmovaps(Vector(d), first);
  const Source factor = ReadAny(b);
  emit(132, Vector(d), summand, factor.operand());
}

// a * 2^b. AVX-512 has it. Otherwise by the exponent's bits: at once where the result is known to
// be normal, else in two factors, each within range, so that the last product over- or underflows
// as it should.
void Assembler::EmitScale(Value v, const Instruction& i) {
  const Xmm a = Vector(Read(i.a));
  if (avx512_) {
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

void Assembler::EmitCompare(Value v, const Instruction& i) {
  Value a = i.a, b = i.b;
  // Ordered and quiet.
  int predicate = i.opcode == Opcode::kLess ? 0x11 : i.opcode == Opcode::kLessEqual ? 0x12 : 0x00;
  if (FromMemory(a) && !FromMemory(b)) {
    std::swap(a, b);
    predicate = i.opcode == Opcode::kLess ? 0x1e : i.opcode == Opcode::kLessEqual ? 0x1d : 0x00;
  }
  const Xmm first = Vector(Read(a));
  const Source second = ReadAny(b);
  if (avx512_) {
    vcmpps(Opmask(Define(v)), first, second.operand(), predicate);
  } else {
    vcmpps(Vector(DefineAfter(v, i)), first, second.operand(), predicate);
  }
}

void Assembler::EmitMaskOperation(Value v, const Instruction& i) {
  const int a = Read(i.a);
  const int b = i.b < 0 ? a : Read(i.b);
  const int d = DefineAfter(v, i);
  if (avx512_) {
    if (i.opcode == Opcode::kMaskAnd) kandw(Opmask(d), Opmask(a), Opmask(b));
    if (i.opcode == Opcode::kMaskOr) korw(Opmask(d), Opmask(a), Opmask(b));
    if (i.opcode == Opcode::kMaskNot) knotw(Opmask(d), Opmask(a));
  } else {
    if (i.opcode == Opcode::kMaskAnd) vandps(Vector(d), Vector(a), Vector(b));
    if (i.opcode == Opcode::kMaskOr) vorps(Vector(d), Vector(a), Vector(b));
    if (i.opcode == Opcode::kMaskNot) vxorps(Vector(d), Vector(a), ConstantAddress(~0u));
  }
}

void Assembler::EmitSelect(Value v, const Instruction& i) {
  const auto is_zero = [&](Value x) {
    return instructions_[x].opcode == Opcode::kConstant && instructions_[x].bits == 0;
  };
  const int mask = Read(i.a);
  if (is_zero(i.c)) {
    if (avx512_) {
      const Xmm x = Vector(Read(i.b));
      vmovaps(Vector(DefineAfter(v, i)) | Opmask(mask) | T_z, x);
    } else {
      const Source x = ReadAny(i.b);
      vandps(Vector(DefineAfter(v, i)), Vector(mask), x.operand());
    }
    return;
  }
  if (is_zero(i.b) && !avx512_) {
    const Source x = ReadAny(i.c);
    vandnps(Vector(DefineAfter(v, i)), Vector(mask), x.operand());
    return;
  }
  const Xmm if_false = Vector(Read(i.c));
  const Source if_true = ReadAny(i.b);
  const Xmm d = Vector(DefineAfter(v, i));
  if (avx512_) {
    vblendmps(d | Opmask(mask), if_false, if_true.operand());
  } else {
    vblendvps(d, if_false, if_true.operand(), Vector(mask));
  }
}

void Assembler::EmitSum(const Step& step) {
  const int across = copy_ % shape_.across;
  const int index = step.slot * sum_copies_ + (sum_copies_ == shape_.across ? across : copy_);
  Xmm x = Vector(Read(step.value));
  // In a flat kernel the lanes past the end must not count (elsewhere nobody reads them).
  if (columns_ == 0 && shape_.tail != 0 && !avx512_) {
    const Xmm masked = Vector(Scratch());
    std::vector<uint32_t> lanes(width_);
    lanes[0] = ~0u;
    vandps(masked, x, FullConstantAddress(lanes));
    x = masked;
  }
  const int reg = sums_in_memory_ ? Scratch() : sum_registers_[index];
  const Xmm sum = Vector(reg);
  if (sums_in_memory_) vmovups(sum, SumAddress(step.slot, across));
  if (columns_ == 0 && shape_.tail != 0 && avx512_) {
    vaddps(sum | Opmask(kTailMask), sum, x);
  } else {
    vaddps(sum, sum, x);
  }
  if (sums_in_memory_) vmovups(SumAddress(step.slot, across), sum);
}

// ---------------------------------------------------------------- Elements in memory

Address Assembler::StreamAddress(const Stream& stream, int across, int offset) {
  const Reg64 base(stream.gpr >= 0 ? stream.gpr : 0);
  if (stream.gpr < 0) {
    mov(base, ptr[rsp + (columns_ == 0 ? stream.block : stream.address)]);
  }
  const int displacement = across * width_ * stream.size + offset;
  if (columns_ == 0) return ptr[base + rbp * stream.size + displacement];
  return ptr[base + displacement];
}

void Assembler::AdvanceStream(const Stream& stream) {
  if (columns_ == 0 || copy_ % shape_.across != shape_.across - 1) return;
  if (column_index_) PrefetchStream(stream);
  if (stream.gpr >= 0) {
    add(Reg64(stream.gpr), ptr[rsp + stream.stride]);
  } else {
    mov(rax, ptr[rsp + stream.stride]);
    add(ptr[rsp + stream.address], rax);
  }
}

// Asks for what lies `ahead` of the vectors side by side.
void Assembler::PrefetchStream(const Stream& stream) {
  if (stream.gpr >= 0) {
    mov(rax, ptr[rsp + stream.ahead]);
    add(rax, Reg64(stream.gpr));
  } else {
    mov(rax, ptr[rsp + stream.address]);
    add(rax, ptr[rsp + stream.ahead]);
  }
  for (int byte = 0; byte < shape_.across * width_ * stream.size; byte += 64) {
    if (stream.is_store) {
      prefetchw(ptr[rax + byte]);
    } else {
      prefetcht0(ptr[rax + byte]);
    }
  }
}

void Assembler::LoadFloats(const Xmm& to, const Address& from) {
  if (!IsTail()) {
    vmovups(to, from);
  } else if (avx512_) {
    vmovups(to | Opmask(kTailMask) | T_z, from);
  } else {
    std::vector<uint32_t> lanes(width_);
    std::fill_n(lanes.begin(), shape_.tail, ~0u);
    // `to` itself carries the mask.
    vmovups(to, FullConstantAddress(lanes));
    vmaskmovps(to, to, from);
  }
}

// Up to 15 bytes, none beyond.
void Assembler::LoadPieces(const Xmm& to, const Stream& stream, int across, int bytes) {
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

void Assembler::StorePieces(const Xmm& from, const Stream& stream, int across, int bytes) {
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

void Assembler::EmitLoad(Value v, const Instruction& i) {
  const Stream& stream = *std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) {
    return !s.is_store && s.slot == i.slot;
  });
  const int across = copy_ % shape_.across;
  const Xmm d = Vector(Define(v));
  const bool tail = IsTail();
  const bool pieces = tail && !avx512_ && stream.size < 4;
  const Xmm masked = tail && avx512_ ? d | Opmask(kTailMask) | T_z : d;
  if (pieces) LoadPieces(d, stream, across, shape_.tail * stream.size);
  switch (i.type) {
    case ElementType::kF32:
      LoadFloats(d, StreamAddress(stream, across));
      break;
    case ElementType::kS32:
      if (tail && !avx512_) {
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

// To the upper halves, rounded to nearest even; NaN to the quiet NaN. The halves come out in the
// lower 16 bits.
void Assembler::RoundToBf16(const Xmm& result, const Xmm& x) {
  vpsrld(result, x, 16);
  if (avx512_) {
    vpandd(result, result, ConstantAddress(1));
    vpaddd(result, result, x);
    vpaddd(result, result, ConstantAddress(0x7fff));
    vcmpps(Opmask(kScratchMask), x, x, 3);
    vpbroadcastd(result | Opmask(kScratchMask), ptr[rip + constants_[0x7fc00000]]);
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

void Assembler::EmitStore(const Step& step) {
  const VectorProgram::Output& output = program_.outputs()[step.slot];
  const Stream& stream = *std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) {
    return s.is_store && s.slot == step.slot;
  });
  const int across = copy_ % shape_.across;
  const bool tail = IsTail();
  const bool streaming = streaming_ && !tail && output.hint == StoreHint::kStreaming;
  const Xmm x = Vector(Read(step.value));
  const auto store_words = [&](const Xmm& from) {  // 4-byte elements
    const Address to = StreamAddress(stream, across);
    if (streaming) {
      vmovntps(to, from);
    } else if (!tail) {
      vmovups(to, from);
    } else if (avx512_) {
      vmovups(to | Opmask(kTailMask), from);
    } else {
      std::vector<uint32_t> lanes(width_);
      std::fill_n(lanes.begin(), shape_.tail, ~0u);
      const Xmm mask = Vector(Scratch());
      vmovups(mask, FullConstantAddress(lanes));
      vmaskmovps(to, mask, from);
    }
  };
  switch (output.type) {
    case ElementType::kF32:
      store_words(x);
      break;
    case ElementType::kS32: {
      const Xmm t = Vector(Scratch());
      vcvtps2dq(t, x);
      store_words(t);
      break;
    }
    case ElementType::kBf16: {
      const int t = Scratch();
      if (avx512_) {
        if (isa_ >= Isa::kAvx512Bf16) {
          vcvtneps2bf16(Ymm(t), x);
        } else {
          RoundToBf16(Vector(t), x);
          vpmovdw(Ymm(t), Vector(t));
        }
        const Address to = StreamAddress(stream, across);
        if (streaming) {
          vmovntdq(to, Ymm(t));
        } else if (tail) {
          vmovdqu16(to | Opmask(kTailMask), Ymm(t));
        } else if (t < 16) {
          vmovdqu(to, Ymm(t));
        } else {
          vmovdqu16(to, Ymm(t));
        }
      } else {
        RoundToBf16(Vector(t), x);
        vpackusdw(Ymm(t), Ymm(t), Ymm(t));
        vpermq(Ymm(t), Ymm(t), 8);
        if (tail) {
          StorePieces(Xmm(t), stream, across, 2 * shape_.tail);
        } else if (streaming) {
          vmovntdq(StreamAddress(stream, across), Xmm(t));
        } else {
          vmovdqu(StreamAddress(stream, across), Xmm(t));
        }
      }
      break;
    }
    case ElementType::kU8:
    case ElementType::kS8: {
      const int t = Scratch();
      const bool is_signed = output.type == ElementType::kS8;
      vmaxps(Vector(t), x, ConstantAddress(is_signed ? 0xc3000000 : 0));  // -128
      vminps(Vector(t), Vector(t),
             ConstantAddress(is_signed ? 0x42fe0000 : 0x437f0000));  // 127, 255
      vcvtps2dq(Vector(t), Vector(t));
      if (avx512_) {
        vpmovdb(Xmm(t), Vector(t));
        const Address to = StreamAddress(stream, across);
        if (tail) {
          vmovdqu8(to | Opmask(kTailMask), Xmm(t));
        } else {
          vmovdqu8(to, Xmm(t));
        }
      } else {
        if (is_signed) {
          vpackssdw(Ymm(t), Ymm(t), Ymm(t));
          vpermq(Ymm(t), Ymm(t), 8);
          vpacksswb(Xmm(t), Xmm(t), Xmm(t));
        } else {
          vpackusdw(Ymm(t), Ymm(t), Ymm(t));
          vpermq(Ymm(t), Ymm(t), 8);
          vpackuswb(Xmm(t), Xmm(t), Xmm(t));
        }
        if (tail) {
          StorePieces(Xmm(t), stream, across, shape_.tail);
        } else {
          vmovq(StreamAddress(stream, across), Xmm(t));
        }
      }
      break;
    }
    case ElementType::kF64:
      break;
  }
  AdvanceStream(stream);
}

// ---------------------------------------------------------------- Registers

// Copies share constants and scalars, and the copies of one column share its channel operands.
int Assembler::Key(Value v) const {
  switch (instructions_[v].opcode) {
    case Opcode::kConstant:
    case Opcode::kLoadScalar:
      return v * kMostCopies;
    case Opcode::kLoadChannel:
      return v * kMostCopies + copy_ % shape_.across;
    default:
      return v * kMostCopies + copy_;
  }
}

// When the value is next read after the current step of the current copy, in steps times copies.
int Assembler::NextUse(int key) const {
  const Value v = key / kMostCopies;
  const int copy = key % kMostCopies;
  const std::vector<int>& uses = uses_[v];
  const int copies = shape_.copies();
  const bool here_still = IsInvariant(v) ? copy_ + 1 < copies : copy > copy_;
  const auto next = std::lower_bound(uses.begin(), uses.end(), here_still ? step_ : step_ + 1);
  return next == uses.end() ? kNever : *next * copies + copy;
}

void Assembler::Evict(bool mask, int reg) {
  Place& place = places_[owner_[mask][reg]];
  const int key = owner_[mask][reg];
  if (!IsInvariant(key / kMostCopies) && place.spill < 0) {
    place.spill = next_spill_++;
    spill_slots_used_ = std::max(spill_slots_used_, next_spill_);
    if (mask) {
      kmovw(SpillAddress(place.spill), Opmask(reg));
    } else {
      vmovups(SpillAddress(place.spill), Vector(reg));
    }
  }
  place.reg = -1;
  owner_[mask][reg] = -1;
}

int Assembler::Allocate(bool mask) {
  int best = -1, farthest = -1;
  for (int reg = 0; reg < static_cast<int>(owner_[mask].size()); ++reg) {
    const int key = owner_[mask][reg];
    if (key == -2 || std::count(locked_.begin(), locked_.end(), std::pair{mask, reg})) continue;
    if (key == -1) {
      best = reg;
      farthest = kNever;
      break;
    }
    if (places_[key].pinned) continue;
    const int use = NextUse(key);
    if (use > farthest) {
      best = reg;
      farthest = use;
    }
  }
  if (owner_[mask][best] >= 0) Evict(mask, best);
  locked_.push_back({mask, best});
  return best;
}

bool Assembler::HasInvariantAddress(Value v) const {
  if (!IsInvariant(v)) return false;
  return !(instructions_[v].opcode == Opcode::kLoadChannel && IsTail());
}

Address Assembler::InvariantAddress(Value v) {
  const Instruction& i = instructions_[v];
  switch (i.opcode) {
    case Opcode::kConstant:
      return ConstantAddress(i.bits);
    case Opcode::kLoadScalar:
      return avx512_ ? ptr_b[rsp + scalar_slot_[i.slot]] : ptr[rsp + scalar_slot_[i.slot]];
    default: {
      const Reg64 base(channel_gpr_[i.slot] >= 0 ? channel_gpr_[i.slot] : 2);
      if (channel_gpr_[i.slot] < 0) mov(base, ptr[rsp + channel_pointer_[i.slot]]);
      const int displacement = (copy_ % shape_.across) * width_ * 4;
      return column_index_ ? ptr[base + rbp * 4 + displacement] : ptr[base + displacement];
    }
  }
}

void Assembler::LoadInvariant(Value v, int reg) {
  const Instruction& i = instructions_[v];
  if (i.opcode == Opcode::kConstant && i.bits == 0) {
    if (reg < 16) {
      vxorps(Xmm(reg), Xmm(reg), Xmm(reg));
    } else {
      vpxord(Xmm(reg), Xmm(reg), Xmm(reg));
    }
  } else if (i.opcode == Opcode::kLoadChannel) {
    LoadFloats(Vector(reg), InvariantAddress(v));
  } else if (i.opcode == Opcode::kConstant) {
    if (avx512_) {
      vbroadcastss(Vector(reg), ptr[rip + constants_[i.bits]]);
    } else {
      vmovups(Vector(reg), ConstantAddress(i.bits));
    }
  } else if (avx512_) {
    vbroadcastss(Vector(reg), ptr[rsp + scalar_slot_[i.slot]]);
  } else {
    vmovups(Vector(reg), ptr[rsp + scalar_slot_[i.slot]]);
  }
}

// Whether the value is at present to be had from memory only.
bool Assembler::FromMemory(Value v) const {
  const auto place = places_.find(Key(v));
  return place == places_.end() || place->second.reg < 0;
}

int Assembler::Read(Value v) {
  const bool mask = InMaskRegister(v);
  const int key = Key(v);
  if (places_[key].reg < 0) {
    const int reg = Allocate(mask);
    places_[key].reg = reg;
    owner_[mask][reg] = key;
    if (IsInvariant(v)) {
      LoadInvariant(v, reg);
    } else if (mask) {
      kmovw(Opmask(reg), SpillAddress(places_[key].spill));
    } else {
      vmovups(Vector(reg), SpillAddress(places_[key].spill));
    }
  }
  locked_.push_back({mask, places_[key].reg});
  return places_[key].reg;
}

Assembler::Source Assembler::ReadAny(Value v) {
  const bool readable = IsInvariant(v) ? HasInvariantAddress(v) : !InMaskRegister(v);
  if (FromMemory(v) && readable) {
    return {IsInvariant(v) ? InvariantAddress(v) : SpillAddress(places_[Key(v)].spill), Xmm()};
  }
  return {std::nullopt, Vector(Read(v))};
}

void Assembler::Release(Value v) {
  const auto place = places_.find(Key(v));
  if (place == places_.end() || place->second.pinned) return;
  const int reg = place->second.reg;
  if (reg >= 0) {
    owner_[InMaskRegister(v)][reg] = -1;
    std::erase(locked_, std::pair{InMaskRegister(v), reg});
  }
  places_.erase(place);
}

void Assembler::ReleaseOperands(const Instruction& i) {
  for (const Value v : {i.a, i.b, i.c}) {
    if (v >= 0 && DiesHere(v)) Release(v);
  }
}

int Assembler::Define(Value v) {
  const int reg = Allocate(InMaskRegister(v));
  places_[Key(v)].reg = reg;
  owner_[InMaskRegister(v)][reg] = Key(v);
  return reg;
}

// For operations of one instruction: the result may take the register of an operand that ends here.
int Assembler::DefineAfter(Value v, const Instruction& i) {
  ReleaseOperands(i);
  return Define(v);
}

void Assembler::EndStep() {
  locked_.clear();
  scratch_.clear();
}

// ---------------------------------------------------------------- Constants

Address Assembler::ConstantAddress(uint32_t bits) {
  if (avx512_) return ptr_b[rip + constants_[bits]];
  return FullConstantAddress(std::vector<uint32_t>(width_, bits));
}

Address Assembler::FullConstantAddress(const std::vector<uint32_t>& lanes) {
  return ptr[rip + full_constants_[lanes]];
}

void Assembler::EmitConstants() {
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

MachineCode Assembler::Take() {
  MachineCode code;
  code.bytes.assign(getCode(), getCode() + getSize());
  code.description = absl::StrCat(
      IsaName(isa_), ", ", columns_ == 0 ? "flat" : absl::StrCat(columns_, " columns"), ", ",
      main_shape_.across, " x ", main_shape_.down, " vectors at once, ", steps_.size(),
      " operations, ", spill_slots_used_, " spills, ", code.bytes.size(), " bytes of code");
  return code;
}

}  // namespace

absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram& program,
                                           const KernelOptions& options) {
  try {
    // The first round finds out how many spill slots the frame must hold.
    Assembler draft(program, options, 0);
    draft.Assemble();
    if (draft.spill_slots_used() == 0) return draft.Take();
    Assembler final(program, options, draft.spill_slots_used());
    final.Assemble();
    return final.Take();
  } catch (const Xbyak::Error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot assemble a vector kernel: ", error.what()));
  }
}

}  // namespace cotangent::autodiff::codegen
