#include "autodiff/symbolic/simplify.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/normal_form.h"

namespace cotangent::autodiff::symbolic {
namespace {

struct Rewritten {
  const char* rule;
  Expr result;
};

// Length of the text, roughly: nodes written out as a tree.
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

// -e, with the sign taken into a sum.
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
    case Op::kExp:
    case Op::kCosh:
    case Op::kSigmoid:
    case Op::kSoftplus:
    case Op::kErfc:
    case Op::kAbs:
    case Op::kStep:
    case Op::kAcos:
      return true;
    case Op::kPow:
      return e.arg(1).IsConstant() &&
             (!e.arg(1).number().integer() || e.arg(1).number().numerator() % 2 == 0);
    case Op::kMax:
      return e.arg(0).IsZero() || e.arg(1).IsZero();
    default:
      return false;
  }
}

std::optional<Rewritten> RewriteOddOrEven(Expr e) {
  const Expr u = e.args().empty() ? e : e.arg(0);
  if (e.args().size() != 1 || !IsNegative(u)) return std::nullopt;
  const Expr minus_u = Negated(u);
  switch (e.op()) {
    case Op::kAbs:
      return Rewritten{"|-u| = |u|", Abs(minus_u)};
    case Op::kCos:
      return Rewritten{"cos(-u) = cos(u)", Cos(minus_u)};
    case Op::kCosh:
      return Rewritten{"cosh(-u) = cosh(u)", Cosh(minus_u)};
    case Op::kSin:
      return Rewritten{"sin(-u) = -sin(u)", -Sin(minus_u)};
    case Op::kTan:
      return Rewritten{"tan(-u) = -tan(u)", -Tan(minus_u)};
    case Op::kAsin:
      return Rewritten{"asin(-u) = -asin(u)", -Asin(minus_u)};
    case Op::kAtan:
      return Rewritten{"atan(-u) = -atan(u)", -Atan(minus_u)};
    case Op::kSinh:
      return Rewritten{"sinh(-u) = -sinh(u)", -Sinh(minus_u)};
    case Op::kTanh:
      return Rewritten{"tanh(-u) = -tanh(u)", -Tanh(minus_u)};
    case Op::kAsinh:
      return Rewritten{"asinh(-u) = -asinh(u)", -Asinh(minus_u)};
    case Op::kAtanh:
      return Rewritten{"atanh(-u) = -atanh(u)", -Atanh(minus_u)};
    case Op::kErf:
      return Rewritten{"erf(-u) = -erf(u)", -Erf(minus_u)};
    case Op::kSign:
      return Rewritten{"sign(-u) = -sign(u)", -Sign(minus_u)};
    default:
      return std::nullopt;
  }
}

// ln of what it undoes.
std::optional<Rewritten> RewriteLn(Expr e) {
  const Expr u = e.arg(0);
  if (u.op() == Op::kExp) return Rewritten{"ln(exp(u)) = u", u.arg(0)};
  if (u.op() == Op::kPow && u.arg(1).IsConstant()) {
    const Number& n = u.arg(1).number();
    const bool even = n.integer() && n.numerator() % 2 == 0;
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
  const bool even = n.integer() && n.numerator() % 2 == 0;
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
  const bool inner_even = m.integer() && m.numerator() % 2 == 0;
  if (inner_even && !n.integer()) {
    const Expr u = base.arg(0);
    return Rewritten{m * n == Number(1) ? "sqrt(u^2) = |u|" : "(u^m)^n = |u|^(m n) for even m",
                     Pow(NeverNegative(u) ? u : Abs(u), m * n)};
  }
  if (n.integer() || !m.integer()) return Rewritten{"(u^m)^n = u^(m n)", Pow(base.arg(0), m * n)};
  return std::nullopt;
}

// A rule that applies to the operation at the root, if any.
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
      if (u.op() == Op::kExp || u.op() == Op::kSigmoid || u.op() == Op::kSoftplus ||
          u.op() == Op::kCosh || u.op() == Op::kPi) {
        return Rewritten{"sign(u) = 1 where u > 0", e.pool().Constant(1)};
      }
      break;
    case Op::kMin:
    case Op::kMax:
      // A fixed order of the arguments; at a tie they are the same anyway.
      if (e.arg(1) < u) return Rewritten{"order of arguments", Apply(e.op(), {e.arg(1), u})};
      break;
    default:
      break;
  }
  return std::nullopt;
}

