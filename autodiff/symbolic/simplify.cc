#include "autodiff/symbolic/simplify.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/normal_form.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/rewrite.h"

namespace cotangent::autodiff::symbolic {
namespace {

struct Rewritten {
  std::string rule;
  Expr result;
};

// Returns a rough measure of the length of the text of e: the number of nodes of e written out as a
// tree, where a constant counts 0.5 to 1.5.
double Cost(Expr e) {
  absl::flat_hash_map<Expr, double> cost;
  for (Expr node : TopologicalOrder(e)) {
    double sum = 1;
    if (node.IsConstant()) sum = node.number().integer() ? (node.IsNumber(-1) ? 0.5 : 1) : 1.5;
    for (Expr arg : node.args()) sum += cost[arg];
    cost[node] = std::min(sum, 1e9);
  }
  return cost[e];
}

bool IsNegative(Expr e) {
  if (e.op() == Op::kAdd) {
    return std::all_of(e.args().begin(), e.args().end(),
                       [](Expr term) { return SplitCoefficient(term).first.sign() < 0; });
  }
  return SplitCoefficient(e).first.sign() < 0;
}

// Returns -e; a sum gets the sign in each of its terms.
Expr Negated(Expr e) {
  if (e.op() != Op::kAdd) return -e;
  std::vector<Expr> terms;
  for (Expr term : e.args()) terms.push_back(-term);
  return Add(terms);
}

bool NeverNegative(Expr e) {
  switch (e.op()) {
    case Op::kConstant:
      return e.number().sign() >= 0;
    case Op::kPi:
      return true;
    case Op::kPow:
      return e.arg(1).IsConstant() && (!e.arg(1).number().integer() || IsEven(e.arg(1).number()));
    case Op::kMax:
      return e.arg(0).IsZero() || e.arg(1).IsZero();
    default:
      return Info(e.op()).range != Range::kAny;
  }
}

std::optional<Rewritten> RewriteOddOrEven(Expr e) {
  const Operation& operation = Info(e.op());
  if (operation.symmetry == Symmetry::kNone || !IsNegative(e.arg(0))) return std::nullopt;
  const Expr value = Apply(e.op(), {Negated(e.arg(0))});
  const std::string f = operation.name;
  if (operation.symmetry == Symmetry::kOdd) {
    return Rewritten{absl::StrCat(f, "(-u) = -", f, "(u)"), -value};
  }
  if (e.op() == Op::kAbs) return Rewritten{"|-u| = |u|", value};
  return Rewritten{absl::StrCat(f, "(-u) = ", f, "(u)"), value};
}

// Rewrites ln of an exponential or of a constant power.
std::optional<Rewritten> RewriteLn(Expr e) {
  const Expr u = e.arg(0);
  if (u.op() == Op::kExp) return Rewritten{"ln(exp(u)) = u", u.arg(0)};
  if (u.op() == Op::kPow && u.arg(1).IsConstant()) {
    const Number& n = u.arg(1).number();
    const bool even = IsEven(n);
    const bool plain = !even || NeverNegative(u.arg(0));
    return Rewritten{plain ? "ln(u^n) = n ln(u)" : "ln(u^n) = n ln|u| for even n",
                     u.arg(1) * Ln(plain ? u.arg(0) : Abs(u.arg(0)))};
  }
  return std::nullopt;
}

std::optional<Rewritten> RewriteAbs(Expr e) {
  const Expr u = e.arg(0);
  if (NeverNegative(u)) return Rewritten{"|u| = u where u >= 0", u};
  const auto [coefficient, rest] = SplitCoefficient(u);
  if (!coefficient.IsOne() && !rest.IsOne()) {
    return Rewritten{"|c u| = |c| |u|", e.pool().Constant(Abs(coefficient)) * Abs(rest)};
  }
  return std::nullopt;
}

std::optional<Rewritten> RewritePow(Expr e) {
  const Expr base = e.arg(0);
  if (!e.arg(1).IsConstant() || !e.arg(1).number().exact()) return std::nullopt;
  const Number& n = e.arg(1).number();
  const bool even = IsEven(n);
  if (base.op() == Op::kAbs && even) return Rewritten{"|u|^2 = u^2", Pow(base.arg(0), n)};
  if (base.op() == Op::kExp) {
    return Rewritten{"exp(u)^n = exp(n u)", Exp(e.arg(1) * base.arg(0))};
  }
  if (base.op() != Op::kPow || !base.arg(1).IsConstant() || !base.arg(1).number().exact()) {
    if (even && IsNegative(base) && base.op() == Op::kAdd) {
      return Rewritten{"(-u)^n = u^n for even n", Pow(Negated(base), n)};
    }
    return std::nullopt;
  }
  const Number& m = base.arg(1).number();
  const bool inner_even = IsEven(m);
  if (inner_even && !n.integer()) {
    const Expr u = base.arg(0);
    return Rewritten{m * n == Number(1) ? "sqrt(u^2) = |u|" : "(u^m)^n = |u|^(m n) for even m",
                     Pow(NeverNegative(u) ? u : Abs(u), m * n)};
  }
  if (n.integer() || !m.integer()) return Rewritten{"(u^m)^n = u^(m n)", Pow(base.arg(0), m * n)};
  return std::nullopt;
}

// Applies a rule to the operation at the root of e, and returns the rule and the result; returns
// nothing if no rule applies.
std::optional<Rewritten> RewriteRoot(Expr e) {
  if (auto rewritten = RewriteOddOrEven(e)) return rewritten;
  const Expr u = e.args().empty() ? e : e.arg(0);
  switch (e.op()) {
    case Op::kAbs:
      return RewriteAbs(e);
    case Op::kPow:
      return RewritePow(e);
    case Op::kLn:
      return RewriteLn(e);
    case Op::kExp:
      if (u.op() == Op::kLn) return Rewritten{"exp(ln(u)) = u", u.arg(0)};
      break;
    case Op::kSign:
      if (u.op() == Op::kPi || Info(u.op()).range == Range::kPositive) {
        return Rewritten{"sign(u) = 1 where u > 0", e.pool().Constant(1)};
      }
      break;
    case Op::kMin:
    case Op::kMax:
      // Puts the arguments in the order of operator<, so that min(u, v) and min(v, u) become the
      // same expression.
      if (e.arg(1) < u) return Rewritten{"order of arguments", Apply(e.op(), {e.arg(1), u})};
      break;
    default:
      break;
  }
  return std::nullopt;
}

// Returns the terms of a sum whose terms may be sums too (or the factors of a product of products),
// in order. Returns nothing if the budget is used up or there are very many: sums of sums that are
// used twice can have exponentially many terms.
std::optional<std::vector<Expr>> Flattened(Expr e, Budget& budget) {
  constexpr size_t kMostParts = 1'000'000;
  std::vector<Expr> parts;
  std::vector<Expr> open(e.args().rbegin(), e.args().rend());
  while (!open.empty()) {
    if (!budget.Spend(1) || parts.size() > kMostParts) return std::nullopt;
    const Expr part = open.back();
    open.pop_back();
    if (part.op() == e.op()) {
      open.insert(open.end(), part.args().rbegin(), part.args().rend());
    } else {
      parts.push_back(part);
    }
  }
  return parts;
}

// Joins like terms of a sum: 1 + x + x becomes 1 + 2 x. Returns `e` itself if no two terms are
// alike.
Expr JoinLikeTerms(Expr e, Budget& budget) {
  const std::optional<std::vector<Expr>> terms = Flattened(e, budget);
  if (!terms.has_value()) return e;
  std::vector<std::pair<Expr, Number>> joined;
  absl::flat_hash_map<Expr, size_t> place;
  for (Expr term : *terms) {
    const auto [coefficient, rest] = SplitCoefficient(term);
    const auto [found, inserted] = place.try_emplace(rest, joined.size());
    if (inserted) {
      joined.emplace_back(rest, coefficient);
    } else {
      joined[found->second].second = joined[found->second].second + coefficient;
    }
  }
  if (joined.size() == terms->size()) return e;
  std::vector<Expr> sum;
  for (const auto& [rest, coefficient] : joined) {
    sum.push_back(e.pool().Constant(coefficient) * rest);
  }
  return Add(sum);
}

// Joins like powers of a product: x y x^2 becomes x^3 y. Returns `e` itself if no two factors are
// powers of the same base.
Expr JoinLikePowers(Expr e, Budget& budget) {
  const std::optional<std::vector<Expr>> factors = Flattened(e, budget);
  if (!factors.has_value()) return e;
  std::vector<std::pair<Expr, Number>> joined;
  absl::flat_hash_map<Expr, size_t> place;
  for (Expr factor : *factors) {
    const bool power =
        factor.op() == Op::kPow && factor.arg(1).IsConstant() && factor.arg(1).number().exact();
    const Expr base = power ? factor.arg(0) : factor;
    const Number exponent = power ? factor.arg(1).number() : Number(1);
    const auto [found, inserted] = place.try_emplace(base, joined.size());
    if (inserted || base.IsConstant()) {
      joined.emplace_back(base, exponent);
    } else {
      joined[found->second].second = joined[found->second].second + exponent;
    }
  }
  if (joined.size() == factors->size()) return e;
  std::vector<Expr> product;
  for (const auto& [base, exponent] : joined) product.push_back(Pow(base, exponent));
  return Mul(product);
}

// Returns the number of nodes of `e`, its root included; the count stops at `limit`.
size_t SizeUpTo(Expr e, size_t limit) {
  absl::flat_hash_set<Expr> seen;
  std::vector<Expr> open = {e};
  while (!open.empty() && seen.size() < limit) {
    const Expr node = open.back();
    open.pop_back();
    if (seen.insert(node).second) open.insert(open.end(), node.args().begin(), node.args().end());
  }
  return seen.size();
}

class Simplifier {
 public:
  Simplifier(absl::Span<const Expr> roots, std::vector<RewriteStep>* steps, Budget* budget)
      : roots_(roots.begin(), roots.end()),
        steps_(steps),
        budget_(budget == nullptr ? own_budget_ : *budget) {}

