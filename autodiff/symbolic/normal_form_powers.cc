#include <optional>
#include <utility>
#include <vector>

#include "autodiff/symbolic/normal_form.h"

// Computes powers, absolute values and signs of normal forms (fractions of polynomials;
// normal_form.h), factor by factor.
namespace cotangent::autodiff::symbolic {

// Returns value^exponent for value > 0, as the product of the powers of its prime factors. What is
// left after the division by all primes below 10,000 counts as one factor, prime or not.
Fraction Normalizer::NumberPower(const Number& value, const Number& exponent) {
  Fraction result = Constant(1);
  for (const int side : {1, -1}) {
    int64_t rest = side > 0 ? value.numerator() : value.denominator();
    const auto take = [&](int64_t prime) {
      int64_t count = 0;
      while (rest % prime == 0) {
        rest /= prime;
        ++count;
      }
      if (count == 0) return;
      const Atom root = RootAtom(Polynomial(Number(prime)));
      atoms_[root].positive = true;
      result = Times(result, Reduce(Polynomial({{root, exponent * Number(side * count)}}, 1)));
    };
    for (int64_t prime = 2; prime * prime <= rest && prime < 10000; ++prime) take(prime);
    if (rest > 1) take(rest);
  }
  return result;
}

// Returns a^exponent for an exponent that is not whole. Such a power is defined only where a >= 0.
Fraction Normalizer::RealPower(const Fraction& a, const Number& exponent) {
  if (failed_) return {};
  if (a.numerator.IsZero()) return exponent.sign() > 0 ? Fraction() : Fail();
  Content content = SplitContent(a.numerator);
  Fraction result = NumberPower(Abs(content.coefficient), exponent);
  // The factors of a with their powers. Only a factor with an odd power can be negative. If its
  // sign is known, `sign` is multiplied by it; if not, the factor's index is added to `open`.
  std::vector<std::pair<Polynomial, Number>> factors;
  for (const auto& [atom, power] : content.monomial) {
    factors.emplace_back(Polynomial({{atom, Number(1)}}, 1), power);
  }
  if (!content.primitive.IsOne()) {
    const std::optional<Polynomial> root = SquareRoot(content.primitive);
    if (root.has_value()) {
      factors.emplace_back(*root, 2);
    } else {
      factors.emplace_back(content.primitive, 1);
    }
  }
  for (const auto& [factor, power] : a.denominator) factors.emplace_back(factor, -power);
  int sign = content.coefficient.sign();
  std::vector<size_t> open;
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!factors[i].second.integer() || IsEven(factors[i].second)) continue;
    const int known = SignOf(factors[i].first).sign;
    if (known == 0) {
      open.push_back(i);
    } else {
      sign *= known;
    }
  }
  if (open.empty() && sign < 0) return Fail();  // a root of a negative number
  if (open.size() == 1 && sign > 0 && may_assume_) {
    const auto& [factor, power] = factors[open[0]];
    Assume(factor, /*strict=*/(power * exponent).sign() < 0);
  }
  if (open.size() == 1 && sign < 0) {
    // Here a is -u times factors that are not negative, where u is a power of the factor of unknown
    // sign. So -u is not negative, and the result contains a root of it.
    Polynomial& factor = factors[open[0]].first;
    const Atom root = RootAtom(Scale(factor, {}, Number(-1)));
    result = Times(result, Reduce(Polynomial({{root, factors[open[0]].second * exponent}}, 1)));
    factors.erase(factors.begin() + open[0]);
  }
  for (const auto& [factor, power] : factors) {
    result = Times(result, AbsOfPrimitive(factor, power * exponent));
  }
  return result;
}

// Returns |p|^exponent for a p that is a primitive polynomial (polynomial.h) or a single atom.
Fraction Normalizer::AbsOfPrimitive(const Polynomial& p, const Number& exponent) {
  if (exponent.IsZero()) return Constant(1);
  if (IsEven(exponent)) return WholePower({p, {}}, exponent.numerator());
  const int sign = SignOf(p).sign;
  if (sign == 0) return Reduce(Polynomial({{AbsAtom(p), exponent}}, 1));
  const Polynomial positive = sign > 0 ? p : Scale(p, {}, Number(-1));
  if (exponent.integer()) return WholePower({positive, {}}, exponent.numerator());
  if (p.size() == 1 && sign > 0) return Reduce(Polynomial(Power(p.Leading().first, exponent), 1));
  return Reduce(Polynomial({{RootAtom(positive), exponent}}, 1));
}

Fraction Normalizer::Absolute(const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return {};
  const Content content = SplitContent(a.numerator);
  Fraction result = Constant(Abs(content.coefficient));
  for (const auto& [atom, power] : content.monomial) {
    result =
        Times(result, power.integer() ? AbsOfPrimitive(Polynomial({{atom, Number(1)}}, 1), power)
                                      : OfAtom(atom, power));
  }
  if (!content.primitive.IsOne()) result = Times(result, AbsOfPrimitive(content.primitive, 1));
  for (const auto& [factor, power] : a.denominator) {
    result = Times(result, AbsOfPrimitive(factor, -power));
  }
  return result;
}

Fraction Normalizer::SignOfPrimitive(const Polynomial& p) {
  const KnownSign known = SignOf(p);
  if (known.strict) return Constant(known.sign);
  return OfAtom(SignAtom(p));
}

Fraction Normalizer::Signum(const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return {};
  const Content content = SplitContent(a.numerator);
  Fraction result = Constant(content.coefficient.sign());
  for (const auto& [atom, power] : content.monomial) {
    if (!power.integer() && atoms_[atom].kind != Kind::kExp && !atoms_[atom].positive) {
      result = Times(result, OfAtom(AtomOf(Sign(PowerOfAtom(atom, power)))));
      continue;
    }
    const Fraction sign = SignOfPrimitive(Polynomial({{atom, Number(1)}}, 1));
    result = Times(result, IsEven(power) ? WholePower(sign, 2) : sign);
  }
  if (!content.primitive.IsOne()) result = Times(result, SignOfPrimitive(content.primitive));
  for (const auto& [factor, power] : a.denominator) {
    if (power % 2 != 0) result = Times(result, SignOfPrimitive(factor));
  }
  return result;
}

}  // namespace cotangent::autodiff::symbolic
