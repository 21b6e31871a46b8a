#include "autodiff/symbolic/limits.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/continuity.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/expansion.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/rewrite.h"
#include "autodiff/symbolic/series.h"
#include "autodiff/symbolic/simplify.h"
#include "autodiff/symbolic/value_range.h"

namespace cotangent::autodiff::symbolic {
namespace {

using Kind = LimitValue::Kind;

constexpr int kMaxWork = 3000;
constexpr int kMaxDepth = 40;
// The names of bounded quantities begin with kBounded, of those from -1 to 1 with kBoundedByOne.
// Formulas have no such names.
constexpr char kBounded[] = "bounded quantity ";
constexpr char kBoundedByOne[] = "bounded quantity from -1 to 1 ";

// Computes limits as t -> +infinity by Gruntz's algorithm (limits.h). Words used below: e, u and h
// are expressions in t. Two expressions that grow or vanish belong to the same comparability class
// if the quotient of their logarithms has a finite limit other than 0. The most rapid class of e is
// rewritten in powers of one of its members, the small quantity w = exp(h), which tends to 0. The
// series of e in w then gives the limit.
class Gruntz : public ExpansionContext {
 public:
  Gruntz(Pool& pool, Expr t, Budget* budget)
      : pool_(pool), t_(t), budget_(budget == nullptr ? &own_budget_ : budget) {}

  LimitValue Run(Expr e) {
    LimitValue limit = LimitByContinuity(e, t_);
    if (!limit.known()) {
      // The algorithm looks at every node once at least.
      const auto nodes = static_cast<int64_t>(TopologicalOrder(e).size());
      if (nodes > kMaxWork && !budget_->Spend(nodes * kMaxWork)) return {};
      const std::optional<Expr> prepared = Prepare(e);
      if (!prepared.has_value()) return {};
      limit = Lim(*prepared);
    }
    if (limit.finite()) {
      limit.value = Shortest(limit.value, budget_);
      if (HasBounded(limit.value) || !WellDefined(limit.value)) return {};
    }
    return limit;
  }

 private:
  static bool HasBounded(Expr e) {
    for (Expr variable : Variables(e)) {
      if (absl::StartsWith(variable.name(), kBounded)) return true;
    }
    return false;
  }

  // Returns whether the operation has a value wherever its arguments have, and a bounded one if
  // they are bounded.
  static bool StaysBounded(Op op) {
    switch (op) {
      case Op::kAdd:
      case Op::kMul:
      case Op::kStrongMul:
      case Op::kSign:
      case Op::kStep:
      case Op::kFloor:
      case Op::kRound:
      case Op::kMin:
      case Op::kMax:
        return true;
      default:
        return Info(op).ends.has_value();  // continuous everywhere
    }
  }

  static bool WellDefined(Expr e) { return !Variables(e).empty() || Evaluate(e, Bindings()).ok(); }

  // Returns whether e does not contain t. Each node is looked at once in the life of this object.
  bool Constant(Expr e) {
    if (const auto known = constant_.find(e); known != constant_.end()) return known->second;
    std::vector<Expr> open = {e};
    while (!open.empty()) {
      const Expr node = open.back();
      const size_t before = open.size();
      bool constant = node != t_;
      for (Expr arg : node.args()) {
        const auto found = constant_.find(arg);
        if (found == constant_.end()) {
          open.push_back(arg);
        } else {
          constant = constant && found->second;
        }
      }
      if (open.size() > before) continue;
      constant_[node] = constant;
      open.pop_back();
    }
    return constant_.at(e);
  }

  // ---- Preparation: writes e in few kinds of operations (limit in operation.h) ----

