#ifndef COTANGENT_AUTODIFF_FORWARD_DUAL_H_
#define COTANGENT_AUTODIFF_FORWARD_DUAL_H_

// Dual numbers compute derivatives by forward accumulation.
//
// THE MATHEMATICS
//
// Add to the real numbers an element e that is not zero but whose square is. A dual number is v + t
// e, and arithmetic needs no other rule than e^2 = 0:
//
//   (v + t e) + (w + u e) = (v + w) + (t + u) e
//   (v + t e) (w + u e)   = v w + (v u + t w) e                        the product rule
//   (v + t e) / (w + u e) = v / w + (t - (v / w) u) / w e              the quotient rule
//
// The Taylor series of a function f ends after two terms, for the same reason:
//
//   f(v + t e) = f(v) + f'(v) t e                                      the chain rule
//
// So to differentiate f, compute f at x + 1 e with dual numbers instead of real ones: the value of
// the result is f(x), its tangent is f'(x), exact to rounding. By hand, for f(x) = x^2 sin x at x =
// 2:
//
//   x          = 2 + 1 e
//   x x        = 4 + 4 e
//   sin x      = 0.909297 - 0.416147 e
//   x x sin x  = (4 * 0.909297) + (4 * -0.416147 + 4 * 0.909297) e = 3.637190 + 1.972602 e
//
// and indeed f'(x) = 2 x sin x + x^2 cos x = 1.972602 at 2.
//
// For a function of several variables, use N such elements, e_1 .. e_N, all products of which are
// zero. A dual number is then v + t_1 e_1 + ... + t_N e_N. If each input x_i starts as x_i + e_i,
// the tangents of the result are the gradient. If each x_i starts as x_i + d_i e with one e, the
// tangent of the result is the derivative along the direction d, the Jacobian-vector product.
//
//   Dual<double, 2> x = Dual<double, 2>::Variable(3.0, 0), y = Dual<double, 2>::Variable(4.0, 1);
//   auto r = hypot(x, y);            // r.value == 5, r.tangent[0] == 0.6, r.tangent[1] == 0.8
//
// HIGHER ORDERS
//
// The value may have any type T that computes as a number, so duals nest. In Dual<Dual<double, N>,
// N> the tangents are dual numbers, whose tangents are second derivatives: r.tangent[i].tangent[j]
// is an entry of the Hessian. VariableOf makes the inputs for such a computation. taylor.h computes
// many derivatives along one direction at less cost.
//
// COMPARISON
//
// ==, <, isnan and the like look only at the innermost value: x.value of a Dual<double, N>,
// x.value.value of a dual of duals. A program therefore takes the same branches as with plain
// numbers, and the derivative is that of the branch taken.
//
// KINKS AND EDGES
//
// The derivative at a kink (a point where the derivatives from the left and from the right differ)
// is one of these two or a value between them; autodiff/math.h has the table. At the edge of a
// function's domain the derivative is the limit from inside, which may be infinite; outside the
// domain it is NaN. A function's derivative that is not finite at a finite argument only enters the
// tangents of directions along which the argument changes: a constant at the edge of a domain
// spoils no result. An argument that has overflowed counts as constant where the slope is 0: in 1 /
// (1 + exp(-x)) at -800 the exponential is infinite, the result is 0, and so is its derivative (not
// 0 times infinity). Values are bit for bit those of the plain function, so that a program branches
// as with plain numbers.
//
// LEVELS
//
// A derivative inside a function that is itself being differentiated needs duals of duals. If the
// inner and the outer derivative used the same type, they could be mixed up. So forward::Gradient
// and the functions beside it call a function of type F with duals of a type that only F gets
// (their third template argument is &kLevelOf<F>): an inner function that uses the outer one's
// variables as if they were its own does not compile. Pass the outer function's scalars to the
// inner Gradient as its point; it then builds its duals on those scalars.
//
// Dual numbers that a program makes by hand have only their types to tell them apart, and
// Dual<double, 1> is the same type in two functions. So a function template over T should build its
// duals from T,
//
//   template <class T>
//   T Slope(const T& v) {                       // d(v w)/dw at w = 1, which is v
//     using D = Dual<T, 1>;                     // not Dual<double, 1>
//     return (v * D::Variable(T(1), 0)).tangent[0];
//   }
//
// which is right at every depth of nesting. Or it can use a type of its own, Dual<double, 1,
// &kMine> with `inline constexpr char kMine = 0;`: then code that would mix the two does not
// compile.
//
// Duals contain no shared state: threads may use them as they use doubles.

