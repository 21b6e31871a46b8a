#include "autodiff/symbolic/normal_form.h"
#include "autodiff/symbolic/operation.h"

// Creates atoms (the indeterminates of the polynomials in a normal form: variables, and functions
// of normal forms), keeps what is known of their signs, and applies the relations between atoms.
namespace cotangent::autodiff::symbolic {

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

// Returns the atom that stands for the polynomial `base` where the polynomial is the base of a
// root: after Reduce(), the atom has exponents between 0 and 1 only.
Atom Normalizer::RootAtom(const Polynomial& base) {
  const Atom atom =
      AtomOf(pool_.Make(Op::kPow, {PolynomialToExpr(base), pool_.Constant(1)}), Kind::kRoot);
  atoms_[atom].base = base;
  atoms_[atom].nonnegative = true;
  return atom;
}

void Normalizer::Assume(const Polynomial& p, bool strict) {
  const auto [known, inserted] = signs_.try_emplace(p, KnownSign{1, strict});
  if (!inserted && (known->second.strict || !strict)) return;
  known->second.strict = strict;
  restart_ = true;
}

void Normalizer::AssumeNotZero(const Polynomial& p) {
  const auto known = signs_.find(p);
  if (may_assume_ && known != signs_.end() && known->second.sign > 0) Assume(p, /*strict=*/true);
}

std::vector<Expr> Normalizer::OpenSigns() const {
  std::vector<Expr> open;
  for (const AtomInfo& info : atoms_) {
    if (info.kind == Kind::kAbs && signs_.count(info.base) == 0) open.push_back(info.expr.arg(0));
  }
  return open;
}

Normalizer::KnownSign Normalizer::SignOf(const Polynomial& p) const {
  if (const auto found = signs_.find(p); found != signs_.end()) return found->second;
  bool strict = false;
  int common = 0;
  for (const auto& [monomial, coefficient] : p.terms()) {
    int sign = coefficient.sign();
    bool strictly = true;
    for (const auto& [atom, exponent] : monomial) {
      const AtomInfo& info = atoms_[atom];
      const auto known = signs_.find(Polynomial({{atom, Number(1)}}, 1));
      if (known != signs_.end()) {
        if (!IsEven(exponent)) sign *= known->second.sign;
        strictly &= known->second.strict;
      } else if (!info.positive) {
        strictly = false;
        if (!info.nonnegative && exponent.integer() && !IsEven(exponent)) return {};
      }
    }
    if (common != 0 && sign != common) return {};
    common = sign;
    strict |= strictly;
  }
  return {common, strict};
}

// Applies one relation between atoms to the monomial: removes a factor or changes its exponent
// (beside sign(u) also that of u or |u|), and appends to `factors` what the monomial must then be
// multiplied by, if anything. Returns false if no relation applies.
bool Normalizer::ReduceTerm(Monomial* m, std::vector<Fraction>* factors) {
  for (size_t i = 0; i < m->size(); ++i) {
    const auto [atom, exponent] = (*m)[i];
    const AtomInfo info = atoms_[atom];  // a copy, because the code below may add atoms
    const auto replace_exponent = [m, atom = atom](const Number& by) {
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
      // Uses sign(u) |u| = u and sign(u)^2 |u| = |u|.
      if (ExponentOf(*m, info.partner) == Number(1)) {
        replace_exponent(0);
        if (IsOdd(exponent)) {
          *m = Without(*m, info.partner);
          factors->push_back({info.base, {}});
        }
        return true;
      }
      // Uses sign(u) r = r for a root r of u, which is defined for u >= 0 only.
      const auto is_root = [&](const auto& factor) {
        const AtomInfo& other = atoms_[factor.first];
        return other.kind == Kind::kRoot && other.base == info.base && factor.second.sign() > 0;
      };
      if (std::any_of(m->begin(), m->end(), is_root)) {
        replace_exponent(0);
        return true;
      }
      // Uses sign(u) u = |u| and sign(u)^2 u = u, for an atom u.
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

}  // namespace cotangent::autodiff::symbolic
