#ifndef COTANGENT_AUTODIFF_SYMBOLIC_SERIES_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_SERIES_H_

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"

// Truncated series in a small quantity w, with which limits.cc computes limits.
namespace cotangent::autodiff::symbolic {

// A sum of terms coefficient * w^exponent, plus O(w^order). The coefficients are expressions that
// vary more slowly than any power of w. Exponents that are irrational, such as ln(3)/ln(5), are
// inexact Numbers. Whether two of these that nearly agree are the same is not known, so a series
// ends (has its order) where that matters.
struct Series {
  std::map<Number, Expr> terms;  // coefficients by exponents, in ascending order
  std::optional<Number> order;   // not set if the sum is exact

  // Returns the exponent of the first term, or `order` if there are no terms, or nothing if the
  // series is 0.
  std::optional<Number> LowestExponent() const;
  // Sets `order` to `to` if `to` is lower. An order that is not set, in either, counts as infinite.
  void LowerOrder(const std::optional<Number>& to);
  // Adds coefficient * w^exponent.
  void Add(const Number& exponent, Expr coefficient);
  // Drops terms whose exponent is `order` or higher, and of the others all but the first `count`;
  // the first of those that it drops for their number sets `order`.
  void Truncate(size_t count);
};

// Returns the series coefficient * w^0.
Series SeriesOf(Expr coefficient);

// Return the sum (Plus) and the product (Times) of two series, truncated to at most `terms` terms.
// The functions simplify the coefficients and drop those that become 0. But a coefficient may be 0
// without being recognised as such, in particular when the budget (a limit on the work;
// normal_form.h) is used up.
Series Plus(const Series& a, const Series& b, size_t terms, Budget* budget);
Series Times(const Series& a, const Series& b, size_t terms, Budget* budget);
// Returns the sum over n of a[n] delta^n, where `a` has the first coefficients of an infinite
// series; truncated likewise. REQUIRES: all exponents of delta are positive.
Series Compose(const std::vector<Expr>& a, const Series& delta, size_t terms, Budget* budget);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_SERIES_H_