#include <cmath>
#include <compare>
#include <concepts>
#include <limits>
#include <type_traits>

#include "autodiff/forward/lanes.h"
#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

// A Level tags a type of scalars: no operator takes two scalars with different tags, unless the
// type of one is built on that of the other (Dual<Outer, 1> on Outer). &kLevelOf<F> tags the
// scalars with which forward::Gradient and the functions beside it differentiate a function of type
// F. Dual numbers that a program makes by hand have the tag null, or one that the program defines
// (kMine above).
using Level = const char*;
template <class F>
inline constexpr char kLevelOf = 0;

// A separate namespace, so that argument-dependent lookup for a dual number finds only what is
// declared in it: operators, functions named as in the standard library, and CotangentApply
// (autodiff/math.h).
namespace scalar {
template <class T, int N, Level kLevel = nullptr>
struct Dual;
}  // namespace scalar
using scalar::Dual;

// A dual number whose number of directions is chosen at run time. One made from a constant stores
// no tangents; they count as zeros.
template <class T = double>
using DynamicDual = Dual<T, kDynamic>;

// The number of levels of duals that A nests: 0 for a plain number, 1 for Dual<double, N>.
template <class A>
inline constexpr int kDepth = 0;
template <class T, int N, Level kLevel>
inline constexpr int kDepth<Dual<T, N, kLevel>> = 1 + kDepth<T>;

template <class A>
concept DualNumber = (kDepth<A>) > 0;

// The type of the innermost value of A: A itself if A is neither a Dual nor a Taylor (taylor.h).
template <class A>
struct RealOf {
  using type = A;
};
template <class T, int N, Level kLevel>
struct RealOf<Dual<T, N, kLevel>> {
  using type = typename RealOf<T>::type;
};
template <class A>
using Real = typename RealOf<A>::type;

// Returns the innermost value, which decides comparisons. It is a plain number, or another scalar
// that duals are built on, such as reverse::Var, which has comparisons of its own.
template <class A>
constexpr const auto& ValueOf(const A& a) {
  if constexpr (DualNumber<A>) {
    return ValueOf(a.value);
  } else {
    return a;
  }
}

template <class T, int N, Level kLevel>
struct scalar::Dual {
  using Scalar = T;
  using Tangent = Lanes<T, N>;

  // As with plain numbers, `Dual x;` is uninitialized, and `Dual x{};` is zero.
  Dual() = default;
  // Makes a constant: all tangents are zero.
  template <class S>
  requires std::convertible_to<S, T>
  constexpr Dual(const S& constant) : value(constant), tangent{} {}
  Dual(const T& value, const Tangent& tangent) : value(value), tangent(tangent) {}
  Dual(const T& value, Tangent&& tangent) : value(value), tangent(std::move(tangent)) {}

  // Makes the variable of `direction` (counted from 0): tangent[direction] is 1, the others are 0.
  // For a DynamicDual, give the number of directions as well; for others it is N.
  static Dual Variable(const T& value, int direction, int directions = N) {
    return Dual(value, Tangent::Unit(direction, directions));
  }

  T value;
  Tangent tangent;
};

// Makes x the variable of `direction` (counted from 0, below `directions`) at every level of
// nesting. If D is nested twice, and f is computed at n inputs x_i that are each made by
// VariableOf<D>(x_i, i, n), then tangent[i].tangent[j] of the result is the second derivative of f
// by x_i and x_j.
template <DualNumber D>
D VariableOf(const Real<D>& x, int direction, int directions) {
  if constexpr (kDepth<D> == 1) {  // NOLINT(bugprone-branch-clone): the types differ
    return D::Variable(x, direction, directions);
  } else {
    return D::Variable(VariableOf<typename D::Scalar>(x, direction, directions), direction,
                       directions);
  }
}

// The types of two operands that a binary operation accepts. If one operand is nested deeper, its
// type is the type of the result (Promoted), and the other operand counts as constant in the
// directions that it lacks.
template <class A, class B>
concept DualPair = (DualNumber<A> ||
                    DualNumber<B>)&&(std::same_as<A, B> ||
                                     (kDepth<A> > kDepth<B> && std::convertible_to<B, A>) ||
                                     (kDepth<B> > kDepth<A> && std::convertible_to<A, B>));
