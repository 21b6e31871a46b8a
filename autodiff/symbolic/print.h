#ifndef COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

namespace cotangent::autodiff::symbolic {

// Returns e as formula text: "x/(1 + abs(x))". Parse() (parse.h) reads the text back to the same
// value. If the text would be long because subexpressions occur several times in e, these
// subexpressions get names: "u1 = x + y; u1^2*sin(u1)".
std::string ToText(Expr e);

// Holds several expressions as text. If the text would be long because subexpressions occur several
// times, these subexpressions get names: `definitions` holds pairs of name and formula, in order.
struct SharedText {
  std::vector<std::pair<std::string, std::string>> definitions;
  std::vector<std::string> texts;
};
SharedText ToText(absl::Span<const Expr> expressions);
SharedText ToLatex(absl::Span<const Expr> expressions);

// Returns e in LaTeX for math mode: "\frac{x}{1 + \left|x\right|}". The names w1 and w_1 are
// written with a subscript, names of Greek letters as those letters.
std::string ToLatex(Expr e);

// Returns e as a MathML <math> element (presentation markup, MathML Core) for an HTML page.
std::string ToMathMl(Expr e);

// Returns the content of the <math> element that ToMathMl() returns, an <mrow>, for use inside
// other MathML.
std::string ToMathMlRow(Expr e);

// Returns the source of a C++ function called `name` that computes `outputs` from double arguments,
// the `variables` in order. It uses only <cmath> and computes each shared subexpression once:
//
//   std::array<double, 2> NAME(double x, double y) { const double v1 = ...; return {v1, v2}; }
//
// For a single output it returns a double. REQUIRES: `variables` contains every variable of the
// outputs.
std::string ToCpp(absl::string_view name, absl::Span<const Expr> outputs,
                  absl::Span<const Expr> variables);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_
