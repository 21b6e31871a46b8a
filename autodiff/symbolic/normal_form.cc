#include "autodiff/symbolic/normal_form.h"

#include <algorithm>

#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

constexpr int kMaxRestarts = 12;

// Returns whether a branch of a select contains a logarithm or a root. That the argument of the
// logarithm or root is not negative then holds only where the branch is taken.
bool GuardsDomains(Expr e) {
  for (Expr node : TopologicalOrder(e)) {
    if (node.op() != Op::kSelect) continue;
    const Expr branches[] = {node.arg(2), node.arg(3)};
    for (Expr part : TopologicalOrder(branches)) {
      switch (part.op()) {
        case Op::kLn:
        case Op::kLog2:
        case Op::kLog10:
        case Op::kLog1p:
        case Op::kAcosh:
        case Op::kAtanh:
          return true;
        case Op::kPow:
          if (!part.arg(1).IsConstant() || !part.arg(1).number().integer()) return true;
          break;
        default:
          break;
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
  // Makes the atoms (indeterminates of the polynomials) of variables first, in the order of their
  // names, so that the normal form does not depend on how the expression was written.
  std::vector<Expr> variables = Variables(e);
  std::sort(variables.begin(), variables.end(), [](Expr a, Expr b) { return a.name() < b.name(); });
  for (Expr variable : variables) AtomOf(variable);
  for (const auto& [base, sign] : known_signs_) {
    const Fraction f = Convert(base);
    if (failed_ || f.numerator.IsZero()) continue;
    const Content content = SplitContent(f.numerator);
    Polynomial p = content.primitive;
    if (p.IsOne()) p = Polynomial(content.monomial, 1);
    signs_[p] = {sign * content.coefficient.sign(), /*strict=*/true};
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

// ---- Arithmetic of fractions ----

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

// Divides numerator and denominator by their common factors.
Fraction Normalizer::Cancel(Fraction a) {
  if (failed_) return {};
  if (a.numerator.size() > kMaxTerms || !a.numerator.Exact()) return Fail();
  if (a.numerator.IsZero()) return {};
  std::map<Polynomial, int> kept;
  std::vector<std::pair<Polynomial, int>> open(a.denominator.begin(), a.denominator.end());
  while (!open.empty()) {
    auto [factor, power] = open.back();
    open.pop_back();
    // The work is that of a division and of a greatest common divisor, which takes about as many
    // steps as the smaller polynomial has terms.
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
  for (const auto& [atom, power] : content.monomial) {
    const AtomInfo& info = atoms_[atom];
    AssumeNotZero(info.kind == Kind::kRoot ? info.base : Polynomial({{atom, Number(1)}}, 1));
  }
  AssumeNotZero(content.primitive);
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

// ---- From expressions to fractions ----

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
      return FloorOf(args[0]);
    default:
      return OfAtom(AtomOf(e));  // Variables and pi.
  }
}

bool Normalizer::IsNonzeroPolynomial(const Fraction& f) const {
  for (const auto& [monomial, coefficient] : f.numerator.terms()) {
    for (const auto& [atom, exponent] : monomial) {
      if (!atoms_[atom].expr.IsVariable() || !exponent.integer()) return false;
    }
  }
  return !f.numerator.IsZero();
}

bool Normalizer::IsZero(const Fraction& f) {
  if (f.numerator.IsZero()) return true;
  // Negative powers of sines hide the relation sin^2 = 1 - cos^2. So the numerator is multiplied by
  // powers of these sines until no exponent is negative.
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

}  // namespace cotangent::autodiff::symbolic
