#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_INTERPRETER_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_INTERPRETER_H_

#include <cstdint>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen {

// Runs a VectorProgram in plain C++, a block of elements at a time. Kernels for
// InstructionSet::kPortable use the interpreter, and the tests compare the compiled kernels with
// it.
class VectorInterpreter {
 public:
  // `columns` is the number of elements in a row; 0 means one row, whose length each call gives
  // (KernelOptions in vector_kernel.h).
  VectorInterpreter(const VectorProgram& program, int columns);

  void Run(const KernelCall& call) const;

  int num_steps() const { return static_cast<int>(steps_.size()); }

 private:
  static constexpr int kBlock = 64;

  // An instruction and the numbers of the registers for its result and its operands (-1: no such
  // operand). A register is a block of kBlock floats.
  struct Step {
    Instruction instruction;
    int result, a, b, c;
  };
  struct Output {
    int source;
    ElementType type;
  };

  void AssignRegisters(const VectorProgram& program);
  // Runs the rows (of a flat kernel: the elements) from `begin` on, without `end`.
  void RunPart(const KernelCall& call, float* registers, int64_t begin, int64_t end) const;
  void RunBlock(const KernelCall& call, float* registers, int64_t row, int64_t column,
                int count) const;
  void LoadBlock(const Instruction& load, const KernelCall& call, int64_t row, int64_t column,
                 int count, float* result) const;
  const char* RowAddress(const void* base, const int64_t* strides, int operand, int64_t row) const;

  int columns_;
  int num_registers_ = 0;
  std::vector<Step> steps_;
  std::vector<Output> outputs_;
  std::vector<int> sums_;
};

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_INTERPRETER_H_