  // Returns e with the operations on t rewritten by their limit rules (operation.h); see
  // PrepareNode() for those without t. A select is replaced by the branch that it takes for all
  // large t, because the other branch may be undefined. Returns nothing if an operation has no
  // rule, if its rule fails, if that branch cannot be determined, or if an operation without t has
  // no value.
  std::optional<Expr> Prepare(Expr e) {
    absl::flat_hash_map<Expr, Expr> result;
    std::vector<Expr> open = {e};
    const auto ask = [&](absl::Span<const Expr> args) {
      const size_t before = open.size();
      for (Expr arg : args) {
        if (!result.contains(arg)) open.push_back(arg);
      }
      return open.size() > before;
    };
    while (!open.empty()) {
      const Expr node = open.back();
      const bool choice = node.op() == Op::kSelect;
      if (!result.contains(node)) {
        if (ask(choice ? node.args().first(2) : node.args())) continue;
        std::optional<Expr> prepared = node;
        if (choice) {
          const std::optional<int> sign = EventualSign(result[node.arg(0)] - result[node.arg(1)]);
          if (!sign.has_value()) return std::nullopt;
          const Expr branch = node.arg(*sign < 0 ? 2 : 3);
          if (ask({branch})) continue;
          prepared = result[branch];
        } else if (!node.args().empty()) {
          std::vector<Expr> args;
          for (Expr arg : node.args()) args.push_back(result[arg]);
          prepared = PrepareNode(node.op(), args);
        }
        if (!prepared.has_value()) return std::nullopt;
        result[node] = *prepared;
      }
      open.pop_back();
    }
    return result[e];
  }

  std::optional<Expr> PrepareNode(Op op, const std::vector<Expr>& a) {
    if (std::all_of(a.begin(), a.end(), [&](Expr arg) { return Constant(arg); })) {
      const bool is_bounded = bounded_ > 0 && std::any_of(a.begin(), a.end(), HasBounded);
      if (is_bounded && op == Op::kPow && a[1].IsConstant() && a[1].number().integer()) {
        const bool divides = a[1].number().sign() < 0;
        if (divides && SignOfConstant(a[0]).value_or(0) == 0) return std::nullopt;
        return Apply(op, a);
      }
      if (!is_bounded || StaysBounded(op)) {
        const Expr constant = Apply(op, a);
        if (!WellDefined(constant)) return std::nullopt;
        return constant;
      }
    }
    const auto rule = Info(op).limit;
    return rule == nullptr ? std::nullopt : rule(*this, a);
  }

  std::optional<int> Limit(Expr e, Expr* value) override {
    const LimitValue limit = Lim(e);
    if (!limit.known()) return std::nullopt;
    if (!limit.finite()) return limit.kind == Kind::kPlusInfinity ? 1 : -1;
    *value = Simplified(limit.value);
    return 0;
  }

  std::optional<double> ValueOf(Expr constant) override {
    const absl::StatusOr<double> value = Evaluate(constant, Bindings());
    if (!value.ok()) return std::nullopt;
    return *value;
  }

  Expr Bounded() override { return pool_.Variable(absl::StrCat(kBounded, ++bounded_)); }
  Expr BoundedByOne() override { return pool_.Variable(absl::StrCat(kBoundedByOne, ++bounded_)); }

  // ---- Signs and zeros of expressions for all large t ----

  std::optional<bool> IsZero(Expr e) override {
    if (e.IsConstant()) return e.IsZero();
    if (Spend(1)) return std::nullopt;
    switch (Equal(e, pool_.Constant(0), absl::MakeConstSpan(&t_, 1), budget_)) {
      case Verdict::kEqual:
        return true;
      case Verdict::kDifferent:
        return false;
      case Verdict::kUnknown:
        return std::nullopt;
    }
    return std::nullopt;
  }

  // The sign of an expression without t that is not 0. If it contains bounded quantities, it stays
  // away from 0 by more than a rounding, too.
  std::optional<int> SignOfConstant(Expr e) {
    if (e.IsConstant()) return e.number().sign();
    const std::optional<bool> zero = IsZero(e);
    if (!zero.has_value()) return std::nullopt;
    if (*zero) return 0;
    const std::optional<Interval> range = RangeOf(e, kBoundedByOne);
    if (!range.has_value() || (range->low < 1e-9 && range->high > -1e-9)) return std::nullopt;
    return range->low > 0 ? 1 : -1;
  }

  bool StaysAwayFromZero(Expr e) override {
    return !HasBounded(e) || SignOfConstant(e).has_value();
  }

