#include "autodiff/symbolic/equality.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "absl/algorithm/container.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

// A point and the values that two expressions have there.
struct Probe {
  std::vector<double> point;
  double a;             // the value of the first expression
  double b;             // the value of the second expression
  double scale;         // the largest magnitude of all intermediate values, at least 1
  bool defined = true;  // whether all values are defined, except in branches that are not taken
};

// Fills in all of *probe but the point. A value that is NaN counts as undefined and, if `finite`,
// one that is infinite, too.
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

// Returns the work of evaluating a program once, in the unit of Budget.
int64_t WorkOf(const Program& program) {
  return 1 + static_cast<int64_t>(program.steps().size()) / 8;
}

// Evaluates a and b at up to `trials` random points and calls `use` with the Probe of each, until
// `use` returns false or the budget is used up. Variables in `positive` get positive values.
// Coordinates are at most 6 in magnitude, or at most 1000 if `far`.
template <class Use>
void ForRandomPoints(Expr a, Expr b, int trials, absl::Span<const Expr> positive, bool far,
                     Budget* budget, Use use) {
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
    if (!budget->Spend(WorkOf(*program))) return;
    EvaluateAt(*program, /*finite=*/false, &probe);
    if (!use(std::move(probe))) return;
  }
}

bool HasVariableExponent(absl::Span<const Expr> roots) {
  return absl::c_any_of(TopologicalOrder(roots), [](Expr node) {
    return node.op() == Op::kPow && !node.arg(1).IsConstant();
  });
}

// Returns points whose coordinates are small whole numbers and simple fractions. Two functions that
// are equal almost everywhere may differ there, because powers have whole exponents and piecewise
// functions change there. Leaves out points where an expression or an intermediate value is not
// finite. There are more points for three and more variables of which some are in exponents:
// (x^y)^z and x^(y z) differ only where x is negative, y even and z a fraction.
std::vector<Probe> SpecialPoints(Expr a, Expr b, absl::Span<const Expr> positive, Budget* budget) {
  const Expr both[] = {a, b};
  const std::vector<Expr> variables = Variables(both);
  const absl::StatusOr<Program> program = Program::Create(both, variables);
  std::vector<Probe> probes;
  if (!program.ok()) return probes;
  constexpr double kValues[] = {0,    1,     -1,      0.5,      -0.5,    2, -2, 1.5,  -1.5,
                                0.25, -0.25, 1.0 / 3, -1.0 / 3, 2.0 / 3, 3, -3, 0.75, -0.75};
  constexpr size_t kCount = std::size(kValues);
  std::mt19937_64 random(20240301);
  const size_t rounds = variables.size() < 2                                  ? 1
                        : variables.size() == 2 || !HasVariableExponent(both) ? 6
                                                                              : 60;
  for (size_t trial = 0; trial < rounds * kCount; ++trial) {
    Probe probe;
    for (size_t i = 0; i < variables.size(); ++i) {
      double u = kValues[(trial + (i == 0 ? 0 : random())) % kCount];
      if (absl::c_linear_search(positive, variables[i])) u = u == 0 ? 4 : std::abs(u);
      probe.point.push_back(u);
    }
    if (!budget->Spend(WorkOf(*program))) break;
    EvaluateAt(*program, /*finite=*/true, &probe);
    if (probe.defined) probes.push_back(std::move(probe));
  }
  return probes;
}

// Returns up to `wanted` random points where both expressions have finite values. Points far from
// 0, where values overflow and underflow, are tried only if no point near 0 has values.
std::vector<Probe> ProbePoints(Expr a, Expr b, int wanted, absl::Span<const Expr> positive,
                               Budget* budget) {
  std::vector<Probe> probes;
  for (const bool far : {false, true}) {
    if (!probes.empty()) break;
    ForRandomPoints(a, b, 40 * wanted, positive, far, budget, [&](Probe probe) {
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

// Returns whether `difference` is zero for all choices of the signs of open[decided], open[decided
// + 1] and so on (expressions whose signs are unknown). `signs` holds the signs chosen for the
// earlier ones.
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

// Returns a variable in which `base` is linear with a constant slope, and the variable's value for
// which `base` is 0; returns nothing if there is no such variable.
std::optional<std::pair<Expr, Expr>> Root(Expr base, Budget* budget) {
  for (Expr variable : Variables(base)) {
    const Expr slope = Simplify(Differentiate(base, variable), nullptr, budget);
    if (!slope.IsConstant() || !slope.number().exact() || slope.IsZero()) continue;
    const Expr at_zero = Substitute(base, variable, base.pool().Constant(0));
    return std::pair(variable, Simplify(at_zero / -slope, nullptr, budget));
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
    const auto root = Root(base, budget);
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

Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive, Budget* budget) {
  Budget own;
  if (budget == nullptr) budget = &own;
  b = a.pool().Import(b);
  if (a == b) return Verdict::kEqual;
  const std::vector<Probe> probes = ProbePoints(a, b, 8, positive, budget);
  if (absl::c_any_of(probes, Differ) ||
      absl::c_any_of(SpecialPoints(a, b, positive, budget), Differ)) {
    return Verdict::kDifferent;
  }
  if (!probes.empty() && ProvedZero(a - b, positive, budget)) return Verdict::kEqual;
  if (absl::c_any_of(ProbePoints(a, b, 200, positive, budget), Differ)) return Verdict::kDifferent;
  if (!probes.empty() && ProvedNonzero(a - b, budget)) return Verdict::kDifferent;
  return Verdict::kUnknown;
}

namespace {

// Returns a value of the variable at which e is defined and `reflected` is not, or nothing if none
// is found. `reflected` is e with the variable replaced by its negative.
std::optional<double> DefinedOnOneSide(Expr e, Expr reflected, Expr variable, Budget* budget) {
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
    if (!found.has_value()) ForRandomPoints(e, reflected, 100, {}, far, budget, one_sided);
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
    if (const auto at = DefinedOnOneSide(e, proof.reflected, variable, budget); at.has_value()) {
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
    for (const auto& probes : {ProbePoints(proof.reflected, other, 60, {}, budget),
                               SpecialPoints(proof.reflected, other, {}, budget)}) {
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
  if (ProbePoints(proof.reflected, e, 1, {}, budget).empty())
    return proof;  // probably defined nowhere
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
