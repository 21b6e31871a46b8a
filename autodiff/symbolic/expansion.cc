#include "autodiff/symbolic/expansion.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/number.h"

namespace cotangent::autodiff::symbolic {
namespace {

// A series written as coefficient * w^exponent * (1 + delta), where delta has only positive powers
// of w.
struct Lead {
  Number exponent;
  Expr coefficient;
  Series delta;
};

// Expands in w = exp(h), to at most `terms` terms.
class Expansion {
 public:
  Expansion(Expr w, Expr h, size_t terms, Budget* budget, ExpansionContext& context)
      : pool_(w.pool()), w_(w), h_(h), terms_(terms), budget_(budget), context_(context) {}

  std::optional<Series> Of(Expr e) {
    for (Expr node : TopologicalOrder(e)) {
      if (context_.Spend(1)) return std::nullopt;
      std::optional<Series> series = OfNode(node);
      if (!series.has_value()) return std::nullopt;
      series_[node] = *std::move(series);
    }
    Series result = series_[e];
    if (!Settle(&result)) return std::nullopt;
    return result;
  }

 private:
  // Returns the series of a node from those of its arguments, in series_.
  std::optional<Series> OfNode(Expr node) {
    if (node == w_) {
      Series w;
      w.terms[Number(1)] = pool_.Constant(1);
      return w;
    }
    const bool free = std::all_of(node.args().begin(), node.args().end(), [&](Expr arg) {
      const Series& s = series_[arg];
      return s.terms.size() <= 1 && !s.order.has_value() &&
             (s.terms.empty() || s.terms.begin()->first.IsZero());
    });
    if (free && !Contains(node, w_)) return SeriesOf(node);
    switch (node.op()) {
      case Op::kAdd:
      case Op::kMul: {
        Series result = series_[node.arg(0)];
        for (size_t i = 1; i < node.args().size(); ++i) {
          const Series& next = series_[node.arg(i)];
          result = node.op() == Op::kAdd ? Plus(result, next, terms_, budget_)
                                         : Times(result, next, terms_, budget_);
        }
        return result;
      }
      case Op::kPow:
        return PowerOf(series_[node.arg(0)], node.arg(1).number());
      case Op::kLn:
        return LogarithmOf(series_[node.arg(0)]);
      case Op::kExp:
      case Op::kSin:
      case Op::kCos:
      case Op::kErf:
      case Op::kAtan:
      case Op::kAsin:
      case Op::kSinh:
      case Op::kCosh:
      case Op::kTanh:
      case Op::kSech:
      case Op::kExpm1:
      case Op::kSoftplus:
      case Op::kGamma:
      case Op::kLgamma:
      case Op::kPolygamma:
        return AnalyticOf(node, series_[node.args().back()]);
      default:
        return std::nullopt;
    }
  }

  // Drops leading terms whose coefficient is 0, though it is not written as 0. Returns false if it
  // cannot be decided whether a coefficient is 0.
  bool Settle(Series* s) {
    while (!s->terms.empty()) {
      const auto first = s->terms.begin();
      first->second = context_.Simplified(first->second);
      const std::optional<bool> zero = context_.IsZero(first->second);
      if (!zero.has_value()) return false;
      if (!*zero) return true;
      s->terms.erase(first);
    }
    return true;
  }

  std::optional<Lead> SplitLead(Series s) {
    if (!Settle(&s) || s.terms.empty()) return std::nullopt;
    Lead lead{s.terms.begin()->first, s.terms.begin()->second, {}};
    s.terms.erase(s.terms.begin());
    Series inverse;
    inverse.terms[-lead.exponent] = 1 / lead.coefficient;
    lead.delta = Times(s, inverse, terms_, budget_);
    if (s.terms.empty() && s.order.has_value()) lead.delta.order = *s.order - lead.exponent;
    return lead;
  }

