#include "autodiff/symbolic/expression.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "autodiff/symbolic/rewrite.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Returns `right` as a node of the pool of `left`.
Expr Beside(Expr left, Expr right) {
  return &left.pool() == &right.pool() ? right : left.pool().Import(right);
}

}  // namespace

Pool::Pool() = default;
Pool::~Pool() = default;

Expr Pool::Intern(Op op, absl::Span<const Expr> args, const Number& number,
                  absl::string_view name) {
  std::vector<Expr> key(args.begin(), args.end());
  const bool commutes = op == Op::kAdd || op == Op::kMul;
  if (commutes) std::sort(key.begin(), key.end());
  const size_t hash = absl::HashOf(static_cast<int>(op), number, name, key);
  std::vector<const Expr::Node*>& bucket = unique_[hash];
  for (const Expr::Node* node : bucket) {
    if (node->op != op || node->number != number || node->name != name ||
        node->args.size() != args.size()) {
      continue;
    }
    if (std::equal(args.begin(), args.end(), node->args.begin())) return Expr(node);
    if (commutes && std::is_permutation(args.begin(), args.end(), node->args.begin())) {
      return Expr(node);
    }
  }
  nodes_.push_back({op, static_cast<uint32_t>(nodes_.size()), this, number, std::string(name),
                    std::vector<Expr>(args.begin(), args.end())});
  bucket.push_back(&nodes_.back());
  return Expr(&nodes_.back());
}

Expr Pool::Constant(const Number& value) { return Intern(Op::kConstant, {}, value, ""); }
Expr Pool::Variable(absl::string_view name) { return Intern(Op::kVariable, {}, 0, name); }
Expr Pool::Pi() { return Intern(Op::kPi, {}, 0, ""); }
Expr Pool::E() { return Make(Op::kExp, {Constant(1)}); }
Expr Pool::Make(Op op, absl::Span<const Expr> args) { return Intern(op, args, 0, ""); }

Expr Pool::Import(Expr e) {
  if (&e.pool() == this) return e;
  absl::flat_hash_map<Expr, Expr> copies;
  for (Expr node : TopologicalOrder(e)) {
    std::vector<Expr> args;
    args.reserve(node.args().size());
    for (Expr arg : node.args()) args.push_back(copies[arg]);
    copies[node] = Intern(node.op(), args, node.number(), node.name());
  }
  return copies[e];
}

std::pair<Number, Expr> SplitCoefficient(Expr e) {
  Pool& pool = e.pool();
  if (e.IsConstant()) return {e.number(), pool.Constant(1)};
  if (e.op() != Op::kMul || !e.arg(0).IsConstant()) return {1, e};
  const absl::Span<const Expr> rest = e.args().subspan(1);
  return {e.arg(0).number(), rest.size() == 1 ? rest[0] : pool.Make(Op::kMul, rest)};
}

namespace {

// Returns (base, exponent) with base^exponent = e. The exponent is a constant; it is 1 if e is no
// power with a constant exponent.
std::pair<Expr, Number> SplitPower(Expr e) {
  if (e.op() == Op::kPow && e.arg(1).IsConstant()) return {e.arg(0), e.arg(1).number()};
  return {e, 1};
}

// Returns whether the product of two constants is a constant: it neither overflows nor vanishes.
bool Folds(const Number& a, const Number& b) {
  if (a.IsZero() || b.IsZero()) return true;
  const Number product = a * b;
  return !product.IsZero() && std::isfinite(product.ToDouble());
}

}  // namespace

Expr Add(absl::Span<const Expr> terms) {
  Pool& pool = terms[0].pool();
  Number constant = 0;
  std::optional<size_t> constant_at;
  std::vector<Expr> kept;
  kept.reserve(terms.size());
  for (Expr term : terms) {
    term = Beside(terms[0], term);
    if (term.IsConstant()) {
      if (!constant_at.has_value()) constant_at = kept.size();
      constant = constant + term.number();
    } else {
      kept.push_back(term);
    }
  }
  if (kept.size() == 2) {
    const auto [first, left] = SplitCoefficient(kept[0]);
    const auto [second, right] = SplitCoefficient(kept[1]);
    if (left == right) {
      kept = {pool.Constant(first + second) * left};
      if (kept[0].IsZero()) kept.clear();
      constant_at = constant_at.has_value() ? std::optional<size_t>(0) : std::nullopt;
    }
  }
  if (kept.empty()) return pool.Constant(constant);
  if (!constant.IsZero()) kept.insert(kept.begin() + *constant_at, pool.Constant(constant));
  return kept.size() == 1 ? kept[0] : pool.Make(Op::kAdd, kept);
}

