#include "autodiff/symbolic/simplify.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/normal_form.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

struct Rewritten {
  std::string rule;
  Expr result;
};

// Returns a rough measure of the length of the text of e: the number of nodes of e written out as a
// tree.
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

// Applies a rule to the operation at the root of e; returns nothing if no rule applies.
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
      // Puts the arguments in a fixed order. Where they are equal, the order does not matter.
      if (e.arg(1) < u) return Rewritten{"order of arguments", Apply(e.op(), {e.arg(1), u})};
      break;
    default:
      break;
  }
  return std::nullopt;
}

// Returns the terms of a sum whose terms may be sums too (or the factors of a product of products),
// in order.
std::vector<Expr> Flattened(Expr e) {
  std::vector<Expr> parts;
  std::vector<Expr> open(e.args().rbegin(), e.args().rend());
  while (!open.empty()) {
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
Expr JoinLikeTerms(Expr e) {
  const std::vector<Expr> terms = Flattened(e);
  std::vector<std::pair<Expr, Number>> joined;
  absl::flat_hash_map<Expr, size_t> place;
  for (Expr term : terms) {
    const auto [coefficient, rest] = SplitCoefficient(term);
    const auto [found, inserted] = place.try_emplace(rest, joined.size());
    if (inserted) {
      joined.emplace_back(rest, coefficient);
    } else {
      joined[found->second].second = joined[found->second].second + coefficient;
    }
  }
  if (joined.size() == terms.size()) return e;
  std::vector<Expr> sum;
  for (const auto& [rest, coefficient] : joined) {
    sum.push_back(e.pool().Constant(coefficient) * rest);
  }
  return Add(sum);
}

// Joins like powers of a product: x y x^2 becomes x^3 y. Returns `e` itself if no two factors are
// powers of the same base.
Expr JoinLikePowers(Expr e) {
  const std::vector<Expr> factors = Flattened(e);
  std::vector<std::pair<Expr, Number>> joined;
  absl::flat_hash_map<Expr, size_t> place;
  for (Expr factor : factors) {
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
  if (joined.size() == factors.size()) return e;
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
  // Collect() computes the normal form, which looks at all nodes of an expression, only for
  // expressions with at most this many nodes.
  static constexpr size_t kMostNodes = 400;

  // Rewrites every node once, arguments before their users.
  void Pass() {
    const std::vector<Expr> order = TopologicalOrder(roots_);
    FindAbsorbed(order);
    absl::flat_hash_map<Expr, Expr> result;
    const std::vector<Expr> roots = roots_;
    for (Expr node : order) {
      std::vector<Expr> args;
      for (Expr arg : node.args()) args.push_back(result[arg]);
      Expr current = node;
      if (!args.empty() && !std::equal(args.begin(), args.end(), node.args().begin())) {
        current = Apply(node.op(), args);
      }
      const auto replace = [&](const std::string& rule, Expr after) {
        if (steps_ != nullptr) {
          result[node] = after;
          const Expr whole = Rebuild(roots[0], order, result);
          steps_->push_back({rule, current, after, whole});
        }
        current = after;
      };
      for (int i = 0; i < 20; ++i) {
        const std::optional<Rewritten> rewritten = RewriteRoot(current);
        if (!rewritten.has_value() || rewritten->result == current) break;
        replace(rewritten->rule, rewritten->result);
      }
      if (!absorbed_.contains(node)) Collect(current, replace);
      result[node] = current;
    }
    for (Expr& root : roots_) root = result[root];
  }

  template <class Replace>
  void Collect(const Expr& current, Replace replace) {
    if (budget_.exhausted() || !Collects(current)) return;
    const size_t size = SizeUpTo(current, kMostNodes + 1);
    if (!budget_.Spend(static_cast<int64_t>(size))) return;
    if (current.op() == Op::kAdd) {
      const Expr joined = JoinLikeTerms(current);
      if (joined != current) replace("collect like terms", joined);
    }
    if (size <= kMostNodes && Collects(current)) {
      const Expr shorter = Collected(current);
      if (shorter != current && Cost(shorter) < Cost(current)) {
        replace("collect like terms and powers, cancel common factors", shorter);
      }
    }
    if (current.op() == Op::kMul) {
      const Expr joined = JoinLikePowers(current);
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

  // Returns `root` with the nodes replaced that `result` maps to new expressions.
  static Expr Rebuild(Expr root, const std::vector<Expr>& order,
                      absl::flat_hash_map<Expr, Expr> result) {
    for (Expr node : order) {
      if (result.contains(node)) continue;
      std::vector<Expr> args;
      bool changed = false;
      for (Expr arg : node.args()) {
        args.push_back(result[arg]);
        changed |= args.back() != arg;
      }
      result[node] = changed ? Apply(node.op(), args) : node;
    }
    return result[root];
  }

  std::vector<Expr> roots_;
  std::vector<RewriteStep>* steps_;
  Budget own_budget_;
  Budget& budget_;
  absl::flat_hash_set<Expr> absorbed_;
};

// A point and the values that two expressions have there.
struct Probe {
  std::vector<double> point;
  double a;             // the value of the first expression
  double b;             // the value of the second expression
  double scale;         // the largest magnitude of all intermediate values, at least 1
  bool defined = true;  // no value is NaN, except in branches that are not taken
};

// Fills in all of *probe but the point. If `finite`, the values count as undefined where an
// intermediate value is infinite.
void EvaluateAt(const Program& program, bool finite, Probe* probe) {
  const std::vector<double> values = program.EvaluateAll<double>(probe->point);
  probe->a = values[program.outputs()[0]];
  probe->b = values[program.outputs()[1]];
  probe->scale = 1;
  const std::vector<bool> taken = WhatIsTaken(program, values);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) probe->scale = std::max(probe->scale, std::abs(values[i]));
    probe->defined &= !taken[i] || (finite ? std::isfinite(values[i]) : !std::isnan(values[i]));
  }
}

// Evaluates a and b at up to `trials` random points and calls `use` with each, until it returns
// false. Variables in `positive` get positive values. Coordinates are at most 6 in magnitude, or up
// to 1000 if `far`.
template <class Use>
void ForRandomPoints(Expr a, Expr b, int trials, absl::Span<const Expr> positive, bool far,
                     Use use) {
  const Expr both[] = {a, b};
  const std::vector<Expr> variables = Variables(both);
  const absl::StatusOr<Program> program = Program::Create(both, variables);
  if (!program.ok()) return;
  std::mt19937_64 random(20240229);
  constexpr double kRanges[] = {0.9, 2.5, 6, 1.5};
  for (int trial = 0; trial < trials; ++trial) {
    Probe probe;
    const double range = far ? std::pow(10.0, 1 + trial % 3) : kRanges[trial % 4];
    for (Expr variable : variables) {
      double u = std::uniform_real_distribution<double>(-range, range)(random);
      if (trial % 3 == 0 || absl::c_linear_search(positive, variable)) u = std::abs(u);
      probe.point.push_back(u);
    }
    EvaluateAt(*program, /*finite=*/false, &probe);
    if (!use(std::move(probe))) return;
  }
}

// Returns points where two functions that are equal almost everywhere may differ: where powers have
// whole exponents and where piecewise functions change. Only points are returned where both
// expressions and all their intermediate values are finite.
std::vector<Probe> SpecialPoints(Expr a, Expr b, absl::Span<const Expr> positive) {
  const Expr both[] = {a, b};
  const std::vector<Expr> variables = Variables(both);
  const absl::StatusOr<Program> program = Program::Create(both, variables);
  std::vector<Probe> probes;
  if (!program.ok()) return probes;
  constexpr double kValues[] = {0,    1,     -1,      0.5,      -0.5,    2, -2, 1.5,  -1.5,
                                0.25, -0.25, 1.0 / 3, -1.0 / 3, 2.0 / 3, 3, -3, 0.75, -0.75};
  constexpr size_t kCount = std::size(kValues);
  std::mt19937_64 random(20240301);
  for (size_t trial = 0; trial < (variables.size() > 1 ? 6 * kCount : kCount); ++trial) {
    Probe probe;
    for (size_t i = 0; i < variables.size(); ++i) {
      double u = kValues[(trial + (i == 0 ? 0 : random())) % kCount];
      if (absl::c_linear_search(positive, variables[i])) u = u == 0 ? 4 : std::abs(u);
      probe.point.push_back(u);
    }
    EvaluateAt(*program, /*finite=*/true, &probe);
    if (probe.defined) probes.push_back(std::move(probe));
  }
  return probes;
}

// Returns up to `wanted` random points where both expressions have finite values. Points far from
// 0, where values overflow and underflow, are tried only if no point near 0 has values.
std::vector<Probe> ProbePoints(Expr a, Expr b, int wanted, absl::Span<const Expr> positive = {}) {
  std::vector<Probe> probes;
  for (const bool far : {false, true}) {
    if (!probes.empty()) break;
    ForRandomPoints(a, b, 40 * wanted, positive, far, [&](Probe probe) {
      if (probe.defined && std::isfinite(probe.a) && std::isfinite(probe.b)) {
        probes.push_back(std::move(probe));
      }
      return static_cast<int>(probes.size()) < wanted;
    });
  }
  return probes;
}

bool Differ(const Probe& probe) {
  const double tolerance = 1e-9 * probe.scale;
  return tolerance < 1e-3 * (std::abs(probe.a) + std::abs(probe.b)) + 1e-6 &&
         std::abs(probe.a - probe.b) > tolerance;
}

// Returns whether `difference` is zero for all choices of signs of open[decided], open[decided +
// 1], ... The signs of the earlier ones are in `signs`.
bool ZeroInEveryCase(Expr difference, const std::vector<Expr>& open, size_t decided,
                     Normalizer::Signs* signs, Budget* budget) {
  if (decided < open.size()) {
    const Expr base = open[decided];
    for (int sign : {1, -1}) {
      signs->emplace_back(base, sign);
      const bool zero = ZeroInEveryCase(difference, open, decided + 1, signs, budget);
      signs->pop_back();
      if (!zero) return false;
    }
    return true;
  }
  Normalizer normalizer(difference.pool(), Normalizer::Mode::kFull, *signs, budget);
  const std::optional<Fraction> form = normalizer.Normalize(difference);
  return form.has_value() && normalizer.IsZero(*form);
}

bool HasJumps(Expr e) {
  const std::vector<Expr> order = TopologicalOrder(e);
  return std::any_of(order.begin(), order.end(), [](Expr node) {
    return node.op() == Op::kSign || node.op() == Op::kStep || node.op() == Op::kSelect;
  });
}

// Returns a variable of `base` and its value for which `base` is 0, if `base` is linear in that
// variable; returns nothing if there is no such variable.
std::optional<std::pair<Expr, Expr>> Root(Expr base) {
  for (Expr variable : Variables(base)) {
    const Expr slope = Simplify(Differentiate(base, variable));
    if (!slope.IsConstant() || !slope.number().exact() || slope.IsZero()) continue;
    const Expr at_zero = Substitute(base, variable, base.pool().Constant(0));
    return std::pair(variable, Simplify(at_zero / -slope));
  }
  return std::nullopt;
}

bool ProvedZero(Expr difference, absl::Span<const Expr> positive, Budget* budget, int depth = 0) {
  Normalizer::Signs signs;
  for (Expr variable : positive) signs.emplace_back(variable, 1);
  Normalizer normalizer(difference.pool(), Normalizer::Mode::kFull, signs, budget);
  const std::optional<Fraction> form = normalizer.Normalize(difference);
  if (!form.has_value()) return false;
  if (normalizer.IsZero(*form)) return true;
  const std::vector<Expr> open = normalizer.OpenSigns();
  if (open.empty() || open.size() > 5) return false;
  if (!ZeroInEveryCase(difference, open, 0, &signs, budget)) return false;
  // The cases leave out the points where an expression of `open` is 0. Without jumps, the
  // difference is zero there too, by continuity; with jumps, each such point must be tested itself.
  if (!HasJumps(difference)) return true;
  if (depth > 3) return false;
  for (Expr base : open) {
    const auto root = Root(base);
    if (!root.has_value()) return false;
    const Expr there = Substitute(difference, root->first, root->second);
    if (!ProvedZero(there, positive, budget, depth + 1)) return false;
  }
  return true;
}

bool ProvedNonzero(Expr difference, Budget* budget) {
  Normalizer normalizer(difference.pool(), Normalizer::Mode::kShallow, {}, budget);
  const std::optional<Fraction> form = normalizer.Normalize(difference);
  return form.has_value() && normalizer.IsNonzeroPolynomial(*form);
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
  Normalizer normalizer(e.pool(), Normalizer::Mode::kFull, {}, budget);
  const std::optional<Fraction> form = normalizer.Normalize(e);
  if (!form.has_value()) return simple;
  const Expr canonical = Simplify(normalizer.ToExpr(*form), nullptr, budget);
  return Cost(canonical) < Cost(simple) ? canonical : simple;
}

Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive, Budget* budget) {
  Budget own;
  if (budget == nullptr) budget = &own;
  b = a.pool().Import(b);
  if (a == b) return Verdict::kEqual;
  const std::vector<Probe> probes = ProbePoints(a, b, 8, positive);
  if (absl::c_any_of(probes, Differ) || absl::c_any_of(SpecialPoints(a, b, positive), Differ)) {
    return Verdict::kDifferent;
  }
  if (!probes.empty() && ProvedZero(a - b, positive, budget)) return Verdict::kEqual;
  if (absl::c_any_of(ProbePoints(a, b, 200, positive), Differ)) return Verdict::kDifferent;
  if (!probes.empty() && ProvedNonzero(a - b, budget)) return Verdict::kDifferent;
  return Verdict::kUnknown;
}

namespace {

// Returns a value of the variable at which e is defined and `reflected` is not, or nothing if none
// is found. `reflected` is e with the variable replaced by its negative.
std::optional<double> DefinedOnOneSide(Expr e, Expr reflected, Expr variable) {
  const Expr both[] = {e, reflected};
  const std::vector<Expr> variables = Variables(both);
  std::optional<double> found;
  int trials = 0;
  const auto one_sided = [&](const Probe& probe) {
    if (std::isfinite(probe.a) == std::isfinite(probe.b) || ++trials > 20) return true;
    Bindings point;
    for (size_t i = 0; i < variables.size(); ++i) point[variables[i].name()] = probe.point[i];
    // Evaluate() also fails for a value that overflows, but such a function is defined: only NaN
    // counts as undefined.
    const bool a_is = Evaluate(e, point).ok(), b_is = Evaluate(reflected, point).ok();
    if (a_is == b_is || !(a_is ? std::isnan(probe.b) : std::isnan(probe.a))) return true;
    found = point[variable.name()] * (a_is ? 1 : -1);
    return false;
  };
  for (const bool far : {false, true}) {
    if (!found.has_value()) ForRandomPoints(e, reflected, 100, {}, far, one_sided);
  }
  return found;
}

}  // namespace

ParityProof ProveParity(Expr e, Expr variable, Budget* budget) {
  Budget own;
  if (budget == nullptr) budget = &own;
  ParityProof proof;
  variable = e.pool().Import(variable);
  proof.reflected = Substitute(e, variable, -variable);
  if (Contains(e, variable)) {
    if (const auto at = DefinedOnOneSide(e, proof.reflected, variable); at.has_value()) {
      proof.parity = Parity::kNeither;
      proof.counterexample = *at;
      proof.one_sided = true;
      return proof;
    }
  }
  const auto refuted = [&](Expr other) -> std::optional<double> {
    const Expr both[] = {proof.reflected, other};
    const std::vector<Expr> variables = Variables(both);
    const size_t position = absl::c_find(variables, variable) - variables.begin();
    for (const auto& probes :
         {ProbePoints(proof.reflected, other, 60), SpecialPoints(proof.reflected, other, {})}) {
      for (const Probe& probe : probes) {
        if (Differ(probe)) return position < variables.size() ? probe.point[position] : 0;
      }
    }
    return std::nullopt;
  };
  const std::optional<double> not_even = refuted(e);
  const std::optional<double> not_odd = refuted(-e);
  if (not_even.has_value() && not_odd.has_value()) {
    proof.parity = Parity::kNeither;
    proof.counterexample = *not_even;
    return proof;
  }
  if (ProbePoints(proof.reflected, e, 1).empty()) return proof;  // probably defined nowhere
  const Expr target = not_even.has_value() ? -e : e;
  const Expr simplified = Simplify(proof.reflected, &proof.steps, budget);
  if (simplified != target) {
    std::vector<RewriteStep> of_target;
    const Expr simplified_target = Simplify(target, &of_target, budget);
    const Verdict verdict =
        simplified == simplified_target ? Verdict::kEqual : Equal(simplified, target, {}, budget);
    if (verdict != Verdict::kEqual) return proof;
    proof.steps.push_back({simplified == simplified_target
                               ? "both sides simplify to the same"
                               : "both sides have the same normal form (all written in exp)",
                           simplified, target, target});
  }
  proof.parity = not_even.has_value() ? Parity::kOdd : Parity::kEven;
  return proof;
}

}  // namespace cotangent::autodiff::symbolic
