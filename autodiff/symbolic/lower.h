#ifndef COTANGENT_AUTODIFF_SYMBOLIC_LOWER_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_LOWER_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/codegen/vector_program.h"
#include "autodiff/symbolic/expression.h"

namespace cotangent::autodiff::symbolic {

// Maps the name of each variable to the value of the vector program that holds the variable.
using VariableValues = absl::flat_hash_map<std::string, codegen::Value>;

// Appends instructions that compute `e`, in textbook form (Plain() in differentiate.h), to
// `program`, and returns the value that holds the result. Arithmetic is in f32 (32-bit floats), but
// constant subexpressions are computed in double first. Common subexpressions are computed once,
// also those that `program` contains already, and several divisions by the same value become
// multiplications by one reciprocal. Fails if a variable has no value (the message names it), if a
// constant subexpression is outside its domain, or if vector programs lack an operation (gamma,
// lgamma, polygamma).
absl::StatusOr<codegen::Value> Lower(Expr e, const VariableValues& variables,
                                     codegen::VectorProgram& program);

// Appends instructions that compute several expressions, such as a formula and its derivatives;
// subexpressions that they share are computed once.
absl::StatusOr<std::vector<codegen::Value>> Lower(absl::Span<const Expr> roots,
                                                  const VariableValues& variables,
                                                  codegen::VectorProgram& program);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LOWER_H_
