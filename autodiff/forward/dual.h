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
// ==, <, isnan and the like compare only the innermost values. A program therefore takes the same
// branches as with plain numbers, and the derivative is that of the branch taken.
//
// KINKS AND EDGES
//
// autodiff/math.h has the table. The derivative at a kink is a fixed value between the one-sided
// derivatives; at the edge of a function's domain it is the limit from inside, which may be
// infinite; outside the domain it is NaN. A derivative that is not finite only enters tangents of
// directions along which the argument changes: a constant at the edge of a domain spoils no result.
// An argument that has overflowed counts as constant where the slope is 0: in 1 / (1 + exp(-x)) at
// -800 the exponential is infinite, the result is 0, and so is its derivative (not 0 times
// infinity). Values are bit for bit those of the plain function, so that a program branches as with plain
// numbers.
//
// LEVELS
//
// A derivative inside a function that is itself being differentiated needs duals of duals. If the
// inner and the outer derivative used the same type, they could be mixed up. So forward::Gradient
// and the functions beside it call a function F with duals of a type of its own (the third
// parameter, kLevelOf<F>): an inner function that uses the outer one's variables as if they were
// its own does not compile. Pass the outer function's scalars to the inner Gradient as its point,
// and it differentiates with those.
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

// A Level tags a type of scalars: scalars with different tags do not mix. &kLevelOf<F> tags the
// scalars with which forward::Gradient and the functions beside it differentiate the function F.
// Dual numbers that a program makes by hand have the tag null, or one that the program defines
// (kMine above).
using Level = const char*;
template <class F>
inline constexpr char kLevelOf = 0;

// A separate namespace, so that argument-dependent lookup for a dual number finds only the
// operators and the names of <cmath> that are declared in it.
namespace scalar {
template <class T, int N, Level kLevel = nullptr>
struct Dual;
}  // namespace scalar
using scalar::Dual;

// A dual number whose number of directions is chosen at run time. A constant has no directions.
template <class T = double>
using DynamicDual = Dual<T, kDynamic>;

// The number of levels of duals that A nests: 0 for a plain number, 1 for Dual<double, N>.
template <class A>
inline constexpr int kDepth = 0;
template <class T, int N, Level kLevel>
inline constexpr int kDepth<Dual<T, N, kLevel>> = 1 + kDepth<T>;

template <class A>
concept DualNumber = (kDepth<A>) > 0;

// The type of the plain number inside A.
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

  // Makes the variable of the given direction: its tangent is 1 there and 0 elsewhere. A
  // DynamicDual also needs the number of directions.
  static Dual Variable(const T& value, int direction, int directions = N) {
    return Dual(value, Tangent::Unit(direction, directions));
  }

  T value;
  Tangent tangent;
};

// Makes x the variable of a direction at every level of nesting. If D is nested twice,
// tangent[i].tangent[j] of f(VariableOf<D>(x, i, n)...) is the second derivative by x_i and x_j.
template <DualNumber D>
D VariableOf(const Real<D>& x, int direction, int directions) {
  if constexpr (kDepth<D> == 1) {  // NOLINT(bugprone-branch-clone): the types differ
    return D::Variable(x, direction, directions);
  } else {
    return D::Variable(VariableOf<typename D::Scalar>(x, direction, directions), direction,
                       directions);
  }
}

// The operands of a binary operation. If one of them is nested deeper, its type is the type of the
// result, and the other operand is converted to that type as a constant.
template <class A, class B>
concept DualPair = (DualNumber<A> ||
                    DualNumber<B>)&&(std::same_as<A, B> ||
                                     (kDepth<A> > kDepth<B> && std::convertible_to<B, A>) ||
                                     (kDepth<B> > kDepth<A> && std::convertible_to<A, B>));
template <class A, class B>
requires DualPair<A, B>
using Promoted = std::conditional_t<(kDepth<A> >= kDepth<B>), A, B>;

