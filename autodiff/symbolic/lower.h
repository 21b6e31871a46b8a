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

// The value of each variable, by name.
using VariableValues = absl::flat_hash_map<std::string, codegen::Value>;

// Appends the computation of `e` to a program. Arithmetic is in f32: constants are computed in
// double first; common subexpressions, also with what the program holds already, are computed once;
// divisions by the same thing become one reciprocal. Errors: a variable without a value, by name; a
// constant subexpression outside its domain.
absl::StatusOr<codegen::Value> Lower(Expr e, const VariableValues& variables,
                                     codegen::VectorProgram& program);

// Several at once, sharing their work: a formula and its derivatives.
absl::StatusOr<std::vector<codegen::Value>> Lower(absl::Span<const Expr> roots,
                                                  const VariableValues& variables,
                                                  codegen::VectorProgram& program);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_LOWER_H_
