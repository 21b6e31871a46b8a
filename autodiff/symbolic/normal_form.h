#ifndef COTANGENT_AUTODIFF_SYMBOLIC_NORMAL_FORM_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_NORMAL_FORM_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/polynomial.h"

// The normal form behind Simplify and Equal (simplify.h): a fraction of polynomials over "atoms"
// (variables, and functions of normal forms), reduced by the relations between atoms that hold at
// every point of the real domain: exp(a + b) = exp(a) exp(b), |u|^2 = u^2, u sign(u) = |u|,
// sign(u)^3 = sign(u), sqrt(u)^2 = u, and in a full normal form sin^2 = 1 - cos^2, angle sums, ln
// of products, and everything hyperbolic or sigmoidal written in exp.
//
// Writing u for u wherever an expression contains ln(u) or sqrt(u), u >= 0 is known there and used:
// the form has the expression's value at every point where that is defined, and may be defined at
// more (x / x is 1).
namespace cotangent::autodiff::symbolic {

// How much work a normal form may take: products and comparisons of two terms, about a microsecond
// each.
class Budget {
 public:
  explicit Budget(int64_t work = 20'000'000) : left_(work) {}

  // False once it is used up, and from then on.
  bool Spend(int64_t work) {
    left_ -= work;
    return left_ >= 0;
  }
  bool exhausted() const { return left_ < 0; }

 private:
  int64_t left_;
};

struct Fraction {
  Polynomial numerator;
  std::map<Polynomial, int> denominator;  // Primitive factors with their powers.
};

class Normalizer {
 public:
  enum class Mode {
    kShallow,  // For people: functions stay as they are written.
    kFull,     // For deciding equality: as few different functions as possible.
  };
  // A base known to be positive (1) or negative (-1).
  using Signs = std::vector<std::pair<Expr, int>>;

  // With a `budget` of nullptr it has one of its own.
  Normalizer(Pool& pool, Mode mode, Signs known_signs = {}, Budget* budget = nullptr);

  // Nothing when an intermediate result grows too large, the budget is used up, or a constant is not
  // exact.
  std::optional<Fraction> Normalize(Expr e);

  // Of what Normalize() returned.
  bool IsZero(const Fraction& f);
  Expr ToExpr(const Fraction& f);

  // The u whose |u| or sign(u) stood in what was normalized and whose sign is not known.
  std::vector<Expr> OpenSigns() const;

 private:
  enum class Kind { kPlain, kExp, kAbs, kSign, kRoot, kSin, kCos };
  struct AtomInfo {
    Expr expr;
    Kind kind = Kind::kPlain;
    Polynomial base;   // Of kAbs, kSign, kRoot.
    Atom partner = 0;  // Of kSin: its cosine. Of kSign: its absolute value.
    bool positive = false;
    bool nonnegative = false;
  };
  // An argument's terms, each a rational coefficient and a monic rest.
  using Parts = std::vector<std::pair<Number, Fraction>>;

  Atom AtomOf(Expr expr, Kind kind = Kind::kPlain);
  Fraction OfAtom(Atom atom, const Number& exponent = 1) const;
  Fraction Constant(const Number& value) const { return {Polynomial(value), {}}; }
  Fraction Convert(Expr e);
  Fraction ConvertNode(Expr e);
  // The same function by simpler ones, or null when it is simple.
  Expr Expand(Expr e) const;
  Expr WithArguments(Expr e, const std::vector<Fraction>& args);

  Fraction Plus(const Fraction& a, const Fraction& b);
  Fraction Times(const Fraction& a, const Fraction& b);
  Fraction Minus(const Fraction& a) const;
  Fraction Invert(const Fraction& a);
  Fraction WholePower(const Fraction& a, int64_t n);
  Fraction RealPower(const Fraction& a, const Number& exponent);
  Fraction NumberPower(const Number& value, const Number& exponent);
  Fraction Cancel(Fraction a);
  // Applies the relations between atoms.
  Fraction Reduce(const Polynomial& p);
  bool ReduceTerm(Monomial* m, std::vector<Fraction>* factors);

  Fraction Absolute(const Fraction& a);
  Fraction Signum(const Fraction& a);
  Fraction Exponential(const Fraction& a);
  Fraction Logarithm(const Fraction& a);
  Fraction LogarithmOfNumber(const Number& value);
  std::pair<Fraction, Fraction> SinCos(const Fraction& a);
  std::pair<Fraction, Fraction> SinCosOfPi(const Number& multiple);
  std::pair<Fraction, Fraction> SinCosOfPart(const Fraction& part, const Number& coefficient);
  Fraction ArcSine(const Fraction& a);
  Fraction ArcTangent(const Fraction& a);
  Fraction Odd(Op op, const Fraction& a);
  Parts Split(const Fraction& a) const;

  // Sign of a polynomial wherever it is defined and not 0: -1, 1, or 0 when not known. `strict`:
  // never 0 either.
  int KnownSign(const Polynomial& p, bool* strict) const;
  Fraction AbsOfPrimitive(const Polynomial& p, const Number& exponent);
  Fraction SignOfPrimitive(const Polynomial& p);
  Atom AbsAtom(const Polynomial& base);
  Atom SignAtom(const Polynomial& base);
  Atom RootAtom(const Polynomial& base);
  void AssumePositive(const Polynomial& p);
  Fraction Fail();
  // Whether so much work is too much; then it fails.
  bool Exceeds(int64_t work);
  void Pythagoras(Polynomial* p);

  Expr PolynomialToExpr(const Polynomial& p);
  Expr MonomialToExpr(const Monomial& m, const Number& coefficient);
  Expr PowerOfAtom(Atom atom, const Number& exponent);

  Pool& pool_;
  const Mode mode_;
  const Signs known_signs_;
  Budget own_budget_;
  Budget& budget_;
  std::map<Polynomial, int> signs_;
  std::vector<AtomInfo> atoms_;
  absl::flat_hash_map<Expr, Atom> atom_ids_;
  absl::flat_hash_map<Expr, Fraction> memo_;
  // The largest denominator of the angle's coefficients: sin(x/2) and sin(x) are both written in
  // sin(x/2).
  absl::flat_hash_map<Expr, int64_t> angle_unit_;
  bool may_assume_ = true;
  bool restart_ = false;
  bool failed_ = false;
};

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_NORMAL_FORM_H_