  std::optional<int> EventualSign(Expr e) override {
    if (Info(e.op()).range == Range::kPositive) return 1;
    const auto [place, inserted] = signs_.try_emplace(e);
    if (!inserted) return place->second;
    const std::optional<int> sign = FindSign(e);
    signs_[e] = sign;
    return sign;
  }

  std::optional<int> FindSign(Expr e) {
    e = Simplified(e);
    if (Constant(e)) return SignOfConstant(e);
    if (e == t_) return 1;
    const std::optional<bool> zero = IsZero(e);
    if (!zero.has_value()) return std::nullopt;
    if (*zero) return 0;
    const auto leading = LeadingTerm(e);
    if (!leading.has_value()) return std::nullopt;
    return EventualSign(leading->second);
  }

  // ---- Growth: limits, and which subexpressions vary most rapidly ----

  // Returns whether more than kMaxWork units were spent, or the budget for normal forms is used up.
  bool Spend(int work) override { return (work_ += work) > kMaxWork || budget_->exhausted(); }

  // Simplify writes sqrt(t^2) as |t|, which is t: the limit's variable is positive.
  Expr Simplified(Expr e) override {
    const Expr simple = Simplify(e, nullptr, budget_);
    const Expr size = Abs(t_), sign = Sign(t_);
    if (!Contains(simple, size) && !Contains(simple, sign)) return simple;
    return Substitute(simple, Substitutions{{size, t_}, {sign, pool_.Constant(1)}});
  }

  LimitValue Lim(Expr e) {
    e = Simplified(e);
    if (Constant(e)) return {Kind::kFinite, e};
    if (e == t_) return {Kind::kPlusInfinity, Expr()};
    if (const auto found = limits_.find(e); found != limits_.end()) return found->second;
    if (Spend(1) || depth_ > kMaxDepth) return {};
    ++depth_;
    const LimitValue limit = LimByLeadingTerm(e);
    --depth_;
    limits_[e] = limit;
    return limit;
  }

  LimitValue LimByLeadingTerm(Expr e) {
    const auto leading = LeadingTerm(e);
    if (!leading.has_value()) return {};
    const auto& [exponent, coefficient] = *leading;
    if (exponent.sign() > 0) return {Kind::kFinite, pool_.Constant(0)};
    if (exponent.sign() == 0) return Lim(coefficient);
    const std::optional<int> sign = EventualSign(coefficient);
    if (!sign.has_value() || *sign == 0) return {};
    return {*sign > 0 ? Kind::kPlusInfinity : Kind::kMinusInfinity, Expr()};
  }

  using Set = std::vector<Expr>;

  Expr LogOf(Expr e) { return e.op() == Op::kExp ? e.arg(0) : Ln(e); }

  // Returns whether e is exp(c t^k) with k > 0, which varies more rapidly than t itself. Faster()
  // needs this to compare an exponential with t without computing a limit.
  bool OutgrowsT(Expr e) const {
    if (e.op() != Op::kExp) return false;
    const Expr u = SplitCoefficient(e.arg(0)).second;
    return u == t_ || (u.op() == Op::kPow && u.arg(0) == t_ && u.arg(1).IsConstant() &&
                       u.arg(1).number().sign() > 0);
  }

  // Returns the class that varies more rapidly, or the union of a and b if they belong to one
  // class. Returns nothing if that cannot be decided.
  std::optional<Set> Faster(const Set& a, const Set& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    Set both = a;
    bool shared = false;
    for (Expr e : b) {
      if (std::find(a.begin(), a.end(), e) == a.end()) {
        both.push_back(e);
      } else {
        shared = true;
      }
    }
    if (shared) return both;
    if (a[0] == t_ && OutgrowsT(b[0])) return b;
    if (b[0] == t_ && OutgrowsT(a[0])) return a;
    const LimitValue ratio = Lim(LogOf(a[0]) / LogOf(b[0]));
    if (!ratio.known()) return std::nullopt;
    if (!ratio.finite()) return a;
    const std::optional<bool> zero = IsZero(ratio.value);
    if (!zero.has_value()) return std::nullopt;
    return *zero ? b : both;
  }

