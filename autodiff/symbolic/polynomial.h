#ifndef COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "autodiff/symbolic/number.h"

// Sums of products of numbered indeterminates ("atoms") with rational exponents, negative ones
// included: 3 x^2 y^-1 - 1/2 x^(1/2). The arithmetic under the normal form (normal_form.h).
namespace cotangent::autodiff::symbolic {

using Atom = uint32_t;

// Ascending atoms, each with its exponent, none 0. The empty monomial is 1.
using Monomial = std::vector<std::pair<Atom, Number>>;

Number ExponentOf(const Monomial& m, Atom atom);
Monomial operator*(const Monomial& a, const Monomial& b);
Monomial Power(const Monomial& m, const Number& exponent);
Monomial Without(const Monomial& m, Atom atom);

// Lexicographic: the exponent of the lowest-numbered atom decides first. Compatible with
// multiplication.
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
  // The value of a polynomial without atoms.
  std::optional<Number> AsConstant() const;
  // Every coefficient and exponent is a fraction without rounding.
  bool Exact() const;
  const std::pair<const Monomial, Number>& Leading() const { return *terms_.rbegin(); }

  // this += coefficient * monomial
  void Accumulate(const Monomial& monomial, const Number& coefficient);

  friend bool operator==(const Polynomial& a, const Polynomial& b) { return a.terms_ == b.terms_; }
  friend bool operator<(const Polynomial& a, const Polynomial& b) { return a.terms_ < b.terms_; }

 private:
  Terms terms_;
};

Polynomial operator+(const Polynomial& a, const Polynomial& b);
Polynomial operator-(const Polynomial& a, const Polynomial& b);
Polynomial operator*(const Polynomial& a, const Polynomial& b);
// a * coefficient * monomial
Polynomial Scale(const Polynomial& a, const Monomial& monomial, const Number& coefficient);

// p = coefficient * monomial * primitive, where the primitive polynomial has coprime integer
// coefficients, a positive leading one, and no atom divides all its terms. p is not 0 and exact.
struct Content {
  Number coefficient;
  Monomial monomial;
  Polynomial primitive;
};
Content SplitContent(const Polynomial& p);

// a / b where it comes out even, with exponents no lower than they have to be. b is not 0.
std::optional<Polynomial> Divide(const Polynomial& a, const Polynomial& b);

// The primitive q with q^2 = p, for a primitive p that is a square.
std::optional<Polynomial> SquareRoot(const Polynomial& p);

// The greatest common divisor of two primitive polynomials whose exponents are whole, primitive
// itself. 1 also where the computation would grow too large.
Polynomial Gcd(const Polynomial& a, const Polynomial& b);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_POLYNOMIAL_H_
