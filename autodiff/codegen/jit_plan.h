// What a vector kernel does, before any register or instruction is chosen: the steps of its body,
// who reads which value, and how many vectors the body works on at once.
#ifndef COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_
#define COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_

#include <limits>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen::jit {

// Most vectors that a body works on at once.
inline constexpr int kMostCopies = 4;
inline constexpr int kNever = std::numeric_limits<int>::max();

// A step of the body: a value to compute, an output to store or a sum to add to.
struct Step {
  enum Kind { kCompute, kStore, kSum } kind;
  Value value;
  int slot = 0;  // of the output or the sum
};

// On how many vectors a body works: its copies, of which each step is emitted in turn.
struct Shape {
  int across = 1;  // vectors side by side in a row
  int down = 1;    // rows
  int tail = 0;    // lanes of the last vector of a row that belong to it; 0: all
  int copies() const { return across * down; }
};

// An array that the loop walks along: an input or an output.
struct Stream {
  bool is_store;
  int slot;  // among the program's loads or outputs
  int size;  // bytes of an element
};

struct KernelPlan {
  KernelPlan(const VectorProgram& program, const KernelOptions& options);

  // Whether the value is the same in every row: a constant, a scalar or a channel operand.
  bool IsInvariant(Value v) const;
  // Whether the value lives in a mask register; AVX2 keeps masks in vector registers.
  bool InMaskRegister(Value v) const { return avx512 && program.IsMask(v); }
  std::vector<Value> StepOperands(const Step& step) const;
  // The most values alive at once, for each copy: in vector registers, and in mask registers.
  int Peak() const;
  int MaskPeak() const;
  // The shape that has as many copies as registers allow, for rows of `vectors` vectors, the last
  // of which has `tail` lanes (0: all).
  Shape ChooseShape(int vectors, int tail) const;

  const VectorProgram& program;
  const std::vector<Instruction>& instructions;
  const Isa isa;
  const int columns;  // of a row; 0: a flat kernel
  const bool avx512;
  const int width;  // floats in a vector
  const int vector_registers;

  std::vector<Step> steps;
  std::vector<std::vector<int>> uses;  // of each value: the steps that read it, in order
  std::vector<Stream> streams;
  std::vector<bool> channel_used;  // by channel operand

 private:
  void ListSteps();
};

}  // namespace cotangent::autodiff::codegen::jit

#endif  // COTANGENT_AUTODIFF_CODEGEN_JIT_PLAN_H_
