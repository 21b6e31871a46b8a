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
// value. If the text would be long because subexpressions occur several times in e, or very deep,
// subexpressions get names: "u1 = x + y; u1^2*sin(u1)".
std::string ToText(Expr e);

// Several expressions as text. If the text would be long because subexpressions occur several
// times, or very deep, subexpressions get names: `definitions` holds pairs of name and formula, in
// an order in which each uses only names of earlier ones; `texts` holds one text for each
// expression.
struct SharedText {
  std::vector<std::pair<std::string, std::string>> definitions;
  std::vector<std::string> texts;
};
SharedText ToText(absl::Span<const Expr> expressions);
SharedText ToLatex(absl::Span<const Expr> expressions);

// Returns e in LaTeX for math mode: "\frac{x}{1 + \left|x\right|}". The names w1 and w_1 are
// written with a subscript, names of Greek letters as those letters; a name that would then look
// like another's is written as it is: \mathtt{w\_1}. A very long formula names shared
// subexpressions, as in ToText().
std::string ToLatex(Expr e);

// Returns the LaTeX of each expression, for formulas that are read beside each other: as ToLatex(),
// but a name looks the same in all of them, and like no other variable's.
std::vector<std::string> LatexOfEach(absl::Span<const Expr> expressions);

// Returns e as a MathML <math> element (presentation markup, MathML Core) for an HTML page.
std::string ToMathMl(Expr e);

// Returns the content of the <math> element that ToMathMl() returns, an <mrow>, for use inside
// other MathML.
std::string ToMathMlRow(Expr e);

// Returns the row of each expression, with names as in LatexOfEach().
std::vector<std::string> MathMlRowOfEach(absl::Span<const Expr> expressions);

// Returns the source of a C++ function called `name` that computes `outputs` from double arguments,
// the `variables` in order. The source uses only <cmath>, and <array> for several outputs, and
// computes each shared subexpression once:
//
//   std::array<double, 2> NAME(double x, double y) { const double v1 = ...; return {v1, v2}; }
//
// For a single output the function returns a double. If the outputs contain the polygamma function,
// the source begins with a definition of it. Names of variables that C++ reserves are changed.
// REQUIRES: `variables` contains every variable of the outputs.
std::string ToCpp(absl::string_view name, absl::Span<const Expr> outputs,
                  absl::Span<const Expr> variables);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_
