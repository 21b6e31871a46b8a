#include "autodiff/symbolic/polynomial.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

namespace cotangent::autodiff::symbolic {
namespace {

constexpr int kMaxDivisionSteps = 4000;

std::set<Atom> AtomsOf(const Polynomial& p) {
  std::set<Atom> atoms;
  for (const auto& [monomial, coefficient] : p.terms()) {
    for (const auto& [atom, exponent] : monomial) atoms.insert(atom);
  }
  return atoms;
}

// Returns, for each atom (indeterminate) of p, its lowest exponent over all terms; in terms without
// the atom the exponent is 0. Atoms whose lowest exponent is 0 are left out.
Monomial LowestExponents(const Polynomial& p) {
  Monomial lowest;
  for (Atom atom : AtomsOf(p)) {
    std::optional<Number> least;
    for (const auto& [monomial, coefficient] : p.terms()) {
      const Number exponent = ExponentOf(monomial, atom);
      if (!least.has_value() || exponent < *least) least = exponent;
    }
    if (!least->IsZero()) lowest.emplace_back(atom, *least);
  }
  return lowest;
}

// Returns p as a polynomial in one atom: for each exponent of the atom, which must be whole, the
// polynomial in the other atoms that multiplies it.
std::map<int64_t, Polynomial> ByExponent(const Polynomial& p, Atom atom) {
  std::map<int64_t, Polynomial> result;
  for (const auto& [monomial, coefficient] : p.terms()) {
    result[ExponentOf(monomial, atom).numerator()].Accumulate(Without(monomial, atom), coefficient);
  }
  return result;
}

bool WholeExponents(const Polynomial& p) {
  for (const auto& [monomial, coefficient] : p.terms()) {
    for (const auto& [atom, exponent] : monomial) {
      if (!exponent.integer() || exponent.sign() < 0) return false;
    }
  }
  return true;
}

Polynomial Primitive(const Polynomial& p) { return SplitContent(p).primitive; }

// Returns the pseudo-remainder of a by b as polynomials in `atom`: the remainder of a division that
// multiplies a by the leading coefficient of b instead of dividing by it. Returns nothing if a step
// of the division yields more than 200 terms or numbers that are not exact (number.h).
std::optional<Polynomial> PseudoRemainder(Polynomial a, const Polynomial& b, Atom atom) {
  const auto divisor = ByExponent(b, atom);
  const int64_t degree = divisor.rbegin()->first;
  const Polynomial& leading = divisor.rbegin()->second;
  while (!a.IsZero()) {
    const auto terms = ByExponent(a, atom);
    const int64_t top = terms.rbegin()->first;
    if (top < degree) break;
    Monomial shift;
    if (top > degree) shift.emplace_back(atom, Number(top - degree));
    a = a * leading - Scale(b * terms.rbegin()->second, shift, 1);
    if (a.size() > 200 || !a.Exact()) return std::nullopt;
  }
  return a;
}

Polynomial GcdOfCoefficients(const Polynomial& p, Atom atom) {
  Polynomial gcd;
  for (const auto& [exponent, coefficient] : ByExponent(p, atom)) {
    gcd = gcd.IsZero() ? Primitive(coefficient) : Gcd(gcd, Primitive(coefficient));
    if (gcd.IsOne()) break;
  }
  return gcd;
}

}  // namespace

Number ExponentOf(const Monomial& m, Atom atom) {
  for (const auto& [candidate, exponent] : m) {
    if (candidate == atom) return exponent;
  }
  return 0;
}

Monomial operator*(const Monomial& a, const Monomial& b) {
  Monomial product;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].first < b[j].first)) {
      product.push_back(a[i++]);
    } else if (i == a.size() || b[j].first < a[i].first) {
      product.push_back(b[j++]);
    } else {
      const Number exponent = a[i].second + b[j].second;
      if (!exponent.IsZero()) product.emplace_back(a[i].first, exponent);
      ++i;
      ++j;
    }
  }
  return product;
}

Monomial Power(const Monomial& m, const Number& exponent) {
  Monomial result;
  if (exponent.IsZero()) return result;
  for (const auto& [atom, e] : m) result.emplace_back(atom, e * exponent);
  return result;
}

Monomial Without(const Monomial& m, Atom atom) {
  Monomial result;
  for (const auto& factor : m) {
    if (factor.first != atom) result.push_back(factor);
  }
  return result;
}

bool MonomialLess::operator()(const Monomial& a, const Monomial& b) const {
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].first < b[j].first)) return a[i].second.sign() < 0;
    if (i == a.size() || b[j].first < a[i].first) return b[j].second.sign() > 0;
    if (a[i].second != b[j].second) return a[i].second < b[j].second;
    ++i;
    ++j;
  }
  return false;
}

bool Polynomial::IsOne() const {
  return size() == 1 && Leading().first.empty() && Leading().second.IsOne();
}

bool Polynomial::Exact() const {
  for (const auto& [monomial, coefficient] : terms_) {
    if (!coefficient.exact()) return false;
    for (const auto& [atom, exponent] : monomial) {
      if (!exponent.exact()) return false;
    }
  }
  return true;
}

void Polynomial::Accumulate(const Monomial& monomial, const Number& coefficient) {
  if (coefficient.IsZero()) return;
  const auto [place, inserted] = terms_.try_emplace(monomial, coefficient);
  if (inserted) return;
  place->second = place->second + coefficient;
  if (place->second.IsZero()) terms_.erase(place);
}

Polynomial operator+(const Polynomial& a, const Polynomial& b) {
  Polynomial sum = a;
  for (const auto& [monomial, coefficient] : b.terms()) sum.Accumulate(monomial, coefficient);
  return sum;
}

