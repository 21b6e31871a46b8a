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

// Formulas compiled to run over arrays of floats, in one pass: a function, or a function and its
// derivatives, which share their common subexpressions.
//
//   Pool pool;
//   Expr x = pool.Variable("x");
//   Expr f = Silu(x);
//   ASSIGN_OR_RETURN(auto silu, CompiledFunction::Compile({f, Differentiate(f, x)}, {x}));
//   silu({points}, {values, slopes}, 1 << 24);
//
// Arithmetic is in f32, elementary functions are good to a few units in the last place
// (vector_program.h). It refers to nothing in the Pool it was made from; any number of threads may
// call one at once, each for a range of its own. It starts no threads.
class CompiledFunction {
 public:
  // Errors: a variable of the outputs that `variables` does not list; a constant subexpression
  // outside its domain.
  static absl::StatusOr<CompiledFunction> Compile(absl::Span<const Expr> outputs,
                                                  absl::Span<const Expr> variables,
                                                  codegen::Isa isa = codegen::BestIsa());

  // outputs[i][j] = output i at (inputs[0][j], inputs[1][j], ...) for 0 <= j < size. An output may
  // be the same array as an input; other overlaps are not allowed.
  void operator()(absl::Span<const float* const> inputs, absl::Span<float* const> outputs,
                  int64_t size) const;

  const std::string& Describe() const { return cached_->Describe(); }

 private:
  CompiledFunction() = default;

  std::unique_ptr<codegen::VectorKernel> cached_;
  // Stores past the caches: for arrays far larger than they are, this spares reading what is
  // overwritten.
  std::unique_ptr<codegen::VectorKernel> streaming_;
};

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_COMPILED_FUNCTION_H_
