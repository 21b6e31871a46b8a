// Compiles a VectorProgram to machine code. This file makes the loops; what stands in them comes
// from the layers below, each a class in a file of its own:
//
//   jit_plan          the steps of the loop's body, and how many vectors it works on at once
//   jit_memory        the stack frame, the arrays, operands that do not change
//   jit_registers     which value is in which register
//   jit_elements      loads and stores of every element type
//   jit_instructions  the program's operations
//   jit_sums          running sums
//
// The program has no branches, and neither has the body of the loop: it holds the program's
// operations in their scheduled order. Each operation is emitted for several vectors at once
// ("copies"), so that the copies hide each other's latency. Copies lie side by side in a row
// (`across` of them) and in successive rows (`down`).
//
// A row wider than one body is divided into groups of columns, and the rows into blocks (of up to
// 64 rows; of at least 8, however long they are) that stay in the first-level cache while all
// groups of columns are computed:
//
//   for each block of rows
//     for each group of columns           channels and sums into registers
//       for each `down` rows, then for each row left over: body
//
// The processor's prefetchers do not recognise this order of memory accesses. So every body
// prefetches at the distances that the caller gives (load_aheads and store_aheads of KernelCall,
// vector_kernel.h).
//
// A flat kernel, whose data is one long row, is a loop over several vectors at once, a loop over
// single vectors, and a rest: with AVX-512 one masked vector, with AVX2 a loop over single
// elements.

#include "autodiff/codegen/vector_jit.h"

#include <xbyak/xbyak.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "autodiff/codegen/jit_plan.h"
#include "autodiff/codegen/jit_sums.h"

namespace cotangent::autodiff::codegen {
namespace jit {
namespace {

class Assembler : public SumEmitter {
 public:
  // `spill_slots` is the number of vectors that the stack frame has room for when registers run
  // out.
  Assembler(const KernelPlan& plan, int spill_slots) : SumEmitter(plan, spill_slots) {}

  void Assemble();
  MachineCode Take();

 private:
  void Loops();
  void FlatLoops();
  void ColumnLoops();
  // Emits the loop over the rows of one group of columns. The register rcx holds the number of
  // rows.
  void Group(const Shape& shape);
  void Rows(const Shape& shape);
  void SetTailMask(int lanes);
  void Body(const Shape& shape);
  void EmitStep(const Step& step);