Polynomial operator-(const Polynomial& a, const Polynomial& b) {
  Polynomial difference = a;
  for (const auto& [monomial, coefficient] : b.terms())
    difference.Accumulate(monomial, -coefficient);
  return difference;
}

Polynomial operator*(const Polynomial& a, const Polynomial& b) {
  Polynomial product;
  for (const auto& [ma, ca] : a.terms()) {
    for (const auto& [mb, cb] : b.terms()) product.Accumulate(ma * mb, ca * cb);
  }
  return product;
}

Polynomial Scale(const Polynomial& a, const Monomial& monomial, const Number& coefficient) {
  Polynomial result;
  for (const auto& [m, c] : a.terms()) result.Accumulate(m * monomial, c * coefficient);
  return result;
}

Content SplitContent(const Polynomial& p) {
  int64_t numerators = 0, denominators = 1;
  for (const auto& [monomial, coefficient] : p.terms()) {
    numerators = std::gcd(numerators, coefficient.numerator());
    const Number lcm = Number(denominators / std::gcd(denominators, coefficient.denominator())) *
                       Number(coefficient.denominator());
    denominators = lcm.exact() ? lcm.numerator() : 1;
  }
  Content content;
  content.coefficient = Number::Ratio(numerators, denominators);
  if (p.Leading().second.sign() < 0) content.coefficient = -content.coefficient;
  content.monomial = LowestExponents(p);
  content.primitive =
      Scale(p, Power(content.monomial, Number(-1)), Number(1) / content.coefficient);
  return content;
}

std::optional<Polynomial> Divide(const Polynomial& a, const Polynomial& b) {
  if (a.IsZero()) return a;
  // The lowest exponents of a product are the sums of the lowest exponents of its factors. So
  // `bound` holds the lowest exponents that the quotient may have.
  const Monomial bound = LowestExponents(a) * Power(LowestExponents(b), Number(-1));
  const auto& [leading, leading_coefficient] = b.Leading();
  const Monomial inverse = Power(leading, Number(-1));
  Polynomial quotient, rest = a;
  for (int step = 0; !rest.IsZero(); ++step) {
    if (step > kMaxDivisionSteps || rest.size() > 4000) return std::nullopt;
    const Monomial term = rest.Leading().first * inverse;
    const Number coefficient = rest.Leading().second / leading_coefficient;
    if (!coefficient.exact()) return std::nullopt;
    for (const auto& [atom, slack] : term* Power(bound, Number(-1))) {
      if (slack.sign() < 0) return std::nullopt;
    }
    quotient.Accumulate(term, coefficient);
    rest = rest - Scale(b, term, coefficient);
  }
  return quotient;
}

std::optional<Polynomial> SquareRoot(const Polynomial& p) {
  // Computes the root term by term from the leading one: root^2 agrees with p in all terms above
  // the leading term of `rest`.
  const std::optional<Number> first = ExactRoot(p.Leading().second, 2);
  if (!first.has_value() || p.size() == 2) return std::nullopt;
  Polynomial root(Power(p.Leading().first, Number::Ratio(1, 2)), *first);
  const Monomial inverse = Power(root.Leading().first, Number(-1));
  Polynomial rest = p - root * root;
  for (size_t step = 0; !rest.IsZero(); ++step) {
    if (step > p.size()) return std::nullopt;
    const Monomial term = rest.Leading().first * inverse;
    const Number coefficient = rest.Leading().second / (Number(2) * *first);
    if (!coefficient.exact()) return std::nullopt;
    if (!MonomialLess()(term, root.terms().begin()->first)) return std::nullopt;
    root.Accumulate(term, coefficient);
    rest = p - root * root;
  }
  return WholeExponents(root) || !WholeExponents(p) ? std::optional<Polynomial>(root)
                                                    : std::nullopt;
}

Polynomial Gcd(const Polynomial& a, const Polynomial& b) {
  Polynomial one(Number(1));
  if (a == b) return a;
  if (a.size() < 2 || b.size() < 2 || !WholeExponents(a) || !WholeExponents(b)) return one;
  const std::set<Atom> atoms_a = AtomsOf(a), atoms_b = AtomsOf(b);
  for (Atom atom : atoms_a) {
    // If only one of the polynomials contains the atom, a common divisor does not contain it. The
    // divisor then divides every coefficient of that polynomial as a polynomial in the atom.
    if (atoms_b.count(atom) == 0) return Gcd(GcdOfCoefficients(a, atom), b);
  }
  for (Atom atom : atoms_b) {
    if (atoms_a.count(atom) == 0) return Gcd(a, GcdOfCoefficients(b, atom));
  }
  const Atom main = *atoms_a.begin();
  const Polynomial content_a = GcdOfCoefficients(a, main), content_b = GcdOfCoefficients(b, main);
  Polynomial common = Gcd(content_a, content_b);
  std::optional<Polynomial> left = Divide(a, content_a), right = Divide(b, content_b);
  if (!left.has_value() || !right.has_value()) return one;
  if (ByExponent(*left, main).rbegin()->first < ByExponent(*right, main).rbegin()->first) {
    std::swap(left, right);
  }
  // Euclid's algorithm; each remainder is replaced by its primitive part.
  for (int step = 0; step < 40; ++step) {
    if (ByExponent(*right, main).rbegin()->first == 0) return common;
    std::optional<Polynomial> rest = PseudoRemainder(*left, *right, main);
    if (!rest.has_value()) return one;
    if (rest->IsZero()) return Primitive(common * *right);
    std::optional<Polynomial> primitive = Divide(*rest, GcdOfCoefficients(*rest, main));
    if (!primitive.has_value()) return one;
    left = right;
    right = Primitive(*primitive);
  }
  return one;
}

}  // namespace cotangent::autodiff::symbolic
