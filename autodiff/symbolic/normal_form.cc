#include "autodiff/symbolic/normal_form.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

constexpr size_t kMaxTerms = 1500;
constexpr int kMaxRestarts = 12;

bool IsEven(const Number& n) { return n.integer() && n.numerator() % 2 == 0; }
bool IsOdd(const Number& n) { return n.integer() && n.numerator() % 2 != 0; }

// Whether a choice between branches guards a logarithm or a root: then what they imply holds in the
// branch only.
bool GuardsDomains(Expr e) {
  for (Expr node : TopologicalOrder(e)) {
    if (node.op() != Op::kSelect) continue;
    const Expr branches[] = {node.arg(2), node.arg(3)};
    for (Expr part : TopologicalOrder(branches)) {
      if (part.op() == Op::kLn || part.op() == Op::kLog1p || part.op() == Op::kAcosh) return true;
      if (part.op() == Op::kPow && !(part.arg(1).IsConstant() && part.arg(1).number().integer())) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Normalizer::Normalizer(Pool& pool, Mode mode, Signs known_signs, Budget* budget)
    : pool_(pool),
      mode_(mode),
      known_signs_(std::move(known_signs)),
      budget_(budget == nullptr ? own_budget_ : *budget) {}

bool Normalizer::Exceeds(int64_t work) {
  if (!budget_.Spend(work)) failed_ = true;
  return failed_;
}

Fraction Normalizer::Fail() {
  failed_ = true;
  return {};
}

std::optional<Fraction> Normalizer::Normalize(Expr e) {
  may_assume_ = may_assume_ && !GuardsDomains(e);
  // Variables first and by name, so that the form does not depend on how the expression was
  // written.
  std::vector<Expr> variables = Variables(e);
  std::sort(variables.begin(), variables.end(), [](Expr a, Expr b) { return a.name() < b.name(); });
  for (Expr variable : variables) AtomOf(variable);
  for (const auto& [base, sign] : known_signs_) {
    const Fraction f = Convert(base);
    if (failed_ || f.numerator.IsZero()) continue;
    const Content content = SplitContent(f.numerator);
    Polynomial p = content.primitive;
    if (p.IsOne()) p = Polynomial(content.monomial, 1);
    signs_[p] = sign * content.coefficient.sign();
  }
  memo_.clear();
  for (int attempt = 0; attempt < kMaxRestarts; ++attempt) {
    restart_ = false;
    const Fraction result = Convert(e);
    if (failed_) return std::nullopt;
    if (!restart_) return result;
    memo_.clear();
  }
  return std::nullopt;
}

// ---- Atoms ----

Atom Normalizer::AtomOf(Expr expr, Kind kind) {
  const auto [place, inserted] = atom_ids_.try_emplace(expr, static_cast<Atom>(atoms_.size()));
  if (inserted) {
    AtomInfo info;
    info.expr = expr;
    info.kind = kind;
    const Range range = Info(expr.op()).range;
    info.positive = range == Range::kPositive || expr.op() == Op::kPi;
    info.nonnegative = info.positive || range == Range::kNotNegative;
    atoms_.push_back(info);
  }
  return place->second;
}

Fraction Normalizer::OfAtom(Atom atom, const Number& exponent) const {
  if (exponent.IsZero()) return Constant(1);
  return {Polynomial({{atom, exponent}}, 1), {}};
}

Atom Normalizer::AbsAtom(const Polynomial& base) {
  const Atom atom = AtomOf(Abs(PolynomialToExpr(base)), Kind::kAbs);
  atoms_[atom].base = base;
  return atom;
}

Atom Normalizer::SignAtom(const Polynomial& base) {
  const Atom atom = AtomOf(Sign(PolynomialToExpr(base)), Kind::kSign);
  atoms_[atom].base = base;
  const Atom partner = AbsAtom(base);
  atoms_[atom].partner = partner;
  return atom;
}

// Stands for the polynomial itself, to be taken to a power between 0 and 1.
Atom Normalizer::RootAtom(const Polynomial& base) {
  const Atom atom =
      AtomOf(pool_.Make(Op::kPow, {PolynomialToExpr(base), pool_.Constant(1)}), Kind::kRoot);
  atoms_[atom].base = base;
  atoms_[atom].nonnegative = true;
  return atom;
}

void Normalizer::AssumePositive(const Polynomial& p) {
  if (signs_.count(p) > 0) return;
  signs_[p] = 1;
  restart_ = true;
}

std::vector<Expr> Normalizer::OpenSigns() const {
  std::vector<Expr> open;
  for (const AtomInfo& info : atoms_) {
    if (info.kind == Kind::kAbs && signs_.count(info.base) == 0) open.push_back(info.expr.arg(0));
  }
  return open;
}

int Normalizer::KnownSign(const Polynomial& p, bool* strict) const {
  *strict = false;
  if (const auto found = signs_.find(p); found != signs_.end()) return found->second;
  int common = 0;
  for (const auto& [monomial, coefficient] : p.terms()) {
    int sign = coefficient.sign();
    bool strictly = true;
    for (const auto& [atom, exponent] : monomial) {
      const AtomInfo& info = atoms_[atom];
      const auto known = signs_.find(Polynomial({{atom, Number(1)}}, 1));
      if (known != signs_.end()) {
        if (!IsEven(exponent)) sign *= known->second;
        strictly = strictly && false;
      } else if (!info.positive) {
        strictly = false;
        if (!info.nonnegative && exponent.integer() && !IsEven(exponent)) return 0;
      }
    }
    if (common != 0 && sign != common) return 0;
    common = sign;
    *strict |= strictly;
  }
  return common;
}

// ---- Field arithmetic ----

Fraction Normalizer::Minus(const Fraction& a) const {
  return {Scale(a.numerator, {}, Number(-1)), a.denominator};
}

Fraction Normalizer::Plus(const Fraction& a, const Fraction& b) {
  if (failed_) return {};
  Fraction sum;
  sum.denominator = a.denominator;
  for (const auto& [factor, power] : b.denominator) {
    int& most = sum.denominator[factor];
    most = std::max(most, power);
  }
  if (Exceeds(1 + a.numerator.size() + b.numerator.size())) return {};
  const auto raise = [&](const Fraction& f) {
    Polynomial numerator = f.numerator;
    for (const auto& [factor, power] : sum.denominator) {
      const auto found = f.denominator.find(factor);
      const int missing = power - (found == f.denominator.end() ? 0 : found->second);
      for (int i = 0; i < missing && numerator.size() < kMaxTerms; ++i) {
        if (Exceeds(numerator.size() * factor.size())) return Polynomial();
        numerator = numerator * factor;
      }
    }
    return numerator;
  };
  const Fraction top = Reduce(raise(a) + raise(b));
  sum.numerator = top.numerator;
  for (const auto& [factor, power] : top.denominator) sum.denominator[factor] += power;
  return Cancel(std::move(sum));
}

Fraction Normalizer::Times(const Fraction& a, const Fraction& b) {
  if (failed_) return {};
  if (a.numerator.size() * b.numerator.size() > 8 * kMaxTerms) return Fail();
  if (Exceeds(1 + a.numerator.size() * b.numerator.size())) return {};
  Fraction product = Reduce(a.numerator * b.numerator);
  for (const auto& [factor, power] : a.denominator) product.denominator[factor] += power;
  for (const auto& [factor, power] : b.denominator) product.denominator[factor] += power;
  return product.denominator.empty() ? product : Cancel(std::move(product));
}

// Divides out what numerator and denominator share.
Fraction Normalizer::Cancel(Fraction a) {
  if (failed_) return {};
  if (a.numerator.size() > kMaxTerms || !a.numerator.Exact()) return Fail();
  if (a.numerator.IsZero()) return {};
  std::map<Polynomial, int> kept;
  std::vector<std::pair<Polynomial, int>> open(a.denominator.begin(), a.denominator.end());
  while (!open.empty()) {
    auto [factor, power] = open.back();
    open.pop_back();
    // A division, and a greatest common divisor, whose steps are about as many as there are terms.
    if (Exceeds(a.numerator.size() * factor.size() *
                (1 + std::min(a.numerator.size(), factor.size())))) {
      return {};
    }
    while (power > 0) {
      std::optional<Polynomial> quotient = Divide(a.numerator, factor);
      if (!quotient.has_value()) break;
      a.numerator = *quotient;
      --power;
    }
    if (power == 0) continue;
    const Polynomial common = Gcd(SplitContent(a.numerator).primitive, factor);
    const std::optional<Polynomial> rest =
        common.IsOne() || common == factor ? std::nullopt : Divide(factor, common);
    if (rest.has_value()) {
      open.emplace_back(common, power);
      open.emplace_back(SplitContent(*rest).primitive, power);
    } else {
      kept[factor] += power;
    }
  }
  a.denominator = std::move(kept);
  return a;
}

Fraction Normalizer::Invert(const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return Fail();
  const Content content = SplitContent(a.numerator);
  Fraction inverse =
      Reduce(Polynomial(Power(content.monomial, Number(-1)), Number(1) / content.coefficient));
  for (const auto& [factor, power] : a.denominator) {
    for (int i = 0; i < power; ++i) inverse = Times(inverse, {factor, {}});
  }
  if (!content.primitive.IsOne()) ++inverse.denominator[content.primitive];
  return inverse;
}

Fraction Normalizer::WholePower(const Fraction& a, int64_t n) {
  if (n < 0) return WholePower(Invert(a), -n);
  if (a.numerator.size() == 1) {
    const auto& [monomial, coefficient] = a.numerator.Leading();
    const Number power = Power(coefficient, n);
    if (!power.exact()) return Fail();
    Fraction result = Reduce(Polynomial(Power(monomial, Number(n)), power));
    for (const auto& [factor, k] : a.denominator) {
      if (k * n > 1000) return Fail();
      result.denominator[factor] += static_cast<int>(k * n);
    }
    return result;
  }
  if (n > 24) return Fail();
  Fraction result = Constant(1);
  for (int64_t i = 0; i < n && !failed_; ++i) result = Times(result, a);
  return result;
}

// value^exponent for value > 0, by prime factors.
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

// a^exponent for an exponent that is not whole; a >= 0 wherever that is defined.
Fraction Normalizer::RealPower(const Fraction& a, const Number& exponent) {
  if (failed_) return {};
  if (a.numerator.IsZero()) return exponent.sign() > 0 ? Fraction() : Fail();
  Content content = SplitContent(a.numerator);
  Fraction result = NumberPower(Abs(content.coefficient), exponent);
  // Factors with their powers; those of even power or known sign cannot make a negative.
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
    bool strict;
    const int known = KnownSign(factors[i].first, &strict);
    if (known == 0) {
      open.push_back(i);
    } else {
      sign *= known;
    }
  }
  if (open.size() == 1 && sign > 0 && may_assume_) AssumePositive(factors[open[0]].first);
  if (open.size() == 1 && sign < 0) {
    // (-u)^r stays a root of -u.
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

// |p|^exponent for a primitive polynomial or a single atom.
Fraction Normalizer::AbsOfPrimitive(const Polynomial& p, const Number& exponent) {
  if (exponent.IsZero()) return Constant(1);
  if (IsEven(exponent)) return WholePower({p, {}}, exponent.numerator());
  bool strict;
  const int sign = KnownSign(p, &strict);
  if (sign == 0) return Reduce(Polynomial({{AbsAtom(p), exponent}}, 1));
  const Polynomial positive = sign > 0 ? p : Scale(p, {}, Number(-1));
  if (exponent.integer()) return WholePower({positive, {}}, exponent.numerator());
  if (p.size() == 1 && sign > 0) return Reduce(Polynomial(Power(p.Leading().first, exponent), 1));
  return Reduce(Polynomial({{RootAtom(positive), exponent}}, 1));
}

// ---- Relations between atoms ----

// Rewrites one offending factor of the monomial; what it becomes is appended to `factors`. False
// when there is none.
bool Normalizer::ReduceTerm(Monomial* m, std::vector<Fraction>* factors) {
  for (size_t i = 0; i < m->size(); ++i) {
    const auto [atom, exponent] = (*m)[i];
    const AtomInfo info = atoms_[atom];  // A copy: what follows may add atoms.
    const auto replace_exponent = [&](const Number& by) {
      *m = Without(*m, atom);
      if (!by.IsZero()) *m = *m * Monomial{{atom, by}};
    };
    if (info.kind == Kind::kRoot) {
      const Number whole = Floor(exponent);
      if (whole.IsZero()) continue;
      replace_exponent(exponent - whole);
      factors->push_back(WholePower({info.base, {}}, whole.numerator()));
      return true;
    }
    if (info.kind == Kind::kAbs) {
      if (const auto known = signs_.find(info.base); known != signs_.end()) {
        replace_exponent(0);
        factors->push_back(AbsOfPrimitive(info.base, exponent));
        return true;
      }
      const Number half = Floor(exponent / Number(2));
      if (half.IsZero()) continue;
      replace_exponent(exponent - Number(2) * half);
      factors->push_back(WholePower({info.base, {}}, 2 * half.numerator()));
      return true;
    }
    if (info.kind == Kind::kSin && mode_ == Mode::kFull && exponent.integer() &&
        exponent.numerator() >= 2) {
      replace_exponent(exponent - Number(2));
      factors->push_back({Polynomial(Number(1)) - Polynomial({{info.partner, Number(2)}}, 1), {}});
      return true;
    }
    if (info.kind == Kind::kSign && exponent.integer()) {
      if (exponent.sign() < 0 || exponent.numerator() > 2) {
        replace_exponent(IsEven(exponent) ? (exponent.sign() < 0 ? 0 : 2) : 1);
        return true;
      }
      // sign(u) |u| = u and sign(u)^2 |u| = |u|.
      if (ExponentOf(*m, info.partner) == Number(1)) {
        replace_exponent(0);
        if (IsOdd(exponent)) {
          *m = Without(*m, info.partner);
          factors->push_back({info.base, {}});
        }
        return true;
      }
      // sign(u) u = |u| and sign(u)^2 u = u, for an atom u.
      if (info.base.size() != 1) continue;
      const Atom base = info.base.Leading().first[0].first;
      if (ExponentOf(*m, base).sign() > 0) {
        replace_exponent(0);
        if (IsOdd(exponent))
          *m = *m * Monomial{{base, Number(-1)}} * Monomial{{info.partner, Number(1)}};
        return true;
      }
    }
  }
  return false;
}

Fraction Normalizer::Reduce(const Polynomial& p) {
  if (failed_) return {};
  if (p.size() > 4 * kMaxTerms) return Fail();
  Polynomial plain;
  std::vector<Fraction> rest;
  for (const auto& [monomial, coefficient] : p.terms()) {
    Monomial m = monomial;
    std::vector<Fraction> factors;
    while (ReduceTerm(&m, &factors)) {
      if (failed_) return {};
    }
    if (factors.empty()) {
      plain.Accumulate(m, coefficient);
      continue;
    }
    Fraction term{Polynomial(m, coefficient), {}};
    for (const Fraction& factor : factors) term = Times(term, factor);
    rest.push_back(std::move(term));
  }
  Fraction sum{plain, {}};
  for (const Fraction& term : rest) sum = Plus(sum, term);
  return sum;
}

// ---- Functions ----

Normalizer::Parts Normalizer::Split(const Fraction& a) const {
  Parts parts;
  for (const auto& [monomial, coefficient] : a.numerator.terms()) {
    parts.emplace_back(coefficient, Fraction{Polynomial(monomial, 1), a.denominator});
  }
  return parts;
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
  bool strict;
  const int sign = KnownSign(p, &strict);
  if (sign != 0 && (strict || signs_.count(p) > 0)) return Constant(sign);
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

// exp(sum c t) as the product of exp(t)^c.
Fraction Normalizer::Exponential(const Fraction& a) {
  Fraction result = Constant(1);
  for (const auto& [coefficient, rest] : Split(a)) {
    const Monomial& m = rest.numerator.Leading().first;
    if (mode_ == Mode::kFull && rest.denominator.empty() && m.size() == 1 && m[0].second.IsOne() &&
        atoms_[m[0].first].expr.op() == Op::kLn) {
      // exp(c ln(u)) = u^c.
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

// ln of a product as the sum of the logarithms of its factors' absolute values: equal wherever
// ln(a) is defined.
Fraction Normalizer::Logarithm(const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return Fail();
  const Content content = SplitContent(a.numerator);
  Fraction result = LogarithmOfNumber(Abs(content.coefficient));
  std::vector<std::pair<Polynomial, Number>> factors;
  for (const auto& [atom, power] : content.monomial) {
    const AtomInfo info = atoms_[atom];
    if (info.kind == Kind::kExp) {
      result = Plus(result, Times(Constant(power), Convert(info.expr.arg(0))));
    } else if (info.kind == Kind::kRoot) {
      result = Plus(result, Times(Constant(power), Logarithm({info.base, {}})));
    } else if (info.kind == Kind::kAbs && info.base.size() == 1) {
      factors.emplace_back(info.base, power);
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
      may_assume_) {
    AssumePositive(factors[0].first);
  }
  for (const auto& [factor, power] : factors) {
    bool strict;
    Expr inside = PolynomialToExpr(factor);
    if (KnownSign(factor, &strict) <= 0) inside = Abs(inside);
    const Atom atom = AtomOf(pool_.Make(Op::kLn, {inside}));
    result = Plus(result, {Polynomial({{atom, Number(1)}}, power), {}});
  }
  return result;
}

// (sin, cos) of multiple * pi.
std::pair<Fraction, Fraction> Normalizer::SinCosOfPi(const Number& multiple) {
  const Number twelfths = multiple * Number(12);
  if (!twelfths.integer()) {
    const Expr angle = pool_.Constant(multiple) * pool_.Pi();
    return {OfAtom(AtomOf(pool_.Make(Op::kSin, {angle}))),
            OfAtom(AtomOf(pool_.Make(Op::kCos, {angle})))};
  }
  // sin of 0, 15, ..., 90 degrees.
  const auto sine = [&](int64_t k) -> Fraction {
    const Fraction half = Constant(Number::Ratio(1, 2));
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

// (sin, cos) of coefficient * part, by multiples of the smallest angle in use.
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

// An odd function: its argument's leading coefficient is made positive.
Fraction Normalizer::Odd(Op op, const Fraction& a) {
  if (failed_ || a.numerator.IsZero()) return {};
  const bool negative = a.numerator.Leading().second.sign() < 0;
  const Expr argument = ToExpr(negative ? Minus(a) : a);
  const Fraction f = OfAtom(AtomOf(pool_.Make(op, {argument})));
  return negative ? Minus(f) : f;
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

// ---- From expressions ----

Expr Normalizer::Expand(Expr e) const {
  if (e.op() == Op::kPow && !e.arg(1).IsConstant()) return Exp(e.arg(1) * Ln(e.arg(0)));
  if (mode_ == Mode::kShallow && e.op() != Op::kStrongMul) return Expr();
  const Operation& operation = Info(e.op());
  return operation.normal == nullptr ? Expr() : operation.normal(e.args());
}

Fraction Normalizer::Convert(Expr e) {
  for (Expr node : TopologicalOrder(e)) {
    if (failed_) return {};
    if (memo_.contains(node)) continue;
    if (Exceeds(1 + node.args().size())) return {};
    Fraction value = ConvertNode(node);
    memo_[node] = std::move(value);
  }
  return failed_ ? Fraction() : memo_[e];
}

Fraction Normalizer::ConvertNode(Expr e) {
  const bool shallow = mode_ == Mode::kShallow;
  if (e.op() == Op::kPow && !e.arg(1).IsConstant() && shallow) return OfAtom(AtomOf(e));
  if (const Expr simpler = Expand(e)) return Convert(simpler);
  std::vector<Fraction> args;
  for (Expr arg : e.args()) args.push_back(memo_[arg]);
  switch (e.op()) {
    case Op::kConstant:
      if (!e.number().exact()) return Fail();
      return Constant(e.number());
    case Op::kAdd:
    case Op::kMul: {
      Fraction result = args[0];
      for (size_t i = 1; i < args.size(); ++i) {
        result = e.op() == Op::kAdd ? Plus(result, args[i]) : Times(result, args[i]);
      }
      return result;
    }
    case Op::kPow: {
      const Number& exponent = e.arg(1).number();
      if (!exponent.exact()) return Fail();
      return exponent.integer() ? WholePower(args[0], exponent.numerator())
                                : RealPower(args[0], exponent);
    }
    case Op::kAbs:
      return Absolute(args[0]);
    case Op::kSign:
      return Signum(args[0]);
    case Op::kExp:
      if (e.arg(0).op() == Op::kLn) return memo_[e.arg(0).arg(0)];
      return Exponential(args[0]);
    default:
      break;
  }
  if (shallow) {
    const Kind kind = e.op() == Op::kSin   ? Kind::kSin
                      : e.op() == Op::kCos ? Kind::kCos
                                           : Kind::kPlain;
    return OfAtom(AtomOf(e, kind));
  }
  switch (e.op()) {
    case Op::kLn:
      if (e.arg(0).op() == Op::kExp) return memo_[e.arg(0).arg(0)];
      return Logarithm(args[0]);
    case Op::kSin:
      return SinCos(args[0]).first;
    case Op::kCos:
      return SinCos(args[0]).second;
    case Op::kAsin:
      return ArcSine(args[0]);
    case Op::kAtan:
      return ArcTangent(args[0]);
    case Op::kErf:
      return Odd(Op::kErf, args[0]);
    case Op::kFloor:
      return OfAtom(AtomOf(pool_.Make(Op::kFloor, {ToExpr(args[0])})));
    default:
      return OfAtom(AtomOf(e));  // Variables and pi.
  }
}

bool Normalizer::IsZero(const Fraction& f) {
  if (f.numerator.IsZero()) return true;
  // Powers of sines below 0 hide the relation sin^2 = 1 - cos^2: multiply them away.
  std::map<Atom, Number> lowest;
  for (const auto& [monomial, coefficient] : f.numerator.terms()) {
    for (const auto& [atom, exponent] : monomial) {
      if (atoms_[atom].kind == Kind::kSin && exponent < lowest[atom]) lowest[atom] = exponent;
    }
  }
  Monomial clear;
  for (const auto& [atom, exponent] : lowest) {
    if (exponent.sign() < 0) clear.emplace_back(atom, -exponent);
  }
  if (clear.empty()) return false;
  const Fraction cleared = Reduce(Scale(f.numerator, clear, 1));
  return !failed_ && cleared.numerator.IsZero();
}

// ---- To expressions ----

// Uses k (m - m sin^2 - m cos^2) = 0 (and the hyperbolic one) wherever that leaves fewer terms.
void Normalizer::Pythagoras(Polynomial* p) {
  std::set<Expr> angles;
  const size_t atoms = atoms_.size();
  for (Atom atom = 0; atom < atoms; ++atom) {
    const Expr expr = atoms_[atom].expr;
    const bool circular = expr.op() == Op::kSin || expr.op() == Op::kCos;
    if (!circular && expr.op() != Op::kSinh && expr.op() != Op::kCosh) continue;
    const Expr sine = pool_.Make(circular ? Op::kSin : Op::kSinh, {expr.arg(0)});
    if (!angles.insert(sine).second) continue;
    const Atom first = AtomOf(sine, circular ? Kind::kSin : Kind::kPlain);
    const Atom second = AtomOf(pool_.Make(circular ? Op::kCos : Op::kCosh, {expr.arg(0)}),
                               circular ? Kind::kCos : Kind::kPlain);
    const Number sign = circular ? 1 : -1;
    // m - sign * m first^2 - m second^2 = 0.
    const Monomial square1 = {{first, Number(2)}}, square2 = {{second, Number(2)}};
    std::vector<Monomial> bases;
    for (const auto& [monomial, coefficient] : p->terms()) {
      bases.push_back(monomial);
      if (!(ExponentOf(monomial, first) < Number(2))) {
        bases.push_back(monomial * Power(square1, Number(-1)));
      }
      if (!(ExponentOf(monomial, second) < Number(2))) {
        bases.push_back(monomial * Power(square2, Number(-1)));
      }
    }
    for (const Monomial& m : bases) {
      const auto coefficient = [&](const Monomial& monomial) {
        const auto place = p->terms().find(monomial);
        return place == p->terms().end() ? Number(0) : place->second;
      };
      const Monomial m1 = m * square1, m2 = m * square2;
      const Number c0 = coefficient(m), c1 = coefficient(m1), c2 = coefficient(m2);
      const auto terms_after = [&](const Number& k) {
        return !(c0 - k).IsZero() + !(c1 + sign * k).IsZero() + !(c2 + k).IsZero();
      };
      Number best = 0;
      for (const Number& k : {c0, -sign * c1, -c2}) {
        if (terms_after(k) < terms_after(best)) best = k;
      }
      p->Accumulate(m, -best);
      p->Accumulate(m1, sign * best);
      p->Accumulate(m2, best);
    }
  }
}

Expr Normalizer::PowerOfAtom(Atom atom, const Number& exponent) {
  const AtomInfo& info = atoms_[atom];
  if (info.kind == Kind::kRoot) return Pow(info.expr.arg(0), exponent);
  return Pow(info.expr, exponent);
}

Expr Normalizer::MonomialToExpr(const Monomial& m, const Number& coefficient) {
  std::vector<Expr> factors = {pool_.Constant(coefficient)};
  std::vector<Expr> exponents;  // All exponentials as one.
  for (const auto& [atom, exponent] : m) {
    if (atoms_[atom].kind == Kind::kExp) {
      exponents.push_back(pool_.Constant(exponent) * atoms_[atom].expr.arg(0));
    } else {
      factors.push_back(PowerOfAtom(atom, exponent));
    }
  }
  if (!exponents.empty()) factors.push_back(Exp(Add(exponents)));
  return Mul(factors);
}

Expr Normalizer::PolynomialToExpr(const Polynomial& p) {
  if (p.IsZero()) return pool_.Constant(0);
  std::vector<Expr> terms;
  for (auto term = p.terms().rbegin(); term != p.terms().rend(); ++term) {
    terms.push_back(MonomialToExpr(term->first, term->second));
  }
  return Add(terms);
}

Expr Normalizer::ToExpr(const Fraction& f) {
  Polynomial numerator = f.numerator;
  if (mode_ == Mode::kShallow) Pythagoras(&numerator);
  if (f.denominator.empty()) return PolynomialToExpr(numerator);
  if (numerator.IsZero()) return pool_.Constant(0);
  const Content content = SplitContent(numerator);
  std::vector<Expr> factors = {MonomialToExpr(content.monomial, content.coefficient),
                               PolynomialToExpr(content.primitive)};
  for (const auto& [factor, power] : f.denominator) {
    Polynomial shorter = factor;
    if (mode_ == Mode::kShallow) Pythagoras(&shorter);
    factors.push_back(Pow(PolynomialToExpr(shorter), Number(-power)));
  }
  return Mul(factors);
}

}  // namespace cotangent::autodiff::symbolic