class Simplifier {
 public:
  Simplifier(Expr e, std::vector<RewriteStep>* steps) : whole_(e), steps_(steps) {}

  Expr Run() {
    for (int pass = 0; pass < 4; ++pass) {
      const Expr before = whole_;
      Pass();
      if (whole_ == before) break;
    }
    return whole_;
  }

 private:
  // Every node once, arguments first.
  void Pass() {
    const std::vector<Expr> order = TopologicalOrder(whole_);
    const bool collect = order.size() <= 400;
    absl::flat_hash_map<Expr, Expr> result;
    const Expr root = whole_;
    for (Expr node : order) {
      std::vector<Expr> args;
      for (Expr arg : node.args()) args.push_back(result[arg]);
      Expr current = node;
      if (!args.empty() && !std::equal(args.begin(), args.end(), node.args().begin())) {
        current = Apply(node.op(), args);
      }
      const auto replace = [&](const char* rule, Expr after) {
        if (steps_ != nullptr) {
          result[node] = after;
          whole_ = Rebuild(root, order, result);
          steps_->push_back({rule, current, after, whole_});
        }
        current = after;
      };
      for (int i = 0; i < 20; ++i) {
        const std::optional<Rewritten> rewritten = RewriteRoot(current);
        if (!rewritten.has_value() || rewritten->result == current) break;
        replace(rewritten->rule, rewritten->result);
      }
      if (collect && !current.args().empty() && Collects(current)) {
        const Expr shorter = Collected(current);
        if (shorter != current && Cost(shorter) < Cost(current)) {
          replace("collect like terms and powers, cancel common factors", shorter);
        }
      }
      result[node] = current;
    }
    whole_ = result[root];
  }

  static bool Collects(Expr e) {
    return e.op() == Op::kAdd || e.op() == Op::kMul || e.op() == Op::kPow || e.op() == Op::kAbs ||
           e.op() == Op::kSign || e.op() == Op::kExp;
  }

  static Expr Collected(Expr e) {
    Normalizer normalizer(e.pool(), Normalizer::Mode::kShallow);
    const std::optional<Fraction> form = normalizer.Normalize(e);
    return form.has_value() ? normalizer.ToExpr(*form) : e;
  }

  // The whole with what has been rewritten so far.
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

  Expr whole_;
  std::vector<RewriteStep>* steps_;
};

// Random points where both have values.
struct Probe {
  std::vector<double> point;
  double a;
  double b;
  double scale;  // The largest magnitude among all intermediate values.
};

std::vector<Probe> ProbePoints(Expr a, Expr b, int wanted, absl::Span<const Expr> positive = {}) {
  const Expr both[] = {a, b};
  const std::vector<Expr> variables = Variables(both);
  std::vector<Probe> probes;
  const absl::StatusOr<Program> program = Program::Create(both, variables);
  if (!program.ok()) return probes;
  std::mt19937_64 random(20240229);
  for (int trial = 0; trial < 40 * wanted && static_cast<int>(probes.size()) < wanted; ++trial) {
    Probe probe;
    const double range = trial % 4 == 0 ? 0.9 : trial % 4 == 1 ? 2.5 : trial % 4 == 2 ? 6 : 1.5;
    for (size_t i = 0; i < variables.size(); ++i) {
      double u = std::uniform_real_distribution<double>(-range, range)(random);
      if (trial % 3 == 0 || absl::c_linear_search(positive, variables[i])) u = std::abs(u);
      probe.point.push_back(u);
    }
    const std::vector<double> values = program->EvaluateAll<double>(probe.point);
    probe.a = values[program->outputs()[0]];
    probe.b = values[program->outputs()[1]];
    probe.scale = 1;
    for (double value : values) {
      if (std::isfinite(value)) probe.scale = std::max(probe.scale, std::abs(value));
    }
    if (std::isfinite(probe.a) && std::isfinite(probe.b)) probes.push_back(std::move(probe));
  }
  return probes;
}

