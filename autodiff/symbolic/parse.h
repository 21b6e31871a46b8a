#ifndef COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "autodiff/symbolic/expression.h"

// Formula text to expression.
//
//   x^2*sin(y) + ln(z)                 + - * / ^ (or **), ^ binds tightest and to the right: -x^2 is -(x^2)
//   u = x + y; u*(u + 1)               named subexpressions, with or without "let"; the last statement is the value
//   if(a < b, x, y)                    also <=, >, >=; select(a, b, x, y) is the same
//   |x| is written abs(x), constants pi and e, numbers 12, 0.044715 (read exactly), 1e-3
//
// Functions: exp exp2 ln (or log) log2 log10 log1p expm1 sqrt cbrt sqr pow hypot sin cos tan asin acos
// atan atan2(y, x) sinh cosh tanh sech asinh acosh atanh erf erfc gamma lgamma digamma
// polygamma(n, x) abs sign step (or heaviside) floor ceil round trunc mod(x, y), whose result has y's
// sign, fmod(x, y), whose result has x's, min max clamp(x, low, high) logsumexp, and the activations
// relu leaky_relu(x, slope = 0.01) elu(x, alpha = 1) selu sigmoid hard_sigmoid softplus softsign gelu
// gelu_tanh silu hard_swish mish; min, max, hypot and logsumexp take two or more arguments.
namespace cotangent::autodiff::symbolic {

struct ParseOptions {
  // The variables a formula may use; any name when not set.
  std::optional<std::vector<std::string>> variables;
  // Parentheses, calls and powers may be nested this deep: what a stack of a few megabytes holds,
  // with a sanitizer's frames, too.
  int max_depth = 250;
  // What stands before "line:column: " in errors, such as a file's name.
  std::string source = "formula";
};

// Errors (InvalidArgument): "formula:1:7: found ')', expected a number, a name, '(' or '-'", an
// unknown function (with the nearest name), a variable that is not allowed (with those that are), a
// wrong number of arguments, nesting too deep.
absl::StatusOr<Expr> Parse(absl::string_view text, Pool& pool, const ParseOptions& options = {});

// The names of all functions above, sorted.
std::vector<std::string> FunctionNames();

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_