template <class A, class B>
requires DualPair<A, B>
using Promoted = std::conditional_t<(kDepth<A> >= kDepth<B>), A, B>;

// Returns c, a constant for D, as an operand for arithmetic with D's value and tangents: as a
// D::Scalar if c is a dual number, otherwise as a plain Real<D>.
template <DualNumber D, class C>
constexpr auto Constant(const C& c) {
  if constexpr (DualNumber<C>) {
    return typename D::Scalar(c);
  } else {
    return static_cast<Real<D>>(c);
  }
}

// Returns 0 if all components of a (its value and its tangents, at all levels of nesting) are
// finite, and NaN otherwise.
template <class A>
[[gnu::always_inline]] inline auto Residue(const A& a) {
  if constexpr (DualNumber<A>) {
    auto residue = Residue(a.value);
    if constexpr (DualNumber<typename A::Scalar>) {
      for (int i = 0; i < a.tangent.size(); ++i) residue += Residue(a.tangent[i]);
    } else {
      residue += functions::value_of((a.tangent - a.tangent).Total());
    }
    return residue;
  } else {
    const auto value = functions::value_of(a);
    return value - value;  // NOLINT(misc-redundant-expression): NaN where it is not finite
  }
}
template <class A>
[[gnu::always_inline]] inline bool AllFinite(const A& a) {
  if constexpr (std::floating_point<A>) {
    return std::abs(a) <= std::numeric_limits<A>::max();
  } else {
    return Residue(a) == 0;
  }
}

// Returns whether all components of several numbers are finite, without a branch for each number.
template <class A, class B, class... More>
[[gnu::always_inline]] inline bool AllFinite(const A& a, const B& b, const More&... more) {
  return ((int{AllFinite(a)} & int{AllFinite(b)}) & ... & int{AllFinite(more)}) != 0;
}

// Returns whether all components of a are finite, and its innermost value has all its digits, that
// is, is neither 0 nor subnormal.
template <class A>
[[gnu::always_inline]] inline bool AllDigits(const A& a) {
  if constexpr (std::floating_point<A>) {
    const A size = std::abs(a);
    return size <= std::numeric_limits<A>::max() && size >= std::numeric_limits<A>::min();
  } else {
    return AllFinite(a) && AllDigits(functions::value_of(ValueOf(a)));
  }
}

// Returns whether all components of a are the constant 0. A variable that is recorded on a tape
// (reverse::Var) and merely has the value 0 does not count: its derivative may differ from 0.
template <class A>
bool IsZero(const A& a) {
  if constexpr (DualNumber<A>) {
    for (int i = 0; i < a.tangent.size(); ++i) {
      if (!IsZero(a.tangent[i])) return false;
    }
    return IsZero(a.value);
  } else if constexpr (requires { a.Index(); }) {  // reverse::Var; index 0 means a constant
    return a.Index() == 0 && a.Value() == 0;
  } else {
    return a == 0;
  }
}

// Returns derivative * tangent, lane by lane; a lane that is 0 stays 0, even if the derivative is
// infinite or NaN. If T is a dual number, each lane is a product of two dual numbers, and the
// tangents of this product are computed by the same rule.
template <class T, class Tangent>
[[gnu::noinline, gnu::cold]] Tangent Moving(const T& derivative, Tangent tangent) {
  for (int i = 0; i < tangent.size(); ++i) {
    if (IsZero(tangent[i])) continue;
    if constexpr (DualNumber<T>) {
      const T t = tangent[i];
      tangent[i] = T(derivative.value * t.value,
                     Moving(derivative.value, t.tangent) + Moving(t.value, derivative.tangent));
    } else {
      tangent[i] = derivative * tangent[i];
    }
  }
  return tangent;
}

// Returns whether x is infinite and `slope`, a function's derivative at x, is 0. Such a function
// counts as constant: beyond the range of numbers, nothing that x does changes the result.
template <class T, class X>
bool Saturated(const T& slope, const X& x) {
  return std::isinf(functions::value_of(ValueOf(x))) && functions::value_of(ValueOf(slope)) == 0;
}

// Returns the tangents of f(x) for a derivative `slope` of f, where the slope, x or a product of
// the slope with a tangent is not finite: zeros if Saturated(), otherwise Moving(slope, x.tangent).
template <class T, class D>
[[gnu::noinline, gnu::cold]] typename D::Tangent EdgeTangent(const T& slope, const D& x) {
  return Saturated(slope, x) ? D(x.value).tangent : Moving(slope, x.tangent);
}