// Converts the constant c for arithmetic with D's value and tangents; a plain number stays plain.
template <DualNumber D, class C>
constexpr auto Constant(const C& c) {
  if constexpr (DualNumber<C>) {
    return typename D::Scalar(c);
  } else {
    return static_cast<Real<D>>(c);
  }
}

// Returns 0 if all components of a number are finite, and NaN otherwise.
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

// Returns whether all components of a are finite, and its value has all its digits: it is neither 0
// nor so small that a part of it is lost.
template <class A>
[[gnu::always_inline]] inline bool AllDigits(const A& a) {
  if constexpr (std::floating_point<A>) {
    const A size = std::abs(a);
    return size <= std::numeric_limits<A>::max() && size >= std::numeric_limits<A>::min();
  } else {
    return AllFinite(a) && AllDigits(functions::value_of(ValueOf(a)));
  }
}

// Returns whether all components are the constant 0. A variable recorded on a tape that merely has
// the value 0 does not count: its tangent may differ from 0.
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

// Returns derivative * tangent, but 0 where the tangent is 0, even if the derivative is infinite or
// NaN; the same at each level of nesting.
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

// Returns whether a function whose argument x has overflowed, and whose slope there is 0, is
// constant: beyond the range of numbers, nothing that x does moves its result.
template <class T, class X>
bool Saturated(const T& slope, const X& x) {
  return std::isinf(functions::value_of(ValueOf(x))) && functions::value_of(ValueOf(slope)) == 0;
}

// Returns slope * tangents of x where the slope or x is not finite.
template <class T, class D>
[[gnu::noinline, gnu::cold]] typename D::Tangent EdgeTangent(const T& slope, const D& x) {
  return Saturated(slope, x) ? D(x.value).tangent : Moving(slope, x.tangent);
}

// Applies the chain rule: returns a dual number of value f, with dfdx times x's tangents.
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x) {
  if constexpr (std::floating_point<typename D::Scalar> && D::Tangent::kOneLane) {
    // One direction. If its tangent is the constant 1, as on a tape, the product is the slope.
    D y(f);
    y.tangent[0] = dfdx * x.tangent[0];
    if (__builtin_constant_p(x.tangent[0] == 1) && x.tangent[0] == 1) return y;
    if (!AllFinite(y.tangent[0])) [[unlikely]]
      y.tangent = EdgeTangent(dfdx, x);
    return y;
  }
  if (!(AllFinite(dfdx) & AllFinite(ValueOf(x)))) [[unlikely]]
    return D(f, EdgeTangent(dfdx, x));
  return D(f, dfdx * x.tangent);
}

// Like Chain, for a derivative that is finite wherever f is.
template <DualNumber D>
[[gnu::always_inline]] inline D FiniteChain(const typename D::Scalar& f,
                                            const typename D::Scalar& dfdx, const D& x) {
  return D(f, dfdx * x.tangent);
}

// Applies the chain rule to f(x, y), with derivatives dfdx by x and dfdy by y.
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x, const typename D::Scalar& dfdy, const D& y) {
  if (!(AllFinite(dfdx) & AllFinite(dfdy) & AllFinite(ValueOf(x)) & AllFinite(ValueOf(y))))
      [[unlikely]]
    return D(f, EdgeTangent(dfdx, x) + EdgeTangent(dfdy, y));
  return D(f, Combine(dfdx, x.tangent, dfdy, y.tangent));
}

// Returns the quotient rule's (t - q u) / w where 1 / w or q overflows or underflows. Directions in
// which neither operand changes keep the tangent 0. A denominator that has overflowed counts as
// constant: the quotient is 0 whatever it does.
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

// (v + t e) / (w + u e) = q + (t - q u) / w e with q = v / w. If w is tiny or huge, 1 / w may be
// infinite or 0 though w is not; then MovingQuotient divides by w itself.
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

// Comparisons look at the values only.
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
