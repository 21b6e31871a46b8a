#ifndef COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "autodiff/symbolic/expression.h"

// Reads formula text into an expression.
//
//   x^2*sin(y) + ln(z)      operators + - * / ^ (or **); ^ binds tightest and to the right: -x^2
//                           is -(x^2)
//   u = x + y; u*(u + 1)    named subexpressions, with or without "let"; the last statement is
//                           the value
//   if(a < b, x, y)         also with <=, >, >=; select(a, b, x, y) is the same as with <
//   abs(x), pi, e           |x| and the constants; numbers are 12, 0.044715 (read exactly), 1e-3
//
// Functions: exp exp2 ln (or log) log2 log10 log1p expm1 sqrt cbrt sqr pow hypot sin cos tan asin
// acos atan atan2(y, x) sinh cosh tanh sech asinh acosh atanh erf erfc gamma lgamma digamma
// polygamma(n, x) abs sign step (or heaviside) floor ceil round trunc min max clamp(x, low, high)
// logsumexp, mod(x, y), whose result has the sign of y, and fmod(x, y), whose result has the sign
// of x. Activations: relu leaky_relu(x, slope = 0.01) elu(x, alpha = 1) selu sigmoid hard_sigmoid
// softplus softsign gelu gelu_tanh silu hard_swish mish. The functions min, max, hypot and
// logsumexp take two or more arguments.
namespace cotangent::autodiff::symbolic {

struct ParseOptions {
  // The variables that a formula may use. If not set, any name may be a variable.
  std::optional<std::vector<std::string>> variables;
  // How deep parentheses, calls and powers may be nested. The parser recurses over them; this depth
  // fits on a stack of a few megabytes, even with the larger stack frames of a sanitizer build.
  int max_depth = 250;
  // The text before ":line:column: " in error messages, such as a file's name.
  std::string source = "formula";
};

// Returns the expression, made in `pool`. Returns InvalidArgument for a syntax error ("formula:1:7:
// found ')', expected a number, a name, '(' or '-'"), an unknown function (the message names the
// nearest one), a variable that is not allowed (the message lists those that are), arguments that a
// function does not take, a definition of a name that is in use, a number beyond the range of
// doubles, a division by the constant 0, or nesting that is too deep.
absl::StatusOr<Expr> Parse(absl::string_view text, Pool& pool, const ParseOptions& options = {});

// Returns the names, sorted, of all functions that the head of this file lists: "select" is among
// them, "if" is not.
std::vector<std::string> FunctionNames();

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_PARSE_H_