  Shape main_shape_;  // of the widest body, for the description
};

void Assembler::Assemble() {
  Prologue();
  const bool any_streaming =
      std::any_of(plan_.program.outputs().begin(), plan_.program.outputs().end(),
                  [](const auto& output) { return output.hint == StoreHint::kStreaming; });
  // Non-temporal stores are used only if every vector of a row is full, or in a flat kernel; they
  // do not pay for partly filled vectors, which always have ordinary stores. The addresses decide
  // at run time between loops with non-temporal and loops with ordinary stores.
  if (any_streaming && plan_.columns % plan_.width == 0) {
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
  if (plan_.columns == 0) {
    FlatLoops();
  } else {
    ColumnLoops();
  }
}

void Assembler::FlatLoops() {
  const Shape wide = {.across = plan_.ChooseShape(kNever, 0).copies()};
  const Shape single = {};
  main_shape_ = wide;
  LoadPointers(/*at_column=*/false);
  column_index_ = true;
  xor_(ebp, ebp);
  mov(rcx, RowsLeft());
  PinRegisters(wide);
  LoadPinned(wide);
  InitializeSums(wide);

  Label singles, single_loop, rest, done;
  const auto loop = [&](const Shape& shape, Label& next) {
    Label top;
    const int elements = shape.across * plan_.width;
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
  if (plan_.avx512) {
    test(rcx, rcx);
    jle(done, T_NEAR);
    mov(eax, 1);
    shl(eax, cl);
    sub(eax, 1);
    kmovw(Opmask(kTailMask), eax);
    Body({.tail = plan_.width});
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
  if (!plan_.avx512 || lanes == 0) return;
  mov(eax, (1u << lanes) - 1);
  kmovw(Opmask(kTailMask), eax);
}

void Assembler::ColumnLoops() {
  const int vectors = (plan_.columns + plan_.width - 1) / plan_.width;
  const int tail = plan_.columns % plan_.width;
  const Shape widest = plan_.ChooseShape(vectors, tail);
  main_shape_ = widest;
  if (widest.across == vectors) {
    LoadPointers(/*at_column=*/false);
    mov(rcx, RowsLeft());
    SetTailMask(tail);
    Group(widest);
    return;
  }
  const int full_vectors = plan_.columns / plan_.width;
  const int groups = full_vectors / widest.across;
  const int rest = vectors - groups * widest.across;
  int row_bytes = 0;
  for (const Walk& stream : streams_) row_bytes += stream.size * plan_.columns;
  const int block_rows =
      std::clamp(24 * 1024 / std::max(row_bytes, 1), 8, 64) / widest.down * widest.down;

  column_index_ = true;
  SetTailMask(tail);
  Label block, done;
  cmp(RowsLeft(), 0);
  jle(done, T_NEAR);
  L(block);
  mov(eax, block_rows);
  cmp(rax, RowsLeft());
  cmovg(rax, RowsLeft());
  mov(BlockRows(), rax);
  xor_(ebp, ebp);
  if (groups > 0) {
    Label group;
    L(group);
    LoadPointers(/*at_column=*/true);
    mov(rcx, BlockRows());
    Group({.across = widest.across, .down = widest.down});
    add(rbp, widest.across * plan_.width);
    cmp(rbp, groups * widest.across * plan_.width);
    jl(group, T_NEAR);
  }
  if (rest > 0) {
    LoadPointers(/*at_column=*/true);
    mov(rcx, BlockRows());
    Group({.across = rest, .down = std::max(1, widest.copies() / rest), .tail = tail});
  }
  for (const Walk& stream : streams_) AdvanceBlock(stream);
  mov(rax, BlockRows());
  sub(RowsLeft(), rax);
  jg(block, T_NEAR);
  L(done);
  column_index_ = false;
}

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

void Assembler::Body(const Shape& shape) {
  at_.shape = shape;
  BeginBody();
  for (at_.step = 0; at_.step < static_cast<int>(plan_.steps.size()); ++at_.step) {
    for (at_.copy = 0; at_.copy < shape.copies(); ++at_.copy) EmitStep(plan_.steps[at_.step]);
  }
  EndBody();
  at_.copy = 0;
}

void Assembler::EmitStep(const Step& step) {
  switch (step.kind) {
    case Step::kCompute:
      EmitCompute(step.value, plan_.instructions[step.value]);
      break;
    case Step::kStore:
      EmitStore(step);
      break;
    case Step::kSum:
      EmitSum(step);
      break;
  }
  for (const Value v : plan_.StepOperands(step)) {
    if (DiesHere(v)) Release(v);
  }
  EndStep();
}

MachineCode Assembler::Take() {
  MachineCode code;
  code.bytes.assign(getCode(), getCode() + getSize());
  code.description = absl::StrCat(
      Name(plan_.isa), ", ", plan_.columns == 0 ? "flat" : absl::StrCat(plan_.columns, " columns"),
      ", ", main_shape_.across, " x ", main_shape_.down, " vectors at once, ", plan_.steps.size(),
      " operations, ", spill_slots_used(), " spills, ", code.bytes.size(), " bytes of code");
  return code;
}

}  // namespace
}  // namespace jit

absl::StatusOr<MachineCode> AssembleKernel(const VectorProgram& program,
                                           const KernelOptions& options) {
  const jit::KernelPlan plan(program, options);
  try {
    // The first assembly finds out for how many vectors the frame must have room.
    jit::Assembler draft(plan, /*spill_slots=*/0);
    draft.Assemble();
    if (draft.spill_slots_used() == 0) return draft.Take();
    jit::Assembler final(plan, draft.spill_slots_used());
    final.Assemble();
    return final.Take();
  } catch (const Xbyak::Error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot assemble a vector kernel: ", error.what()));
  }
}

}  // namespace cotangent::autodiff::codegen