// Applies the chain rule: returns a dual number with value f and, as tangents, dfdx times x's
// tangents. Where dfdx or x is not finite (for a single direction in plain numbers: where the
// product is not finite), the tangents are those of EdgeTangent().
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x) {
  if constexpr (std::floating_point<typename D::Scalar> && D::Tangent::kOneLane) {
    // One direction. If the compiler knows that its tangent is 1, as for operands of a statement on
    // a tape, the product is the slope, and needs no check.
    D y(f);
    y.tangent[0] = dfdx * x.tangent[0];
    if (__builtin_constant_p(x.tangent[0] == 1) && x.tangent[0] == 1) return y;
    if (!AllFinite(y.tangent[0])) [[unlikely]]
      y.tangent = EdgeTangent(dfdx, x);
    return y;
  }
  if (!AllFinite(dfdx, ValueOf(x))) [[unlikely]]
    return D(f, EdgeTangent(dfdx, x));
  return D(f, dfdx * x.tangent);
}

// Like Chain, but without its check: for a derivative that is finite wherever x is.
template <DualNumber D>
[[gnu::always_inline]] inline D FiniteChain(const typename D::Scalar& f,
                                            const typename D::Scalar& dfdx, const D& x) {
  return D(f, dfdx * x.tangent);
}

// Applies the chain rule, like Chain above, to a function of x and y with the value f and the
// derivatives dfdx by x and dfdy by y.
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x, const typename D::Scalar& dfdy, const D& y) {
  if (!AllFinite(dfdx, dfdy, ValueOf(x), ValueOf(y))) [[unlikely]]
    return D(f, EdgeTangent(dfdx, x) + EdgeTangent(dfdy, y));
  return D(f, Combine(dfdx, x.tangent, dfdy, y.tangent));
}

// Returns the quotient rule's (t - q u) / w for a denominator w with tangents u, a numerator with
// tangents t, and the quotient q, where 1 / w or q / w is 0, subnormal or not finite. Directions in
// which neither operand changes keep the tangent 0. If w has overflowed and q is 0, w counts as
// constant.
template <class T, class Tangent>
[[gnu::noinline, gnu::cold]] Tangent MovingQuotient(const T& w, Tangent t, const T& q,
                                                    const Tangent& u) {
  Tangent change = Saturated(q, w) ? t : t + Moving(T(-q), u);
  for (int i = 0; i < change.size(); ++i) {
    if (!IsZero(change[i])) change[i] = change[i] / w;
  }
  return change;
}

namespace scalar {

template <DualNumber D>
D operator+(const D& x) {
  return x;
}

template <DualNumber D>
[[gnu::always_inline]] inline D operator-(const D& x) {
  return D(-x.value, -x.tangent);
}

template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator+(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    return A(a.value + b.value, a.tangent + b.tangent);
  } else if constexpr (kDepth<A> > kDepth<B>) {
    return A(a.value + Constant<A>(b), a.tangent);
  } else {
    return B(Constant<B>(a) + b.value, b.tangent);
  }
}

template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator-(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    return A(a.value - b.value, a.tangent - b.tangent);
  } else if constexpr (kDepth<A> > kDepth<B>) {
    return A(a.value - Constant<A>(b), a.tangent);
  } else {
    return B(Constant<B>(a) - b.value, -b.tangent);
  }
}

// (v + t e)(w + u e) = v w + (v u + t w) e
template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator*(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    return A(a.value * b.value, Combine(b.value, a.tangent, a.value, b.tangent));
  } else if constexpr (kDepth<A> > kDepth<B>) {
    const auto c = Constant<A>(b);
    return A(a.value * c, c * a.tangent);
  } else {
    const auto c = Constant<B>(a);
    return B(c * b.value, c * b.tangent);
  }
}

