#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "autodiff/symbolic/normal_form.h"

// Computes exponentials, logarithms and circular functions of normal forms (fractions of
// polynomials; normal_form.h).
namespace cotangent::autodiff::symbolic {

Normalizer::Parts Normalizer::Split(const Fraction& a) const {
  Parts parts;
  for (const auto& [monomial, coefficient] : a.numerator.terms()) {
    parts.emplace_back(coefficient, Fraction{Polynomial(monomial, 1), a.denominator});
  }
  return parts;
}

// Returns exp(a) as the product of exp(t)^c over the terms c t of a, where c is the rational
// coefficient of the term.
Fraction Normalizer::Exponential(const Fraction& a) {
  Fraction result = Constant(1);
  for (const auto& [coefficient, rest] : Split(a)) {
    const Monomial& m = rest.numerator.Leading().first;
    if (mode_ == Mode::kFull && rest.denominator.empty() && m.size() == 1 && m[0].second.IsOne() &&
        atoms_[m[0].first].expr.op() == Op::kLn) {
      // Uses exp(c ln(u)) = u^c.
      const Fraction u = Convert(atoms_[m[0].first].expr.arg(0));
      result = Times(result, coefficient.integer() ? WholePower(u, coefficient.numerator())
                                                   : RealPower(u, coefficient));
      continue;
    }
    const Atom atom = AtomOf(pool_.Make(Op::kExp, {ToExpr(rest)}), Kind::kExp);
    result = Times(result, OfAtom(atom, coefficient));
  }
  return result;
}

Fraction Normalizer::LogarithmOfNumber(const Number& value) {
  Fraction result;
  for (const int side : {1, -1}) {
    int64_t rest = side > 0 ? value.numerator() : value.denominator();
    const auto take = [&](int64_t prime) {
      int count = 0;
      while (rest % prime == 0) {
        rest /= prime;
        ++count;
      }
      if (count == 0) return;
      const Atom atom = AtomOf(pool_.Make(Op::kLn, {pool_.Constant(prime)}));
      atoms_[atom].positive = true;
      result = Plus(result, {Polynomial({{atom, Number(1)}}, side * count), {}});
    };
    for (int64_t prime = 2; prime * prime <= rest && prime < 10000; ++prime) take(prime);
    if (rest > 1) take(rest);
  }
  return result;
}

// Returns ln(a) as the sum of the logarithms of the absolute values of a's factors. The sum equals
// ln(a) wherever ln(a) is defined.
Fraction Normalizer::Logarithm(const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return Fail();
  const Content content = SplitContent(a.numerator);
  Fraction result = LogarithmOfNumber(Abs(content.coefficient));
  std::vector<std::pair<Polynomial, Number>> factors;
  bool may_be_negative = !may_assume_;  // ln|u| is defined where the factor u is negative
  for (const auto& [atom, power] : content.monomial) {
    const AtomInfo info = atoms_[atom];
    if (info.kind == Kind::kExp) {
      result = Plus(result, Times(Constant(power), Convert(info.expr.arg(0))));
    } else if (info.kind == Kind::kRoot) {
      result = Plus(result, Times(Constant(power), Logarithm({info.base, {}})));
    } else if (info.kind == Kind::kAbs && info.base.size() == 1) {
      factors.emplace_back(info.base, power);
      may_be_negative = true;
    } else {
      factors.emplace_back(Polynomial({{atom, Number(1)}}, 1), power);
    }
  }
  if (!content.primitive.IsOne()) {
    const std::optional<Polynomial> root = SquareRoot(content.primitive);
    factors.emplace_back(root.value_or(content.primitive), root.has_value() ? 2 : 1);
  }
  for (const auto& [factor, power] : a.denominator) factors.emplace_back(factor, -power);
  if (factors.size() == 1 && content.coefficient.sign() > 0 && IsOdd(factors[0].second) &&
      !may_be_negative) {
    Assume(factors[0].first, /*strict=*/true);
  }
  for (const auto& [factor, power] : factors) {
    Expr inside = PolynomialToExpr(factor);
    if (SignOf(factor).sign <= 0) inside = Abs(inside);
    const Atom atom = AtomOf(pool_.Make(Op::kLn, {inside}));
    result = Plus(result, {Polynomial({{atom, Number(1)}}, power), {}});
  }
  return result;
}

// Returns (sin, cos) of multiple * pi.
std::pair<Fraction, Fraction> Normalizer::SinCosOfPi(const Number& multiple) {
  const Number twelfths = multiple * Number(12);
  if (!twelfths.integer()) {
    const Expr angle = pool_.Constant(multiple) * pool_.Pi();
    return {OfAtom(AtomOf(pool_.Make(Op::kSin, {angle}))),
            OfAtom(AtomOf(pool_.Make(Op::kCos, {angle})))};
  }
  // Returns the sine of k times 15 degrees, for k from 0 to 6.
  const auto sine = [&](int64_t k) -> Fraction {
    Fraction half = Constant(Number::Ratio(1, 2));
    const Fraction root2 = NumberPower(Number(2), Number::Ratio(1, 2));
    const Fraction root3 = NumberPower(Number(3), Number::Ratio(1, 2));
    const Fraction quarter = Times(half, half);
    switch (k) {
      case 0:
        return {};
      case 1:
        return Times(quarter, Times(root2, Plus(root3, Constant(-1))));
      case 2:
        return half;
      case 3:
        return Times(half, root2);
      case 4:
        return Times(half, root3);
      case 5:
        return Times(quarter, Times(root2, Plus(root3, Constant(1))));
      default:
        return Constant(1);
    }
  };
  const auto of = [&](int64_t k) {
    k = ((k % 24) + 24) % 24;
    const bool negative = k >= 12;
    if (negative) k -= 12;
    if (k > 6) k = 12 - k;
    return negative ? Minus(sine(k)) : sine(k);
  };
  return {of(twelfths.numerator()), of(twelfths.numerator() + 6)};
}

// Returns (sin, cos) of coefficient * part, one term of an angle (Split()). Writes them in the sine
// and cosine of part / unit, of which the term is a whole multiple; `unit` (angle_unit_) is a
// common denominator of all coefficients of this part. If the part is asin(u) or atan(u) and the
// coefficient is whole, writes them in u instead.
std::pair<Fraction, Fraction> Normalizer::SinCosOfPart(const Fraction& part,
                                                       const Number& coefficient) {
  const Expr angle = ToExpr(part);
  Fraction s, c;
  int64_t multiple;
  const Fraction one = Constant(1);
  if ((angle.op() == Op::kAsin || angle.op() == Op::kAtan) && coefficient.integer()) {
    multiple = coefficient.numerator();
    const Fraction u = Convert(angle.arg(0));
    const Fraction square = Times(u, u);
    if (angle.op() == Op::kAsin) {
      s = u;
      c = RealPower(Plus(one, Minus(square)), Number::Ratio(1, 2));
    } else {
      c = RealPower(Plus(one, square), Number::Ratio(-1, 2));
      s = Times(u, c);
    }
  } else {
    int64_t& unit = angle_unit_.try_emplace(angle, coefficient.denominator()).first->second;
    if (unit % coefficient.denominator() != 0) {
      unit = std::lcm(unit, coefficient.denominator());
      restart_ = true;
    }
    multiple = coefficient.numerator() * (unit / coefficient.denominator());
    const Expr smallest = pool_.Constant(Number::Ratio(1, unit)) * angle;
    const Atom sine = AtomOf(pool_.Make(Op::kSin, {smallest}), Kind::kSin);
    const Atom cosine = AtomOf(pool_.Make(Op::kCos, {smallest}), Kind::kCos);
    atoms_[sine].partner = cosine;
    s = OfAtom(sine);
    c = OfAtom(cosine);
  }
  const bool negative = multiple < 0;
  if (negative) multiple = -multiple;
  if (multiple > 24) return {Fail(), {}};
  Fraction sum_s, sum_c = one;
  for (int64_t i = 0; i < multiple && !failed_; ++i) {
    const Fraction next_s = Plus(Times(sum_s, c), Times(sum_c, s));
    sum_c = Plus(Times(sum_c, c), Minus(Times(sum_s, s)));
    sum_s = next_s;
  }
  return {negative ? Minus(sum_s) : sum_s, sum_c};
}

std::pair<Fraction, Fraction> Normalizer::SinCos(const Fraction& a) {
  const Atom pi = AtomOf(pool_.Pi());
  Fraction sum_s, sum_c = Constant(1);
  for (const auto& [coefficient, part] : Split(a)) {
    if (failed_) break;
    const bool of_pi =
        part.denominator.empty() && part.numerator.Leading().first == Monomial{{pi, Number(1)}};
    const auto [s, c] = of_pi ? SinCosOfPi(coefficient) : SinCosOfPart(part, coefficient);
    const Fraction next_s = Plus(Times(sum_s, c), Times(sum_c, s));
    sum_c = Plus(Times(sum_c, c), Minus(Times(sum_s, s)));
    sum_s = next_s;
  }
  return {sum_s, sum_c};
}

// Returns op(a) for an odd function `op`, written with an argument whose leading coefficient is
// positive: f(-u) becomes -f(u).
Fraction Normalizer::Odd(Op op, const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return {};
  const bool negative = a.numerator.Leading().second.sign() < 0;
  const Expr argument = ToExpr(negative ? Minus(a) : a);
  const Fraction f = OfAtom(AtomOf(pool_.Make(op, {argument})));
  return negative ? Minus(f) : f;
}

// Returns floor(a). Uses floor(u + n) = floor(u) + n to take whole numbers n out of a.
Fraction Normalizer::FloorOf(const Fraction& a) {
  Fraction rest = a;
  Number whole = 0;
  if (a.denominator.empty()) {
    const auto constant = a.numerator.terms().find({});
    if (constant != a.numerator.terms().end()) whole = Floor(constant->second);
    rest.numerator.Accumulate({}, -whole);
  }
  const Fraction floor =
      rest.numerator.IsZero() ? Fraction() : OfAtom(AtomOf(pool_.Make(Op::kFloor, {ToExpr(rest)})));
  return Plus(Constant(whole), floor);
}

Fraction Normalizer::ArcSine(const Fraction& a) {
  for (int64_t k = -6; k <= 6; ++k) {
    const Number multiple = Number::Ratio(k, 12);
    if (a.denominator.empty() && SinCosOfPi(multiple).first.numerator == a.numerator) {
      return Times(Constant(multiple), OfAtom(AtomOf(pool_.Pi())));
    }
  }
  return Odd(Op::kAsin, a);
}

Fraction Normalizer::ArcTangent(const Fraction& a) {
  for (int64_t k = -5; k <= 5; ++k) {
    const Number multiple = Number::Ratio(k, 12);
    const auto [s, c] = SinCosOfPi(multiple);
    if (Plus(Times(a, c), Minus(s)).numerator.IsZero()) {
      return Times(Constant(multiple), OfAtom(AtomOf(pool_.Pi())));
    }
  }
  return Odd(Op::kAtan, a);
}

}  // namespace cotangent::autodiff::symbolic
