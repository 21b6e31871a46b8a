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

// Computes the normal form of expressions, by which Simplify (simplify.h) and Equal (equality.h)
// work. A normal form is a fraction of polynomials over "atoms" (variables, and functions of normal
// forms), reduced by relations between atoms that hold at every point of the real domain:
// exp(a + b) = exp(a) exp(b), |u|^2 = u^2, u sign(u) = |u|, sign(u)^3 = sign(u), sqrt(u)^2 = u. A
// full normal form also uses sin^2 = 1 - cos^2, angle sums and logarithms of products, and writes
// hyperbolic functions and the sigmoid in exp.
//
// Where an expression contains ln(u) or sqrt(u), the form may use that u >= 0, because the
// expression has no value elsewhere (unless a branch of a select contains logarithms or roots: then
// the form does not use this). The form has the expression's value at every point where the
// textbook form of the expression (Plain() in differentiate.h) and all branches of its selects are
// defined; the form may be defined at more points (x / x becomes 1).
namespace cotangent::autodiff::symbolic {

// A limit on the work that normal forms may take. The unit of work is a product or comparison of
// two terms of polynomials, about a microsecond.
class Budget {
 public:
  explicit Budget(int64_t work = 20'000'000) : left_(work) {}

  // Takes `work` units off the budget. Returns false if that is more than was left.
  bool Spend(int64_t work) {
    left_ -= work;
    return left_ >= 0;
  }
  bool exhausted() const { return left_ < 0; }

 private:
  int64_t left_;
};

// The numerator divided by the product of the polynomials in `denominator`, each to its power.
struct Fraction {
  Polynomial numerator;
  std::map<Polynomial, int> denominator;  // primitive polynomials (polynomial.h) with their powers
};

class Normalizer {
 public:
  enum class Mode {
    kShallow,  // for people to read: functions stay as they are written
    kFull,     // for deciding equality: as few different functions as possible
  };
  // Expressions whose sign is known: 1 for positive, -1 for negative.
  using Signs = std::vector<std::pair<Expr, int>>;

  // If `budget` is null, the Normalizer has a budget of its own.
  Normalizer(Pool& pool, Mode mode, Signs known_signs = {}, Budget* budget = nullptr);

  // Returns the normal form of e, or nothing if an intermediate result grows too large, the budget
  // is used up, a constant is not exact, or e turns out to be undefined (a division by 0, a root of
  // a negative number).
  std::optional<Fraction> Normalize(Expr e);

  // IsZero() and ToExpr() take fractions that Normalize() of this object returned. IsZero() returns
  // whether f is recognised as 0, and ToExpr() the fraction as an expression.
  bool IsZero(const Fraction& f);
  Expr ToExpr(const Fraction& f);
  // Returns whether the numerator is a polynomial in variables that is not the zero polynomial. The
  // expression is then different from 0 almost everywhere.
  bool IsNonzeroPolynomial(const Fraction& f) const;

  // Returns the expressions u whose sign is unknown although |u| or sign(u) occurred in a
  // normalized expression.
  std::vector<Expr> OpenSigns() const;

 private:
  enum class Kind { kPlain, kExp, kAbs, kSign, kRoot, kSin, kCos };
  struct AtomInfo {
    Expr expr;
    Kind kind = Kind::kPlain;
    Polynomial base;           // the u of |u|, sign(u) or a root of u
    Atom partner = 0;          // for sin(u) the atom of cos(u), for sign(u) that of |u|
    bool positive = false;     // whether the atom is known to be positive
    bool nonnegative = false;  // whether the atom is known to be positive or 0
  };
  struct KnownSign {
    int sign = 0;         // of all values that are not 0: 1 or -1; 0 if it is not known
    bool strict = false;  // whether no value is 0
  };
  // The terms of a function's argument, each as a rational coefficient and the rest of the term,
  // which has coefficient 1.
  using Parts = std::vector<std::pair<Number, Fraction>>;

  static constexpr size_t kMaxTerms = 1500;  // of a numerator; more fail the normalization

  // ---- Fractions (normal_form.cc) ----