// (v + t e) / (w + u e) = q + (t - q u) / w e with q = v / w. If w is tiny or huge, 1 / w (or, for
// a constant numerator, q / w) may be infinite, subnormal or 0; then MovingQuotient divides by w
// itself.
template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator/(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    using T = typename A::Scalar;
    const T quotient = a.value / b.value;
    const T inverse = T(1) / b.value;
    if (!AllDigits(inverse)) [[unlikely]]
      return A(quotient, MovingQuotient(b.value, a.tangent, quotient, b.tangent));
    return A(quotient, ScaledDifference(inverse, a.tangent, quotient, b.tangent));
  } else if constexpr (kDepth<A> > kDepth<B>) {
    using T = typename A::Scalar;
    const auto c = Constant<A>(b);
    const auto inverse = Real<A>(1) / c;
    if (!AllDigits(inverse)) [[unlikely]]
      return A(a.value / c, MovingQuotient(T(c), a.tangent, T(0), typename A::Tangent{}));
    return A(a.value / c, inverse * a.tangent);
  } else {
    using T = typename B::Scalar;
    const T quotient = Constant<B>(a) / b.value;
    const T slope = -quotient / b.value;
    if (!AllDigits(slope)) [[unlikely]]
      return B(quotient, MovingQuotient(b.value, typename B::Tangent{}, quotient, b.tangent));
    return B(quotient, slope * b.tangent);
  }
}

template <DualNumber D, class B>
requires std::convertible_to<B, D> D& operator+=(D& a, const B& b) { return a = a + b; }
template <DualNumber D, class B>
requires std::convertible_to<B, D> D& operator-=(D& a, const B& b) { return a = a - b; }
template <DualNumber D, class B>
requires std::convertible_to<B, D> D& operator*=(D& a, const B& b) { return a = a * b; }
template <DualNumber D, class B>
requires std::convertible_to<B, D> D& operator/=(D& a, const B& b) { return a = a / b; }

template <DualNumber D>
D& operator++(D& a) {
  return a += 1;
}
template <DualNumber D>
D& operator--(D& a) {
  return a -= 1;
}
template <DualNumber D>
D operator++(D& a, int) {
  const D before = a;
  ++a;
  return before;
}
template <DualNumber D>
D operator--(D& a, int) {
  const D before = a;
  --a;
  return before;
}

// Comparisons look at the innermost values only.
template <class A, class B>
requires DualPair<A, B>
constexpr bool operator==(const A& a, const B& b) { return ValueOf(a) == ValueOf(b); }
template <class A, class B>
requires DualPair<A, B>
constexpr bool operator<(const A& a, const B& b) { return ValueOf(a) < ValueOf(b); }
template <class A, class B>
requires DualPair<A, B>
constexpr bool operator>(const A& a, const B& b) { return ValueOf(a) > ValueOf(b); }
template <class A, class B>
requires DualPair<A, B>
constexpr bool operator<=(const A& a, const B& b) { return ValueOf(a) <= ValueOf(b); }
template <class A, class B>
requires DualPair<A, B>
constexpr bool operator>=(const A& a, const B& b) { return ValueOf(a) >= ValueOf(b); }

// Writes a value and its tangents: "3.63719 [1.9726]".
template <class Stream, DualNumber D>
Stream& operator<<(Stream& out, const D& x) {
  out << x.value << " [";
  for (int i = 0; i < x.tangent.size(); ++i) out << (i == 0 ? "" : ", ") << x.tangent[i];
  out << "]";
  return out;
}

template <DualNumber D>
constexpr auto CotangentApply(functions::rule::value_of, const D& x) {
  return functions::value_of(x.value);
}

}  // namespace scalar
}  // namespace cotangent::autodiff::forward

// A dual number has the range and precision of its value.
template <class T, int N, cotangent::autodiff::forward::Level kLevel>
class std::numeric_limits<cotangent::autodiff::forward::Dual<T, N, kLevel>>
    : public std::numeric_limits<T> {
  using D = cotangent::autodiff::forward::Dual<T, N, kLevel>;
  using Limits = std::numeric_limits<T>;

 public:
  static D min() { return Limits::min(); }
  static D max() { return Limits::max(); }
  static D lowest() { return Limits::lowest(); }
  static D epsilon() { return Limits::epsilon(); }
  static D round_error() { return Limits::round_error(); }
  static D infinity() { return Limits::infinity(); }
  static D quiet_NaN() { return Limits::quiet_NaN(); }
  static D signaling_NaN() { return Limits::signaling_NaN(); }
  static D denorm_min() { return Limits::denorm_min(); }
};

#include "autodiff/forward/functions.h"  // the functions of <cmath> and autodiff/math.h

#endif  // COTANGENT_AUTODIFF_FORWARD_DUAL_H_
