#include "autodiff/symbolic/value_range.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "autodiff/symbolic/evaluate.h"

namespace cotangent::autodiff::symbolic {
namespace {

Interval Hull(std::initializer_list<double> numbers) {
  return {std::min(numbers), std::max(numbers)};
}

std::optional<Interval> PointOf(Expr constant) {
  const absl::StatusOr<double> value = Evaluate(constant, Bindings());
  if (!value.ok()) return std::nullopt;
  return Interval{*value, *value};
}

// Returns the interval of the operation at the root of `node`, whose arguments lie in the intervals
// a. If these are points, the result is one.
std::optional<Interval> RangeOfOperation(Expr node, const std::vector<Interval>& a) {
  if (std::all_of(a.begin(), a.end(), [](Interval x) { return x.low == x.high; }))
    return PointOf(node);
  switch (node.op()) {
    case Op::kAdd:
      return std::accumulate(a.begin() + 1, a.end(), a[0], [](Interval x, Interval y) {
        return Interval{x.low + y.low, x.high + y.high};
      });
    case Op::kMul:
      return std::accumulate(a.begin() + 1, a.end(), a[0], [](Interval x, Interval y) {
        return Hull({x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high});
      });
    case Op::kExp:
      return Interval{std::exp(a[0].low), std::exp(a[0].high)};
    case Op::kPow: {
      const bool has_zero = a[0].low <= 0 && a[0].high >= 0;
      const double n = a[1].low;
      if (a[1].high != n || n != std::rint(n) || (has_zero && n < 0)) return std::nullopt;
      const double low = std::pow(a[0].low, n), high = std::pow(a[0].high, n);
      return has_zero ? Hull({low, high, 0}) : Hull({low, high});
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Interval> RangeOf(Expr e, absl::string_view bounded_by_one) {
  if (Variables(e).empty()) return PointOf(e);
  absl::flat_hash_map<Expr, Interval> ranges;
  for (Expr node : TopologicalOrder(e)) {
    if (node.IsVariable()) {
      if (!absl::StartsWith(node.name(), bounded_by_one)) return std::nullopt;
      ranges[node] = {-1, 1};
      continue;
    }
    std::vector<Interval> a;
    for (Expr arg : node.args()) a.push_back(ranges.at(arg));
    const std::optional<Interval> range = RangeOfOperation(node, a);
    if (!range.has_value() || !std::isfinite(range->low) || !std::isfinite(range->high))
      return std::nullopt;
    ranges[node] = *range;
  }
  return ranges.at(e);
}

}  // namespace cotangent::autodiff::symbolic
