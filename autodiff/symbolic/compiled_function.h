#ifndef COTANGENT_AUTODIFF_SYMBOLIC_COMPILED_FUNCTION_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_COMPILED_FUNCTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/symbolic/expression.h"

namespace cotangent::autodiff::symbolic {

// A CompiledFunction holds formulas compiled at run time into machine code that computes them over
// arrays of floats in one pass. Typically the formulas are a function and its derivatives;
// subexpressions that they share are computed once.
//
//   Pool pool;
//   Expr x = pool.Variable("x");
//   Expr f = Silu(x);
//   ASSIGN_OR_RETURN(auto silu, CompiledFunction::Compile({f, Differentiate(f, x)}, {x}));
//   silu({points}, {values, slopes}, 1 << 24);
//
// Arithmetic is in f32 (32-bit floats). Most elementary functions, such as exp, are accurate to a
// few units in the last place; others, such as sin near its zeros, are less accurate.
// autodiff/codegen/vector_program.h lists the errors. A CompiledFunction does not refer to the Pool
// of its formulas. It starts no threads; several threads may call one CompiledFunction at once if
// each writes a range of its own.
class CompiledFunction {
 public:
  // Compiles `outputs` as functions of `variables` for the instruction set `isa`. Fails if an
  // output contains a variable that `variables` does not list, an operation that vector programs
  // lack (gamma, lgamma, polygamma), or a constant subexpression outside its domain, such as
  // ln(-1).
  static absl::StatusOr<CompiledFunction> Compile(absl::Span<const Expr> outputs,
                                                  absl::Span<const Expr> variables,
                                                  InstructionSet isa = WidestInstructionSet());

  // Sets outputs[i][j] to the value of output i at (inputs[0][j], inputs[1][j], ...) for 0 <= j <
  // size; inputs[k] holds the values of variable k. An output array may be the same array as an
  // input; otherwise outputs must not overlap inputs or each other.
  void operator()(absl::Span<const float* const> inputs, absl::Span<float* const> outputs,
                  int64_t size) const;

  const std::string& Describe() const { return cached_->Describe(); }

 private:
  CompiledFunction() = default;

  std::unique_ptr<codegen::VectorKernel> cached_;
  // The same computation with non-temporal stores, which bypass the caches. For arrays far larger
  // than the caches this saves reading cache lines that are overwritten anyway.
  std::unique_ptr<codegen::VectorKernel> streaming_;
};

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_COMPILED_FUNCTION_H_