  // Returns the subexpressions of e in the most rapid class: t itself, or exponentials that grow
  // without bound or vanish. The set is empty if e does not contain t.
  std::optional<Set> MostRapid(Expr e) {
    absl::flat_hash_map<Expr, Set> sets;
    for (Expr node : TopologicalOrder(e)) {
      if (node == t_) {
        sets[node] = {t_};
        continue;
      }
      Set fastest;
      for (Expr arg : node.args()) {
        const std::optional<Set> faster = Faster(fastest, sets[arg]);
        if (!faster.has_value()) return std::nullopt;
        fastest = *faster;
      }
      if (node.op() == Op::kExp && !fastest.empty()) {
        const LimitValue limit = Lim(node.arg(0));
        if (!limit.known()) return std::nullopt;
        if (!limit.finite()) {
          const std::optional<Set> faster = Faster({node}, fastest);
          if (!faster.has_value()) return std::nullopt;
          fastest = *faster;
        }
      }
      sets[node] = std::move(fastest);
    }
    return sets[e];
  }

  // Returns e with exp(t) in place of t. The limit stays the same, but what varied like t now
  // varies like an exponential.
  Expr MoveUp(Expr e) {
    return Rewrite(e, [&](Expr node, absl::Span<const Expr> args) {
      if (node == t_) return Exp(t_);
      return node.op() == Op::kLn && args[0].op() == Op::kExp ? args[0].arg(0) : Expr();
    });
  }

  // Returns (exponent, coefficient) of the leading term of e as a series in w, or nothing if that
  // cannot be determined. REQUIRES: e is not 0.
  std::optional<std::pair<Number, Expr>> LeadingTerm(Expr e) {
    if (Spend(5)) return std::nullopt;
    std::optional<Set> rapid = MostRapid(e);
    if (!rapid.has_value() || rapid->empty()) return std::nullopt;
    // Replaces t by exp(t) until t itself is not in the most rapid class. An e that contains only
    // logarithms of t, such as ln(ln(t)), needs this several times.
    for (int level = 0; std::find(rapid->begin(), rapid->end(), t_) != rapid->end(); ++level) {
      if (level > 5) return std::nullopt;
      e = MoveUp(e);
      rapid = MostRapid(e);
      if (!rapid.has_value() || rapid->empty()) return std::nullopt;
    }
    // One member or its reciprocal becomes w = exp(h), which tends to 0.
    const std::optional<Expr> small = SmallExponent(*rapid);
    if (!small.has_value()) return std::nullopt;
    const Expr h = *small;
    const Expr w = pool_.Variable(absl::StrCat("small quantity ", ++small_));
    const std::optional<Expr> rewritten = InTermsOf(e, *rapid, w, h);
    if (!rewritten.has_value()) return std::nullopt;
    // Mostly one term is enough. If terms cancel, it takes more: either no term is left, or there
    // is no series of one term that could be divided by.
    for (size_t terms : {1, 4, 8, 14}) {
      const std::optional<Series> series = Expand(*rewritten, w, h, terms, budget_, *this);
      if (!series.has_value() && terms == 1) continue;
      if (!series.has_value()) return std::nullopt;
      if (!series->terms.empty()) return *series->terms.begin();
      if (!series->order.has_value()) return std::nullopt;
    }
    return std::nullopt;
  }