bool Differ(const Probe& probe) {
  const double tolerance = 1e-9 * probe.scale;
  return tolerance < 1e-3 * (std::abs(probe.a) + std::abs(probe.b)) + 1e-6 &&
         std::abs(probe.a - probe.b) > tolerance;
}

// The difference is zero for every choice of the open signs.
bool ZeroInEveryCase(Expr difference, const std::vector<Expr>& open, size_t decided,
                     Normalizer::Signs* signs) {
  if (decided < open.size()) {
    const Expr base = open[decided];
    for (int sign : {1, -1}) {
      signs->emplace_back(base, sign);
      const bool zero = ZeroInEveryCase(difference, open, decided + 1, signs);
      signs->pop_back();
      if (!zero) return false;
    }
    return true;
  }
  Normalizer normalizer(difference.pool(), Normalizer::Mode::kFull, *signs);
  const std::optional<Fraction> form = normalizer.Normalize(difference);
  return form.has_value() && normalizer.IsZero(*form);
}

bool HasJumps(Expr e) {
  const std::vector<Expr> order = TopologicalOrder(e);
  return std::any_of(order.begin(), order.end(), [](Expr node) {
    return node.op() == Op::kSign || node.op() == Op::kStep || node.op() == Op::kSelect;
  });
}

bool ProvedZero(Expr difference, absl::Span<const Expr> positive, int depth = 0) {
  Normalizer::Signs signs;
  for (Expr variable : positive) signs.emplace_back(variable, 1);
  Normalizer normalizer(difference.pool(), Normalizer::Mode::kFull, signs);
  const std::optional<Fraction> form = normalizer.Normalize(difference);
  if (!form.has_value()) return false;
  if (normalizer.IsZero(*form)) return true;
  const std::vector<Expr> open = normalizer.OpenSigns();
  if (open.empty() || open.size() > 5) return false;
  if (!ZeroInEveryCase(difference, open, 0, &signs)) return false;
  // Between the cases: by continuity, or where there are jumps, at 0 itself.
  if (!HasJumps(difference)) return true;
  if (depth > 3) return false;
  for (Expr base : open) {
    if (!base.IsVariable()) return false;
    if (!ProvedZero(Substitute(difference, base, difference.pool().Constant(0)), positive,
                    depth + 1)) {
      return false;
    }
  }
  return true;
}

}  // namespace

Expr Simplify(Expr e, std::vector<RewriteStep>* steps) { return Simplifier(e, steps).Run(); }

Expr Canonical(Expr e) {
  Normalizer normalizer(e.pool(), Normalizer::Mode::kFull);
  const std::optional<Fraction> form = normalizer.Normalize(e);
  return form.has_value() ? normalizer.ToExpr(*form) : e;
}

Verdict Equal(Expr a, Expr b, absl::Span<const Expr> positive) {
  b = a.pool().Import(b);
  if (a == b) return Verdict::kEqual;
  for (const Probe& probe : ProbePoints(a, b, 8, positive)) {
    if (Differ(probe)) return Verdict::kDifferent;
  }
  if (ProvedZero(a - b, positive)) return Verdict::kEqual;
  for (const Probe& probe : ProbePoints(a, b, 200, positive)) {
    if (Differ(probe)) return Verdict::kDifferent;
  }
  return Verdict::kUnknown;
}

ParityProof ProveParity(Expr e, Expr variable) {
  ParityProof proof;
  variable = e.pool().Import(variable);
  proof.reflected = Substitute(e, variable, -variable);
  const auto refuted = [&](Expr other) -> std::optional<double> {
    const Expr both[] = {proof.reflected, other};
    const std::vector<Expr> variables = Variables(both);
    const size_t position =
        std::find(variables.begin(), variables.end(), variable) - variables.begin();
    for (const Probe& probe : ProbePoints(proof.reflected, other, 60)) {
      if (Differ(probe)) return position < variables.size() ? probe.point[position] : 0;
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
  const Expr target = not_even.has_value() ? -e : e;
  const Expr simplified = Simplify(proof.reflected, &proof.steps);
  if (simplified != target) {
    std::vector<RewriteStep> of_target;
    const Expr simplified_target = Simplify(target, &of_target);
    const Verdict verdict =
        simplified == simplified_target ? Verdict::kEqual : Equal(simplified, target);
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