Expr Mul(absl::Span<const Expr> factors) {
  Pool& pool = factors[0].pool();
  Number constant = 1;
  std::vector<Expr> kept;
  kept.reserve(factors.size() + 1);
  for (Expr factor : factors) {
    factor = Beside(factors[0], factor);
    const auto [coefficient, rest] = SplitCoefficient(factor);
    if (!Folds(constant, coefficient)) {  // both stay, for numbers of a wider range
      kept.push_back(factor);
      continue;
    }
    constant = constant * coefficient;
    if (!rest.IsOne()) kept.push_back(rest);
  }
  if (constant.IsZero()) return pool.Constant(0);
  if (kept.size() == 2 && kept[0] == kept[1]) kept = {Pow(kept[0], Number(2))};
  if (kept.size() == 2) {
    // x * x^-2 becomes x^-1, which is defined where both factors are.
    const auto [base, power] = SplitPower(kept[0]);
    const auto [other, exponent] = SplitPower(kept[1]);
    if (base == other && power.integer() && exponent.integer() && (power + exponent).sign() < 0) {
      kept = {Pow(base, power + exponent)};
    }
  }
  if (kept.empty()) return pool.Constant(constant);
  // A constant times a product becomes one node: 2 * (x * y) is 2 * x * y.
  if (kept.size() == 1 && kept[0].op() == Op::kMul && !constant.IsOne()) {
    const Expr inner = kept[0];
    kept.assign(inner.args().begin(), inner.args().end());
  }
  if (!constant.IsOne()) kept.insert(kept.begin(), pool.Constant(constant));
  return kept.size() == 1 ? kept[0] : pool.Make(Op::kMul, kept);
}

Expr Pow(Expr base, const Number& exponent) { return Pow(base, base.pool().Constant(exponent)); }

Expr Pow(Expr base, Expr exponent) {
  Pool& pool = base.pool();
  exponent = Beside(base, exponent);
  if (base.IsOne()) return base;
  if (!exponent.IsConstant()) return pool.Make(Op::kPow, {base, exponent});
  const Number& power = exponent.number();
  if (power.IsZero()) return pool.Constant(1);
  if (power.IsOne()) return base;
  if (base.IsConstant() && power.exact()) {
    const Number& value = base.number();
    if (value.IsZero() && power.sign() > 0) return base;
    if (value.exact() && !value.IsZero()) {
      if (power.integer()) {
        const Number result = Power(value, power.numerator());
        if (result.exact()) return pool.Constant(result);
      } else if (const auto root = ExactRoot(value, power.denominator()); root.has_value()) {
        const Number result = Power(*root, power.numerator());
        if (result.exact()) return pool.Constant(result);
      }
    }
  }
  if (base.op() == Op::kPow && power.integer() && base.arg(1).IsConstant() &&
      base.arg(1).number().integer()) {
    return Pow(base.arg(0), base.arg(1).number() * power);
  }
  if (power.integer()) {
    // Moves a constant factor out of an integer power, so that constants stand in front: (3 x)^-1
    // becomes 1/3 x^-1.
    const auto [coefficient, rest] = SplitCoefficient(base);
    if (coefficient.exact() && !coefficient.IsZero() && !coefficient.IsOne() && !rest.IsOne()) {
      const Number scale = Power(coefficient, power.numerator());
      if (scale.exact()) return pool.Constant(scale) * Pow(rest, power);
    }
  }
  return pool.Make(Op::kPow, {base, exponent});
}

Expr operator+(Expr a, Expr b) { return Add({a, b}); }
Expr operator-(Expr a, Expr b) { return Add({a, -b}); }
Expr operator*(Expr a, Expr b) { return Mul({a, b}); }
Expr operator-(Expr a) { return Mul({a.pool().Constant(-1), a}); }

Expr operator/(Expr a, Expr b) {
  b = Beside(a, b);
  if (b.IsConstant() && !b.IsZero()) return a.pool().Constant(Number(1) / b.number()) * a;
  return a * Pow(b, Number(-1));
}

Expr Sqrt(Expr a) { return Pow(a, Number::Ratio(1, 2)); }
Expr Square(Expr a) { return Pow(a, Number(2)); }
std::vector<Expr> TopologicalOrder(absl::Span<const Expr> roots) {
  std::vector<Expr> order;
  absl::flat_hash_set<Expr> seen;
  std::vector<Expr> open(roots.begin(), roots.end());
  while (!open.empty()) {
    const Expr e = open.back();
    open.pop_back();
    if (!seen.insert(e).second) continue;
    order.push_back(e);
    open.insert(open.end(), e.args().begin(), e.args().end());
  }
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<Expr> TopologicalOrder(Expr root) {
  return TopologicalOrder(absl::MakeConstSpan(&root, 1));
}

std::vector<Expr> Variables(absl::Span<const Expr> roots) {
  std::vector<Expr> variables;
  for (Expr e : TopologicalOrder(roots)) {
    if (e.IsVariable()) variables.push_back(e);
  }
  return variables;
}

std::vector<Expr> Variables(Expr root) { return Variables(absl::MakeConstSpan(&root, 1)); }

bool Contains(Expr whole, Expr part) {
  const std::vector<Expr> order = TopologicalOrder(whole);
  return std::binary_search(order.begin(), order.end(), part);
}

Expr Substitute(Expr e, const Substitutions& replacements) {
  return Rewrite(e, [&](Expr node, absl::Span<const Expr>) {
    const auto found = replacements.find(node);
    return found == replacements.end() ? Expr() : e.pool().Import(found->second);
  });
}

Expr Substitute(Expr e, Expr from, Expr to) { return Substitute(e, Substitutions{{from, to}}); }

}  // namespace cotangent::autodiff::symbolic
