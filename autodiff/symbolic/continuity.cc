#include "autodiff/symbolic/continuity.h"

#include <cmath>
#include <optional>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

using Kind = LimitValue::Kind;

LimitValue Infinite(int sign) {
  return {sign > 0 ? Kind::kPlusInfinity : Kind::kMinusInfinity, {}};
}

// The sign of an infinite limit.
int SignOf(const LimitValue& limit) { return limit.kind == Kind::kPlusInfinity ? 1 : -1; }

// Returns the sign of a constant, or 0 if it is 0, too small to tell, or not defined.
int SignOfConstant(Expr e) {
  if (e.IsConstant()) return e.number().sign();
  const absl::StatusOr<double> value = Evaluate(e, Bindings());
  if (!value.ok() || std::abs(*value) < 1e-9) return 0;
  return *value > 0 ? 1 : -1;
}

LimitValue OfSum(const std::vector<LimitValue>& a) {
  std::vector<Expr> finite;
  int sign = 0;
  for (const LimitValue& limit : a) {
    if (limit.finite()) {
      finite.push_back(limit.value);
    } else if (sign == -SignOf(limit)) {
      return {};
    } else {
      sign = SignOf(limit);
    }
  }
  return sign != 0 ? Infinite(sign) : LimitValue{Kind::kFinite, Add(finite)};
}

LimitValue OfProduct(const std::vector<LimitValue>& a) {
  std::vector<Expr> finite;
  int sign = 1;
  for (const LimitValue& limit : a) {
    if (limit.finite()) {
      finite.push_back(limit.value);
    } else {
      sign *= SignOf(limit);
    }
  }
  if (finite.size() == a.size()) return {Kind::kFinite, Mul(finite)};
  for (Expr factor : finite) sign *= SignOfConstant(factor);
  return sign == 0 ? LimitValue() : Infinite(sign);
}

// Returns the limit of base^exponent for the limit of the base: kUnknown unless the exponent is a
// whole number, or if the base tends to 0 and the exponent is negative.
LimitValue OfPower(const LimitValue& base, Expr exponent) {
  if (!exponent.IsConstant() || !exponent.number().integer()) return {};
  const int64_t n = exponent.number().numerator();
  if (!base.finite()) {
    if (n < 0) return {Kind::kFinite, exponent.pool().Constant(0)};
    return Infinite(n % 2 == 0 ? 1 : SignOf(base));
  }
  if (n < 0 && SignOfConstant(base.value) == 0) return {};
  return {Kind::kFinite, Pow(base.value, exponent)};
}

LimitValue OfFunction(Expr e, const LimitValue& a) {
  const std::optional<Ends>& ends = Info(e.op()).ends;
  if (!ends.has_value()) return {};
  if (a.finite()) return {Kind::kFinite, Apply(e.op(), {a.value})};
  const double end = SignOf(a) > 0 ? ends->high : ends->low;
  if (std::isnan(end)) return {};
  if (std::isinf(end)) return Infinite(end > 0 ? 1 : -1);
  return {Kind::kFinite, e.pool().Constant(end)};
}

LimitValue OfNode(Expr e, const std::vector<LimitValue>& a) {
  switch (e.op()) {
    case Op::kAdd:
      return OfSum(a);
    case Op::kMul:
      return OfProduct(a);
    case Op::kPow:
      return OfPower(a[0], e.arg(1));
    default:
      return OfFunction(e, a[0]);
  }
}

}  // namespace

LimitValue LimitByContinuity(Expr e, Expr t) {
  absl::flat_hash_map<Expr, LimitValue> limits;
  absl::flat_hash_set<Expr> constants;  // nodes without variables
  for (Expr node : TopologicalOrder(e)) {
    LimitValue& limit = limits[node];
    if (node == t) {
      limit = Infinite(1);
    } else if (!node.IsVariable() &&
               absl::c_all_of(node.args(), [&](Expr a) { return constants.contains(a); })) {
      constants.insert(node);
      if (Evaluate(node, Bindings()).ok()) limit = {Kind::kFinite, node};
    } else if (!node.args().empty()) {
      std::vector<LimitValue> a;
      for (Expr arg : node.args()) a.push_back(limits.at(arg));
      const bool known = absl::c_all_of(a, [](const LimitValue& l) { return l.known(); });
      if (known) limit = OfNode(node, a);
    }
  }
  return limits[e];
}

}  // namespace cotangent::autodiff::symbolic
