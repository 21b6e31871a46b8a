#ifndef COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

namespace cotangent::autodiff::symbolic {

// Formula text: "x/(1 + abs(x))". Parse() (parse.h) reads it back to the same value. A graph whose
// text would be long beside its nodes names what is shared: "u1 = x + y; u1^2*sin(u1)".
std::string ToText(Expr e);

// Several at once: what they share, where writing it out each time would make the text long, is
// named in `definitions` (name and formula, in order).
struct SharedText {
  std::vector<std::pair<std::string, std::string>> definitions;
  std::vector<std::string> texts;
};
SharedText ToText(absl::Span<const Expr> expressions);
SharedText ToLatex(absl::Span<const Expr> expressions);

// LaTeX for math mode: "\frac{x}{1 + \left|x\right|}". Variables w1, w_1 and names of Greek letters
// read as they should.
std::string ToLatex(Expr e);

// A MathML <math> element (presentation markup, MathML Core), to stand in an HTML page as it is.
std::string ToMathMl(Expr e);

// The inside of that element, to be put together with other markup.
std::string ToMathMlRow(Expr e);

// A C++ function that computes `outputs` from double arguments (`variables`, in order) with <cmath>
// alone, each shared
// subexpression once:   std::array<double, 2> NAME(double x, double y) { const double v1 = ...; return {v1, v2}; }
// A single output returns double. Every variable of the outputs is in `variables`.
std::string ToCpp(absl::string_view name, absl::Span<const Expr> outputs,
                  absl::Span<const Expr> variables);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_PRINT_H_
