#ifndef COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// The functions formula text knows, as combinations of the primitives: one table that the parser
// reads. Their values, derivatives and kinks are those of autodiff/math.h.
namespace cotangent::autodiff::symbolic {

struct NamedFunction {
  const char* name;
  int min_arguments;
  int max_arguments;  // -1: any number
  // Null where the first argument has to be a whole number from 0 to 100 and is not.
  Expr (*build)(absl::Span<const Expr> args);
};

absl::Span<const NamedFunction> NamedFunctions();
// Null when there is none of that name.
const NamedFunction* FindFunction(const char* name);

Expr LeakyRelu(Expr x, Expr slope);
Expr Elu(Expr x, Expr alpha);
Expr Softsign(Expr x);
Expr Gelu(Expr x);      // x Phi(x), Phi by erfc
Expr GeluTanh(Expr x);  // x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), which is the tanh form
Expr Silu(Expr x);
Expr HardSwish(Expr x);
Expr Mish(Expr x);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_FUNCTIONS_H_