  std::vector<Expr> Run() {
    for (int pass = 0; pass < 4 && !budget_.exhausted(); ++pass) {
      const std::vector<Expr> before = roots_;
      Pass();
      if (roots_ == before) break;
    }
    return roots_;
  }

 private:
  // Collect() computes the normal form (normal_form.h), which looks at all nodes of an expression,
  // only for expressions with at most this many nodes.
  static constexpr size_t kMostNodes = 400;

  // Goes through all nodes once, arguments before their users, and rewrites each as long as rules
  // apply, at most 20 times.
  void Pass() {
    const std::vector<Expr> order = TopologicalOrder(roots_);
    if (!budget_.Spend(static_cast<int64_t>(order.size()))) return;
    FindAbsorbed(order);
    Substitutions done;
    roots_ = Rewrite(roots_, [&](Expr node, absl::Span<const Expr> args) {
      Expr current = WithArguments(node, args);
      const auto replace = [&](const std::string& rule, Expr after) {
        if (steps_ != nullptr) {
          // A step holds the whole expression, which takes a walk over all of it.
          if (!budget_.Spend(static_cast<int64_t>(order.size()))) return;
          done[node] = after;
          steps_->push_back({rule, current, after, Substitute(roots_[0], done)});
        }
        current = after;
      };
      for (int i = 0; i < 20; ++i) {
        const std::optional<Rewritten> rewritten = RewriteRoot(current);
        if (!rewritten.has_value() || rewritten->result == current) break;
        replace(rewritten->rule, rewritten->result);
      }
      if (!absorbed_.contains(node)) Collect(current, replace);
      done[node] = current;
      return current;
    });
  }