  std::optional<Series> PowerOf(const Series& s, const Number& exponent) {
    if (s.terms.empty() && !s.order.has_value() && exponent.sign() > 0) return s;
    const std::optional<Lead> lead = SplitLead(s);
    if (!lead.has_value()) return std::nullopt;
    if (!exponent.integer()) {
      const std::optional<int> sign = context_.EventualSign(lead->coefficient);
      if (!sign.has_value() || *sign <= 0) return std::nullopt;
    }
    const bool grows_at_zero = !exponent.integer() || exponent.sign() < 0;
    if (grows_at_zero && !context_.StaysAwayFromZero(lead->coefficient)) return std::nullopt;
    std::vector<Expr> binomial;
    Number coefficient = 1;
    const bool single = lead->delta.terms.empty() && !lead->delta.order.has_value();
    for (size_t n = 0; n <= terms_; ++n) {
      binomial.push_back(pool_.Constant(coefficient));
      if (single) break;
      coefficient = coefficient * (exponent - Number(static_cast<int64_t>(n))) /
                    Number(static_cast<int64_t>(n + 1));
      if (!coefficient.exact()) return std::nullopt;
      if (coefficient.IsZero()) break;
    }
    Series scale;
    scale.terms[lead->exponent * exponent] = context_.Simplified(Pow(lead->coefficient, exponent));
    Series sum = Compose(binomial, lead->delta, terms_, budget_);
    if (single || (coefficient.IsZero() && !lead->delta.order.has_value())) sum.order.reset();
    return Times(scale, sum, terms_, budget_);
  }

  std::optional<Series> LogarithmOf(const Series& s) {
    const std::optional<Lead> lead = SplitLead(s);
    if (!lead.has_value() || !lead->exponent.exact()) return std::nullopt;
    const std::optional<int> sign = context_.EventualSign(lead->coefficient);
    if (!sign.has_value() || *sign <= 0) return std::nullopt;
    std::vector<Expr> a = {
        context_.Simplified(Ln(lead->coefficient) + pool_.Constant(lead->exponent) * h_)};
    for (int n = 1; n <= static_cast<int>(terms_); ++n) {
      a.push_back(pool_.Constant(Number::Ratio(n % 2 == 1 ? 1 : -1, n)));
    }
    return Compose(a, lead->delta, terms_, budget_);
  }

  // Returns the series of the operation at the root of `node`, whose last argument has the series
  // s, by Taylor's series at c0, the term of s with w^0. Returns nothing if s has negative powers
  // of w or the function is not analytic at c0.
  std::optional<Series> AnalyticOf(Expr node, Series s) {
    if (!Settle(&s)) return std::nullopt;
    if (!s.terms.empty() && s.terms.begin()->first.sign() < 0) return std::nullopt;
    if (s.order.has_value() && s.order->sign() <= 0) return std::nullopt;
    Expr c0 = pool_.Constant(0);
    if (!s.terms.empty() && s.terms.begin()->first.IsZero()) {
      c0 = s.terms.begin()->second;
      s.terms.erase(s.terms.begin());
    }
    const Expr u = pool_.Variable("argument of a series");
    std::vector<Expr> a;
    std::vector<Expr> args(node.args().begin(), node.args().end());
    args.back() = u;
    Expr derivative = Apply(node.op(), args);
    for (size_t n = 0; n <= terms_; ++n) {
      const Expr at = context_.Simplified(Substitute(derivative, u, c0));
      if (Variables(at).empty() && !context_.ValueOf(at).has_value()) return std::nullopt;
      const Number factorial = Factorial(static_cast<int64_t>(n));
      a.push_back(context_.Simplified(pool_.Constant(Number(1) / factorial) * at));
      derivative = context_.Simplified(Differentiate(derivative, u));
      if (s.terms.empty() && !s.order.has_value()) break;
    }
    return Compose(a, s, terms_, budget_);
  }

  Pool& pool_;
  const Expr w_, h_;
  const size_t terms_;
  Budget* const budget_;
  ExpansionContext& context_;
  absl::flat_hash_map<Expr, Series> series_;  // of the nodes looked at so far
};

}  // namespace

std::optional<Series> Expand(Expr e, Expr w, Expr h, size_t terms, Budget* budget,
                             ExpansionContext& context) {
  return Expansion(w, h, terms, budget, context).Of(e);
}

}  // namespace cotangent::autodiff::symbolic