  Fraction Convert(Expr e);
  Fraction ConvertNode(Expr e);
  // Returns e written in simpler functions (tanh in exp, for example), or null if e is simple
  // already or, except for general powers and strong products, if the mode is kShallow.
  Expr Expand(Expr e) const;
  Fraction Constant(const Number& value) const { return {Polynomial(value), {}}; }
  Fraction Plus(const Fraction& a, const Fraction& b);
  Fraction Times(const Fraction& a, const Fraction& b);
  Fraction Minus(const Fraction& a) const;
  Fraction Invert(const Fraction& a);
  Fraction WholePower(const Fraction& a, int64_t n);
  Fraction Cancel(Fraction a);
  Fraction Fail();
  // Takes `work` off the budget, and fails the normalization if the budget is used up. Returns
  // whether the normalization has failed.
  bool Exceeds(int64_t work);

  // ---- Atoms (normal_form_atoms.cc) ----

  Atom AtomOf(Expr expr, Kind kind = Kind::kPlain);
  Atom AbsAtom(const Polynomial& base);
  Atom SignAtom(const Polynomial& base);
  Atom RootAtom(const Polynomial& base);
  Fraction OfAtom(Atom atom, const Number& exponent = 1) const;
  // Notes that p is positive, or, if not `strict`, positive or 0, wherever the expression that is
  // being normalized is defined.
  void Assume(const Polynomial& p, bool strict);
  // Notes that p, by which the expression divides, is not 0, if Assume() has been called for it.
  void AssumeNotZero(const Polynomial& p);
  // Returns what is known of the sign of p where the expression is defined.
  KnownSign SignOf(const Polynomial& p) const;
  // Applies the relations between atoms that the head of this file lists.
  Fraction Reduce(const Polynomial& p);
  bool ReduceTerm(Monomial* m, std::vector<Fraction>* factors);

  // ---- Powers and signs (normal_form_powers.cc) ----

  Fraction NumberPower(const Number& value, const Number& exponent);
  Fraction RealPower(const Fraction& a, const Number& exponent);
  Fraction AbsOfPrimitive(const Polynomial& p, const Number& exponent);
  Fraction SignOfPrimitive(const Polynomial& p);
  Fraction Absolute(const Fraction& a);
  Fraction Signum(const Fraction& a);

  // ---- Functions (normal_form_functions.cc) ----

  Fraction Exponential(const Fraction& a);
  Fraction Logarithm(const Fraction& a);
  Fraction LogarithmOfNumber(const Number& value);
  std::pair<Fraction, Fraction> SinCos(const Fraction& a);
  std::pair<Fraction, Fraction> SinCosOfPi(const Number& multiple);
  std::pair<Fraction, Fraction> SinCosOfPart(const Fraction& part, const Number& coefficient);
  Fraction ArcSine(const Fraction& a);
  Fraction ArcTangent(const Fraction& a);
  Fraction Odd(Op op, const Fraction& a);
  Fraction FloorOf(const Fraction& a);
  Parts Split(const Fraction& a) const;

  // ---- From fractions back to expressions (normal_form_expression.cc) ----

  void Pythagoras(Polynomial* p);
  Expr PolynomialToExpr(const Polynomial& p);
  Expr MonomialToExpr(const Monomial& m, const Number& coefficient);
  Expr PowerOfAtom(Atom atom, const Number& exponent);

  Pool& pool_;
  const Mode mode_;
  const Signs known_signs_;
  Budget own_budget_;
  Budget& budget_;
  std::map<Polynomial, KnownSign> signs_;
  std::vector<AtomInfo> atoms_;
  absl::flat_hash_map<Expr, Atom> atom_ids_;
  absl::flat_hash_map<Expr, Fraction> memo_;
  // For each angle, a common denominator of its coefficients: if sin(x/2) and sin(x) both occur,
  // both are written in sin(x/2) and cos(x/2).
  absl::flat_hash_map<Expr, int64_t> angle_unit_;
  bool may_assume_ = true;  // whether the argument of a logarithm or root counts as not negative
  bool restart_ = false;    // whether something was learnt that earlier results lack
  bool failed_ = false;     // whether the normalization has failed
};

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_NORMAL_FORM_H_