  template <class Replace>
  void Collect(const Expr& current, Replace replace) {
    if (budget_.exhausted() || !Collects(current)) return;
    const size_t size = SizeUpTo(current, kMostNodes + 1);
    if (!budget_.Spend(static_cast<int64_t>(size))) return;
    if (current.op() == Op::kAdd) {
      const Expr joined = JoinLikeTerms(current, budget_);
      if (joined != current) replace("collect like terms", joined);
    }
    if (size <= kMostNodes && Collects(current)) {
      const Expr shorter = Collected(current);
      if (shorter != current && Cost(shorter) < Cost(current)) {
        replace("collect like terms and powers, cancel common factors", shorter);
      }
    }
    if (current.op() == Op::kMul) {
      const Expr joined = JoinLikePowers(current, budget_);
      if (joined != current) replace("collect like powers", joined);
    }
  }

  // Finds the sums that only other sums use, and the products that only other products use. Pass()
  // does not collect the terms of these, because it does so for the sum or product that uses them.
  void FindAbsorbed(absl::Span<const Expr> order) {
    absorbed_.clear();
    absl::flat_hash_set<Expr> kept(roots_.begin(), roots_.end());
    for (Expr node : order) {
      for (Expr arg : node.args()) {
        if (arg.op() != node.op()) kept.insert(arg);
      }
    }
    for (Expr node : order) {
      const bool chains = node.op() == Op::kAdd || node.op() == Op::kMul;
      if (chains && !kept.contains(node)) absorbed_.insert(node);
    }
  }

