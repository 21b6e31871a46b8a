#include "autodiff/symbolic/differentiability.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"

namespace cotangent::autodiff::symbolic {
namespace {

struct ZeroSet {
  std::vector<Expr> points;
  bool complete = true;
};

void Join(ZeroSet* all, const ZeroSet& more) {
  all->points.insert(all->points.end(), more.points.begin(), more.points.end());
  all->complete &= more.complete;
}

// Returns the zeros of a x^2 + b x + c, whose coefficients contain no variables.
ZeroSet QuadraticZeros(Expr a, Expr b, Expr c) {
  ZeroSet zeros;
  const Expr discriminant = Simplify(Square(b) - 4 * a * c);
  const absl::StatusOr<double> value = Evaluate(discriminant, Bindings());
  if (!value.ok()) return {{}, false};
  if (discriminant.IsZero()) return {{Simplify(-b / (2 * a))}, true};
  if (*value < 0) return zeros;
  for (int sign : {-1, 1})
    zeros.points.push_back(Simplify((sign * Sqrt(discriminant) - b) / (2 * a)));
  return zeros;
}

// Returns the branches between which a piecewise operation chooses, and nothing for other
// operations.
std::vector<Expr> Branches(Expr node) {
  switch (node.op()) {
    case Op::kAbs:
      return {node.arg(0), -node.arg(0)};
    case Op::kMin:
    case Op::kMax:
      return {node.arg(0), node.arg(1)};
    case Op::kSelect:
      return {node.arg(2), node.arg(3)};
    default:
      return {};
  }
}

// Returns points that include all isolated zeros of u as a function of x; some of the points may
// not be zeros. `complete` is false if zeros may be missing.
ZeroSet ZerosOf(Expr u, Expr x) {
  u = Simplify(u);
  if (!Contains(u, x)) return {};
  for (Expr node : TopologicalOrder(u)) {
    if (node == u || !Contains(node, x)) continue;
    ZeroSet zeros;
    const std::vector<Expr> branches = Branches(node);
    for (Expr branch : branches) Join(&zeros, ZerosOf(Substitute(u, node, branch), x));
    if (!branches.empty()) return zeros;
  }
  if (u == x) return {{x.pool().Constant(0)}, true};
  switch (u.op()) {
    case Op::kMul: {
      ZeroSet zeros;
      for (Expr factor : u.args()) Join(&zeros, ZerosOf(factor, x));
      return zeros;
    }
    case Op::kPow:
      if (!u.arg(1).IsConstant()) return {};
      return u.arg(1).number().sign() > 0 ? ZerosOf(u.arg(0), x) : ZeroSet();
    default:
      break;
  }
  switch (Info(u.op()).zeros) {
    case Zeros::kUnknown:
      break;
    case Zeros::kNowhere:
      return {};
    case Zeros::kWhereArgumentIs:
      return ZerosOf(u.arg(0), x);
    case Zeros::kWhereArgumentIsOne:
      return ZerosOf(u.arg(0) - 1, x);
  }
  if (u.op() == Op::kAdd) {
    // A sum of a positive term and terms that are never negative has no zeros.
    bool none = true, strict = false;
    for (Expr term : u.args()) {
      const auto [coefficient, rest] = SplitCoefficient(term);
      const bool even_power = rest.op() == Op::kPow && rest.arg(1).IsConstant() &&
                              (!rest.arg(1).number().integer() || IsEven(rest.arg(1).number()));
      const bool positive = rest.IsOne() || Info(rest.op()).range == Range::kPositive;
      none &= coefficient.sign() > 0 && (positive || even_power || rest.op() == Op::kAbs);
      strict |= positive;
    }
    if (none && strict) return {};
    // c + d exp(v) is 0 where v = ln(-c/d).
    if (u.args().size() == 2) {
      for (int i : {0, 1}) {
        const auto [d, f] = SplitCoefficient(u.arg(i));
        const Expr c = u.arg(1 - i);
        if (f.op() != Op::kExp || !c.IsConstant()) continue;
        const Number ratio = -c.number() / d;
        if (ratio.sign() <= 0) return {};
        return ZerosOf(f.arg(0) - Ln(x.pool().Constant(ratio)), x);
      }
    }
  }
  const Expr slope = Simplify(Differentiate(u, x));
  const Expr at_zero = Simplify(Substitute(u, x, x.pool().Constant(0)));
  if (!Contains(slope, x)) {
    if (!Variables(slope).empty() || !Variables(at_zero).empty()) return {{}, false};
    return {{Simplify(-at_zero / slope)}, true};
  }
  const Expr curvature = Simplify(Differentiate(slope, x));
  if (!Contains(curvature, x) && Variables(u).size() == 1) {
    return QuadraticZeros(Simplify(curvature / 2),
                          Simplify(Substitute(slope, x, x.pool().Constant(0))), at_zero);
  }
  return {{}, false};
}

// Returns the expressions at whose zeros the operation at the root of `node` may not be smooth.
std::vector<Expr> Suspects(Expr node) {
  const auto suspects = Info(node.op()).suspects;
  return suspects == nullptr ? std::vector<Expr>() : suspects(node.args());
}

NonDifferentiablePoint::Kind Classify(const NonDifferentiablePoint& p,
                                      const absl::StatusOr<double>& value, bool* smooth) {
  using PointKind = NonDifferentiablePoint::Kind;
  *smooth = false;
  const auto infinite = [](const LimitValue& v) { return v.known() && !v.finite(); };
  if (infinite(p.left_value) || infinite(p.right_value)) return PointKind::kPole;
  if (p.left_value.known() != p.right_value.known()) return PointKind::kEdge;
  if (!p.left_value.known()) return PointKind::kUnknown;
  if (!Same(p.left_value, p.right_value)) {
    const Verdict verdict = Equal(p.left_value.value, p.right_value.value);
    return verdict == Verdict::kDifferent ? PointKind::kJump : PointKind::kUnknown;
  }
  const absl::StatusOr<double> limit = Evaluate(p.left_value.value, Bindings());
  if (!value.ok() || !limit.ok()) return PointKind::kUnknown;
  if (std::abs(*value - *limit) > 1e-9 * (1 + std::abs(*limit))) return PointKind::kJump;
  if (!p.left_slope.known() || !p.right_slope.known()) return PointKind::kUnknown;
  if (infinite(p.left_slope) || infinite(p.right_slope)) return PointKind::kVertical;
  if (Same(p.left_slope, p.right_slope)) *smooth = true;
  return PointKind::kKink;
}

}  // namespace

const char* ToText(NonDifferentiablePoint::Kind kind) {
  switch (kind) {
    case NonDifferentiablePoint::Kind::kKink:
      return "kink";
    case NonDifferentiablePoint::Kind::kVertical:
      return "vertical tangent";
    case NonDifferentiablePoint::Kind::kJump:
      return "jump";
    case NonDifferentiablePoint::Kind::kPole:
      return "pole";
    case NonDifferentiablePoint::Kind::kEdge:
      return "edge of the domain";
    case NonDifferentiablePoint::Kind::kUnknown:
      break;
  }
  return "undecided";
}

Differentiability NonDifferentiablePoints(Expr e, Expr variable) {
  Differentiability result;
  variable = e.pool().Import(variable);
  std::vector<std::pair<double, Expr>> candidates;
  for (Expr node : TopologicalOrder(e)) {
    if (!Contains(node, variable)) continue;
    const Kink kink = Info(node.op()).kink;
    bool found = kink != Kink::kJumpAtIntegers && kink != Kink::kJumpAtHalves &&
                 kink != Kink::kJumpAtMultiples;
    for (Expr suspect : Suspects(node)) {
      const ZeroSet zeros = ZerosOf(suspect, variable);
      found &= zeros.complete;
      for (Expr point : zeros.points) {
        const absl::StatusOr<double> at = Evaluate(point, Bindings());
        if (!at.ok()) {
          found = false;
          continue;
        }
        const bool known = std::any_of(candidates.begin(), candidates.end(), [&](const auto& c) {
          return std::abs(c.first - *at) <= 1e-12 * (1 + std::abs(*at));
        });
        if (!known) candidates.emplace_back(*at, point);
      }
    }
    if (!found) {
      result.complete = false;
      result.reason = absl::StrCat("cannot tell where ", ToText(node), " is differentiable");
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const Expr derivative = Simplify(Differentiate(e, variable));
  for (const auto& [at, where] : candidates) {
    NonDifferentiablePoint point;
    point.point = where;
    point.left_value = Limit(e, variable, where, Side::kLeft);
    point.right_value = Limit(e, variable, where, Side::kRight);
    point.left_slope = Limit(derivative, variable, where, Side::kLeft);
    point.right_slope = Limit(derivative, variable, where, Side::kRight);
    bool smooth;
    point.kind = Classify(point, Evaluate(e, {{variable.name(), at}}), &smooth);
    if (!smooth) result.points.push_back(point);
  }
  return result;
}

}  // namespace cotangent::autodiff::symbolic
