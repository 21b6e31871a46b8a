#ifndef COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "autodiff/symbolic/number.h"

// Defines polynomials in numbered indeterminates ("atoms") with rational exponents, also negative
// ones, such as 3 x^2 y^-1 - 1/2 x^(1/2). The normal form of expressions (normal_form.h) computes
// with them.
namespace cotangent::autodiff::symbolic {

inline bool IsEven(const Number& n) { return n.integer() && n.numerator() % 2 == 0; }
inline bool IsOdd(const Number& n) { return n.integer() && n.numerator() % 2 != 0; }

using Atom = uint32_t;

// A product of powers of atoms: atoms in ascending order, each with its exponent, which is not 0.
// The empty monomial is 1.
using Monomial = std::vector<std::pair<Atom, Number>>;

Number ExponentOf(const Monomial& m, Atom atom);
Monomial operator*(const Monomial& a, const Monomial& b);
Monomial Power(const Monomial& m, const Number& exponent);
Monomial Without(const Monomial& m, Atom atom);

// Lexicographic order of monomials: the exponent of the lowest-numbered atom decides first. The
// order of two monomials stays the same if both are multiplied by a third.
struct MonomialLess {
  bool operator()(const Monomial& a, const Monomial& b) const;
};

class Polynomial {
 public:
  using Terms = std::map<Monomial, Number, MonomialLess>;

  Polynomial() = default;  // 0
  explicit Polynomial(const Number& constant) { Accumulate({}, constant); }
  Polynomial(const Monomial& monomial, const Number& coefficient) {
    Accumulate(monomial, coefficient);
  }

  const Terms& terms() const { return terms_; }
  size_t size() const { return terms_.size(); }
  bool IsZero() const { return terms_.empty(); }
  bool IsOne() const;
  // Returns whether all coefficients and exponents are exact (number.h).
  bool Exact() const;
  const std::pair<const Monomial, Number>& Leading() const { return *terms_.rbegin(); }

  // Adds coefficient * monomial to this polynomial.
  void Accumulate(const Monomial& monomial, const Number& coefficient);

  friend bool operator==(const Polynomial& a, const Polynomial& b) { return a.terms_ == b.terms_; }
  friend bool operator<(const Polynomial& a, const Polynomial& b) { return a.terms_ < b.terms_; }

 private:
  Terms terms_;
};

Polynomial operator+(const Polynomial& a, const Polynomial& b);
Polynomial operator-(const Polynomial& a, const Polynomial& b);
Polynomial operator*(const Polynomial& a, const Polynomial& b);
// Returns a * coefficient * monomial.
Polynomial Scale(const Polynomial& a, const Monomial& monomial, const Number& coefficient);

// The parts of p = coefficient * monomial * primitive. The primitive polynomial has coprime integer
// coefficients and a positive leading coefficient, and the lowest exponent of each of its atoms,
// over all terms, is 0.
//
// SplitContent() REQUIRES that p is exact and not 0.
struct Content {
  Number coefficient;
  Monomial monomial;
  Polynomial primitive;
};
Content SplitContent(const Polynomial& p);

// Returns a / b if b divides a, otherwise nothing (also if the division takes too many steps).
// Exponents may be negative: the lowest exponent of an atom in the quotient is the atom's lowest
// exponent in a minus its lowest exponent in b. REQUIRES: b is not 0.
std::optional<Polynomial> Divide(const Polynomial& a, const Polynomial& b);

// Returns q with q^2 = p for a primitive polynomial p, or nothing if p is not a square, or if it
// has whole exponents and q has not.
std::optional<Polynomial> SquareRoot(const Polynomial& p);

// Returns the greatest common divisor of two primitive polynomials, which is primitive too. Unless
// a and b are equal, returns 1 also if an exponent is negative or not whole, or if the computation
// would grow too large.
Polynomial Gcd(const Polynomial& a, const Polynomial& b);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_