  static bool Collects(Expr e) {
    return e.op() == Op::kAdd || e.op() == Op::kMul || e.op() == Op::kPow || e.op() == Op::kAbs ||
           e.op() == Op::kSign || e.op() == Op::kExp;
  }

  Expr Collected(Expr e) {
    Normalizer normalizer(e.pool(), Normalizer::Mode::kShallow, {}, &budget_);
    const std::optional<Fraction> form = normalizer.Normalize(e);
    return form.has_value() ? normalizer.ToExpr(*form) : e;
  }

  std::vector<Expr> roots_;
  std::vector<RewriteStep>* steps_;
  Budget own_budget_;
  Budget& budget_;
  absl::flat_hash_set<Expr> absorbed_;
};

// Returns whether the operation at the root of e is known to be positive wherever it is defined.
// `positive` has those of its arguments of which that is known.
bool AlwaysPositive(Expr e, const absl::flat_hash_set<Expr>& positive) {
  const auto known = [&](Expr arg) { return positive.contains(arg); };
  switch (e.op()) {
    case Op::kConstant:
      return e.number().sign() > 0;
    case Op::kPi:
      return true;
    case Op::kPow:
      return known(e.arg(0));
    case Op::kMul:
      return absl::c_all_of(e.args(), known);
    case Op::kAdd:
      return absl::c_any_of(e.args(), known) &&
             absl::c_all_of(e.args(), [&](Expr arg) { return known(arg) || NeverNegative(arg); });
    default:
      return Info(e.op()).range == Range::kPositive;
  }
}

// Returns e with a variable in place of each power whose exponent is not constant and whose base
// may be 0 or negative, and adds these variables with their powers to *powers. The full normal form
// writes u^v as exp(v ln(u)), but (-2)^3 and 0^2 have values, whereas ln(-2) and ln(0) have none.
Expr HidePowers(Expr e, Substitutions* powers) {
  Substitutions hidden;
  absl::flat_hash_set<Expr> positive;
  for (Expr node : TopologicalOrder(e)) {
    if (AlwaysPositive(node, positive)) positive.insert(node);
    if (node.op() != Op::kPow || node.arg(1).IsConstant() || positive.contains(node)) continue;
    // No variable of a formula has a name with a space.
    const Expr variable = e.pool().Variable(absl::StrCat("power ", hidden.size()));
    hidden[node] = variable;
    (*powers)[variable] = node;
  }
  return Substitute(e, hidden);
}

}  // namespace

Expr Simplify(Expr e, std::vector<RewriteStep>* steps, Budget* budget) {
  return Simplifier({Plain(e)}, steps, budget).Run()[0];
}

std::vector<Expr> Simplify(absl::Span<const Expr> roots, Budget* budget) {
  return Simplifier(Plain(roots), nullptr, budget).Run();
}

Expr Canonical(Expr e) {
  Normalizer normalizer(e.pool(), Normalizer::Mode::kFull);
  const std::optional<Fraction> form = normalizer.Normalize(e);
  return form.has_value() ? normalizer.ToExpr(*form) : e;
}

Expr Shortest(Expr e, Budget* budget) {
  const Expr simple = Simplify(e, nullptr, budget);
  if (budget != nullptr && budget->exhausted()) return simple;
  Substitutions powers;
  Normalizer normalizer(e.pool(), Normalizer::Mode::kFull, {}, budget);
  const std::optional<Fraction> form = normalizer.Normalize(HidePowers(e, &powers));
  if (!form.has_value()) return simple;
  const Expr shown = Substitute(normalizer.ToExpr(*form), powers);
  const Expr canonical = Simplify(shown, nullptr, budget);
  return Cost(canonical) < Cost(simple) ? canonical : simple;
}

}  // namespace cotangent::autodiff::symbolic
