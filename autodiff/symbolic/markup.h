// The part of printing that all output languages share: the walk over an expression that places
// operands, signs and parentheses. For the implementations of printing only; users include print.h.
#ifndef COTANGENT_AUTODIFF_SYMBOLIC_MARKUP_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_MARKUP_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/print.h"

namespace cotangent::autodiff::symbolic {

// How tightly parts of a formula bind. A part is put in parentheses if the text around it asks for
// tighter binding than the part has.
enum Precedence { kSum = 1, kProduct = 2, kPower = 3, kAtom = 4 };

// A part of the output that is still to be printed: either finished text, or an expression and the
// precedence (`place`) that the text around it asks for.
struct Piece {
  Piece(std::string t) : text(std::move(t)) {}  // NOLINT
  Piece(const char* t) : text(t) {}             // NOLINT
  Piece(Expr e, Precedence p) : expr(e), place(p) {}
  std::string text;
  Expr expr;
  Precedence place = kSum;
};
using Pieces = std::vector<Piece>;

// The notation of one output language, such as LaTeX. Print() below walks over an expression in the
// same way for all languages.
class Markup {
 public:
  virtual ~Markup() = default;
  virtual std::string Constant(const Number& n) const = 0;
  virtual std::string Name(const std::string& name) const = 0;
  virtual std::string Pi() const = 0;
  virtual std::string E() const = 0;
  virtual std::string Operator(char op) const = 0;  // '+', '-', 'n' (negation), '*'
  virtual std::string Open() const = 0;
  virtual std::string Close() const = 0;
  // Returns a fraction with the factors `above` in the numerator and `below` in the denominator.
  virtual Pieces Fraction(Pieces above, Pieces below) const = 0;
  // Returns the base of a power, in parentheses if it needs them.
  virtual Pieces Base(Expr base) const { return {Piece(base, kAtom)}; }
  // Returns a power. `exponent` is a positive constant, or null if the exponent is `exponent_expr`.
  virtual Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const = 0;
  // Returns the square root of a.
  virtual Pieces Root(Expr a) const = 0;
  // Returns the call of a function, the operation at the root of e.
  virtual Pieces Call(Expr e) const = 0;
  // Returns whether fractions are drawn with a horizontal bar, so that their parts need no
  // parentheses.
  virtual bool Stacked() const = 0;
};

// Returns whether the text of n is a decimal number or an integer, not a fraction such as 1/3.
bool DecimalText(const Number& n);
void Append(Pieces* to, Pieces more);
// Returns the call "name(a, b)" of the operation e, for operations that have no notation of their
// own.
Pieces PlainCall(const std::string& name, Expr e, const Markup& markup, const char* comma);
// Returns the template `form`, such as "\sin\left({0}\right)" from operations.inc, with {0}, {1},
// ... replaced by the arguments of e.
Pieces FilledIn(const char* form, Expr e, const Markup& markup);

// Splits the name of a variable into letters and subscript: both w1 and w_1 give ("w", "1").
std::pair<std::string, std::string> SplitSubscript(const std::string& name);

// Returns the text of `root` in the language of `markup`. Subexpressions that are keys of `named`
// appear as their names, which are in that language, too; root itself is always written out.
std::string Print(const Markup& markup, Expr root,
                  const absl::flat_hash_map<Expr, std::string>& named = {});

// Returns the texts of several expressions. If they would be long, subexpressions that they would
// repeat get the names u1, u2, ... and are written once; so is one at every 200th level of a deep
// expression. The texts are long if they have more than `least` nodes, each counted as often as it
// is written, and more than twice the nodes of the graph, or if the graph itself has at least 2000
// and at least `least` nodes.
SharedText PrintShared(const Markup& markup, absl::Span<const Expr> roots, size_t least);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_MARKUP_H_
