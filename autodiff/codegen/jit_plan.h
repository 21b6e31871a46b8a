// The plan of a vector kernel (machine code that applies a VectorProgram to rows of elements;
// vector_kernel.h), made before any register or instruction is chosen. The kernel is a loop over
// the rows. The plan has the steps of the loop's body, which steps read which value, and on how
// many vectors the body works at once.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_

#include <limits>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen::jit {

// The largest number of vectors that a body works on at once.
inline constexpr int kMostCopies = 4;
inline constexpr int kNever = std::numeric_limits<int>::max();  // later than any step

// A step of the loop's body: it computes a value, stores an output or adds to a sum.
struct Step {
  enum Kind { kCompute, kStore, kSum } kind;
  Value value;
  int slot = 0;  // for kStore and kSum: the index of the output or the sum
};

// The vectors that a body works on at once, which are called copies: `across` vectors side by side
// in each of `down` rows. Each step is emitted for all copies in turn.
struct Shape {
  int across = 1;  // vectors side by side in a row
  int down = 1;    // rows
  // How many lanes of a row's last vector belong to the row; 0: all. A flat kernel (one without
  // columns) has a body of its own for the last elements, which do not fill a vector. With AVX2
  // this body works on one element at a time, and `tail` is 1; with AVX-512 it works on the lanes
  // that the mask in register k1 selects, and `tail` is a vector's width.
  int tail = 0;
  int copies() const { return across * down; }
};

// An array that the loop walks along: an input or an output.
struct Stream {
  bool is_store;
  int slot;  // index among the program's loads or outputs
  int size;  // bytes of an element
};

struct KernelPlan {
  KernelPlan(const VectorProgram& program, const KernelOptions& options);

  // Returns whether the value is the same in every row: a constant, a scalar or a channel operand
  // (one float for each column).
  bool IsInvariant(Value v) const;
  // Returns whether the value is a mask (the result of a comparison) that is in a mask register.
  // AVX2 has no mask registers; its masks are in vector registers.
  bool InMaskRegister(Value v) const { return avx512 && program.IsMask(v); }
  // Returns the values that the step reads.
  std::vector<Value> StepOperands(const Step& step) const;
  // Return the largest number of values of one copy that are alive at the same time (computed, and
  // read again later): Peak() counts those in vector registers (without invariant ones; at least
  // 1), MaskPeak() those in mask registers.
  int Peak() const;
  int MaskPeak() const;
  // Returns the shape with as many copies as the registers allow, at most kMostCopies, or with
  // fewer if a row is then a whole number of bodies wide. A row has `vectors` vectors; `tail` lanes
  // of the last one belong to the row (0: all).
  Shape ChooseShape(int vectors, int tail) const;

  const VectorProgram& program;
  const std::vector<Instruction>& instructions;
  const InstructionSet isa;
  const int columns;  // elements in a row; 0: a flat kernel, whose data is one long row
  const bool avx512;
  const int width;  // floats in a vector
  const int vector_registers;

  std::vector<Step> steps;
  std::vector<std::vector<int>> uses;  // for each value: indices of the steps that read it
  std::vector<Stream> streams;
  std::vector<bool> channel_used;  // for each channel operand

 private:
  void ListSteps();
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_