  // Returns the logarithm h of the member in which the others of the class are written, with the
  // sign that lets exp(h) tend to 0. That is the first member: it contains no other, as arguments
  // have smaller ids than their users. But of 3^t and 5^t, whose logarithms have an irrational
  // quotient, it is the more rapid one, 5^t: then the exponent of the leading term mostly is exact.
  std::optional<Expr> SmallExponent(const Set& rapid) {
    const auto shrinking = [&](Expr e) -> std::optional<Expr> {
      const LimitValue limit = Lim(e.arg(0));
      if (!limit.known() || limit.finite()) return std::nullopt;
      return limit.kind == Kind::kPlusInfinity ? -e.arg(0) : e.arg(0);
    };
    const Expr first = *std::min_element(rapid.begin(), rapid.end());
    std::optional<Expr> best = shrinking(first);
    if (!best.has_value()) return std::nullopt;
    const Expr h = *best;
    double fastest = 1;
    for (Expr e : rapid) {
      const bool contains_another = std::any_of(
          rapid.begin(), rapid.end(), [&](Expr other) { return other != e && Contains(e, other); });
      if (e == first || contains_another) continue;
      const LimitValue ratio = Lim(e.arg(0) / h);
      if (!ratio.finite() || ratio.value.IsConstant()) continue;
      const std::optional<double> times = ValueOf(ratio.value);
      if (!times.has_value() || std::abs(*times) <= fastest) continue;
      fastest = std::abs(*times);
      best = shrinking(e);
      if (!best.has_value()) return std::nullopt;
    }
    return best;
  }

  // Returns e with every member exp(u) of the class `rapid` written as exp(u - c h) w^c, where c is
  // the limit of u / h. An irrational c makes an exponent that is not exact (series.h). Returns
  // nothing if c is not a number other than 0.
  std::optional<Expr> InTermsOf(Expr e, const Set& rapid, Expr w, Expr h) {
    bool failed = false;
    const Expr result = Rewrite(e, [&](Expr node, absl::Span<const Expr> args) {
      if (failed || !absl::c_linear_search(rapid, node)) return Expr();
      const LimitValue c = Lim(node.arg(0) / h);
      const Expr power = c.finite() ? Simplified(c.value) : Expr();
      const std::optional<double> value = c.finite() ? ValueOf(power) : std::nullopt;
      failed = !value.has_value() || std::abs(*value) < 1e-9;
      if (failed) return Expr();
      const Number exponent =
          power.IsConstant() && power.number().exact() ? power.number() : Number::Inexact(*value);
      return Exp(Simplified(args[0] - power * h)) * Pow(w, exponent);
    });
    return failed ? std::nullopt : std::optional<Expr>(result);
  }

  Pool& pool_;
  const Expr t_;
  absl::flat_hash_map<Expr, bool> constant_;
  absl::flat_hash_map<Expr, LimitValue> limits_;
  absl::flat_hash_map<Expr, std::optional<int>> signs_;  // nothing while FindSign runs
  Budget own_budget_{kLimitWork};
  Budget* const budget_;
  int work_ = 0;
  int depth_ = 0;
  int bounded_ = 0;
  int small_ = 0;
};

}  // namespace

std::string ToText(const LimitValue& limit) {
  switch (limit.kind) {
    case Kind::kFinite:
      return ToText(limit.value);
    case Kind::kPlusInfinity:
      return "+inf";
    case Kind::kMinusInfinity:
      return "-inf";
    case Kind::kUnknown:
      break;
  }
  return "cannot tell";
}

bool Same(const LimitValue& a, const LimitValue& b) {
  if (!a.known() || a.kind != b.kind) return false;
  return !a.finite() || a.value == b.value || Equal(a.value, b.value) == Verdict::kEqual;
}

LimitValue LimitAtInfinity(Expr e, Expr variable, bool positive, Budget* budget) {
  Pool& pool = e.pool();
  variable = pool.Import(variable);
  const Expr t = pool.Variable("variable of a limit");
  return Gruntz(pool, t, budget).Run(Substitute(e, variable, positive ? t : -t));
}

LimitValue Limit(Expr e, Expr variable, Expr point, Side side, Budget* budget) {
  if (side == Side::kBoth) {
    const LimitValue left = Limit(e, variable, point, Side::kLeft, budget);
    if (!left.known()) return left;
    const LimitValue right = Limit(e, variable, point, Side::kRight, budget);
    return Same(left, right) ? left : LimitValue();
  }
  Pool& pool = e.pool();
  variable = pool.Import(variable);
  point = pool.Import(point);
  const Expr t = pool.Variable("variable of a limit");
  const Expr near = side == Side::kRight ? point + 1 / t : point - 1 / t;
  return Gruntz(pool, t, budget).Run(Substitute(e, variable, near));
}

}  // namespace cotangent::autodiff::symbolic
