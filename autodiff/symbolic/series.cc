#include "autodiff/symbolic/series.h"

#include <cmath>
#include <cstdint>
#include <iterator>

#include "autodiff/symbolic/simplify.h"

namespace cotangent::autodiff::symbolic {

namespace {

// Returns whether it is not known if a and b are the same.
bool Doubtful(const Number& a, const Number& b) {
  return !(a.exact() && b.exact()) && std::abs(a.ToDouble() - b.ToDouble()) < 1e-9;
}

}  // namespace

void Series::Add(const Number& exponent, Expr coefficient) {
  const auto next = terms.lower_bound(exponent);
  if (next != terms.begin() && Doubtful(std::prev(next)->first, exponent)) {
    LowerOrder(std::prev(next)->first);
  } else if (next != terms.end() && Doubtful(next->first, exponent)) {
    LowerOrder(Min(next->first, exponent));
  } else if (next != terms.end() && next->first == exponent) {
    next->second = next->second + coefficient;
  } else {
    terms.emplace_hint(next, exponent, coefficient);
  }
}

std::optional<Number> Series::LowestExponent() const {
  return terms.empty() ? order : std::optional<Number>(terms.begin()->first);
}

void Series::LowerOrder(const std::optional<Number>& to) {
  if (to.has_value() && (!order.has_value() || *to < *order)) order = to;
}

void Series::Truncate(size_t count) {
  if (order.has_value()) terms.erase(terms.lower_bound(*order), terms.end());
  if (terms.size() <= count) return;
  const auto cut = std::next(terms.begin(), count);
  order = cut->first;
  terms.erase(cut, terms.end());
}

Series SeriesOf(Expr coefficient) {
  Series s;
  if (!coefficient.IsZero()) s.terms[Number(0)] = coefficient;
  return s;
}

Series Plus(const Series& a, const Series& b, size_t terms, Budget* budget) {
  Series sum = a;
  sum.LowerOrder(b.order);
  for (const auto& [exponent, coefficient] : b.terms) {
    const bool joins = sum.terms.contains(exponent);
    sum.Add(exponent, coefficient);
    const auto place = sum.terms.find(exponent);
    if (!joins || place == sum.terms.end()) continue;
    place->second = Simplify(place->second, nullptr, budget);
    if (place->second.IsZero()) sum.terms.erase(place);
  }
  sum.Truncate(terms);
  return sum;
}

Series Times(const Series& a, const Series& b, size_t terms, Budget* budget) {
  Series product;
  const std::optional<Number> low_a = a.LowestExponent(), low_b = b.LowestExponent();
  if (!low_a.has_value() || !low_b.has_value()) return product;  // Exactly 0.
  if (a.order.has_value()) product.LowerOrder(*a.order + *low_b);
  if (b.order.has_value()) product.LowerOrder(*b.order + *low_a);
  for (const auto& [ea, ca] : a.terms) {
    for (const auto& [eb, cb] : b.terms) {
      const Number exponent = ea + eb;
      if (Doubtful(ea, -eb)) {
        product.LowerOrder(Number(0));  // perhaps the exponent is 0
        continue;
      }
      if (product.order.has_value() && !(exponent < *product.order)) continue;
      product.Add(exponent, ca * cb);
    }
  }
  for (auto place = product.terms.begin(); place != product.terms.end();) {
    place->second = Simplify(place->second, nullptr, budget);
    place = place->second.IsZero() ? product.terms.erase(place) : std::next(place);
  }
  product.Truncate(terms);
  return product;
}

Series Compose(const std::vector<Expr>& a, const Series& delta, size_t terms, Budget* budget) {
  Series sum = SeriesOf(a[0]);
  Series power = SeriesOf(a[0].pool().Constant(1));
  for (size_t n = 1; n < a.size(); ++n) {
    power = Times(power, delta, terms, budget);
    sum = Plus(sum, Times(power, SeriesOf(a[n]), terms, budget), terms, budget);
  }
  // The terms that are left out begin with delta^(a.size()), which sets the order of the sum.
  if (const std::optional<Number> low = delta.LowestExponent(); low.has_value()) {
    sum.LowerOrder(*low * Number(static_cast<int64_t>(a.size())));
    sum.LowerOrder(delta.order);
  }
  sum.Truncate(terms);
  return sum;
}

}  // namespace cotangent::autodiff::symbolic
