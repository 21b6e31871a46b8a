#include <set>
#include <vector>

#include "autodiff/symbolic/normal_form.h"

// Turns normal forms (fractions of polynomials; normal_form.h) back into expressions.
namespace cotangent::autodiff::symbolic {

// Subtracts k (m - m sin^2 - m cos^2), which is 0, from *p for monomials m and numbers k, wherever
// that leaves fewer terms. Does the same with k (m + m sinh^2 - m cosh^2).
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
    // The relation is m - sign * m first^2 - m second^2 = 0.
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
  std::vector<Expr> exponents;  // of all exponentials, which become one
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
