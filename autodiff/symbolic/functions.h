#ifndef COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Lists the functions that formula text may call (relu, gelu, ...), built from the operations of
// expression.h. The parser looks names up in this table. Values, and derivatives at kinks, are
// those of autodiff/math.h and <cmath>, except that max and min are NaN if an argument is.
namespace cotangent::autodiff::symbolic {

struct NamedFunction {
  const char* name;
  int min_arguments;
  int max_arguments;  // -1: no limit
  // Builds the expression. The result is null only for polygamma(n, x) with an n that is not a
  // constant whole number from 0 to 100.
  Expr (*build)(absl::Span<const Expr> args);
};

// Returns all functions, sorted by name.
absl::Span<const NamedFunction> NamedFunctions();
// Returns the function called `name`, or null if there is none.
const NamedFunction* FindFunction(const char* name);

Expr LeakyRelu(Expr x, Expr slope);
Expr Elu(Expr x, Expr alpha);
Expr Softsign(Expr x);
Expr Gelu(Expr x);      // x Phi(x), with the normal distribution Phi written in erfc
Expr GeluTanh(Expr x);  // x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))
Expr Silu(Expr x);
Expr HardSwish(Expr x);
Expr Mish(Expr x);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_
