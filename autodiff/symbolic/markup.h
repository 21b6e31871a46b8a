// How formulas are written, whatever the language: the traversal that puts operands, signs and
// parentheses in order. print.h is for users.
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

// What binds how tightly: a piece in a place that asks for more than it has is put in parentheses.
enum Precedence { kSum = 1, kProduct = 2, kPower = 3, kAtom = 4 };

// What is left to print: a finished string, or an expression with the precedence its place asks
// for.
struct Piece {
  Piece(std::string t) : text(std::move(t)) {}  // NOLINT
  Piece(const char* t) : text(t) {}             // NOLINT
  Piece(Expr e, Precedence p) : expr(e), place(p) {}
  std::string text;
  Expr expr;
  Precedence place = kSum;
};
using Pieces = std::vector<Piece>;

// How one output language writes things. The traversal below is the same for all of them.
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
  // Factors of the numerator and the denominator.
  virtual Pieces Fraction(Pieces above, Pieces below) const = 0;
  // The base of a power, in parentheses where it needs them.
  virtual Pieces Base(Expr base) const { return {Piece(base, kAtom)}; }
  virtual Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const = 0;
  virtual Pieces Root(Expr a) const = 0;
  virtual Pieces Call(Expr e) const = 0;
  // Whether a fraction needs no parentheses around its parts.
  virtual bool Stacked() const = 0;
};

bool DecimalText(const Number& n);
void Append(Pieces* to, Pieces more);
// f(a, b), for what has no notation of its own.
Pieces PlainCall(const std::string& name, Expr e, const Markup& markup, const char* comma);
// A table's "...{0}...{1}..." with the arguments for the numbers.
Pieces FilledIn(const char* form, Expr e, const Markup& markup);

// w1 and w_1 are w with subscript 1.
std::pair<std::string, std::string> SplitSubscript(const std::string& name);

// `root` in a language. Expressions of `named` are written as their names, but for root itself.
std::string Print(const Markup& markup, Expr root,
                  const absl::flat_hash_map<Expr, std::string>& named = {});

// Several at once: u1, u2, ... stand for what they share, where their text would be longer than
// `least` nodes and much longer than they are.
SharedText PrintShared(const Markup& markup, absl::Span<const Expr> roots, size_t least);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_MARKUP_H_
