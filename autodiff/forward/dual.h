#ifndef COTANGENT_AUTODIFF_FORWARD_DUAL_H_
#define COTANGENT_AUTODIFF_FORWARD_DUAL_H_

// Dual numbers: derivatives by forward accumulation.
//
// THE MATHEMATICS
//
// Adjoin to the real numbers an element e that is not zero but whose square is. A dual number is v
// + t e, and arithmetic needs no other rule than e^2 = 0:
//
//   (v + t e) + (w + u e) = (v + w) + (t + u) e
//   (v + t e) (w + u e)   = v w + (v u + t w) e                        the product rule
//   (v + t e) / (w + u e) = v / w + (t - (v / w) u) / w e              the quotient rule
//
// The Taylor series of a function f ends after two terms, for the same reason:
//
//   f(v + t e) = f(v) + f'(v) t e                                      the chain rule
//
// So whoever computes f at x + 1 e with dual numbers instead of real ones reads f(x) off as the
// value and f'(x), exact to rounding, as the tangent. By hand, for f(x) = x^2 sin x at x = 2:
//
//   x          = 2 + 1 e
//   x x        = 4 + 4 e
//   sin x      = 0.909297 - 0.416147 e
//   x x sin x  = (4 * 0.909297) + (4 * -0.416147 + 4 * 0.909297) e = 3.637190 + 1.972602 e
//
// and indeed f'(x) = 2 x sin x + x^2 cos x = 1.972602 at 2.
//
// For a function of several variables one carries N such elements, e_1 .. e_N, all products of
// which are zero. A dual number is then v + t_1 e_1 + ... + t_N e_N; seed x_i with e_i and the
// result's tangents are the gradient; seed x with a vector's components along a single e and the
// tangent is the directional derivative, the Jacobian-vector product.
//
//   Dual<double, 2> x = Dual<double, 2>::Variable(3.0, 0), y = Dual<double, 2>::Variable(4.0, 1);
//   auto r = hypot(x, y);            // r.value == 5, r.tangent[0] == 0.6, r.tangent[1] == 0.8
//
// HIGHER ORDERS
//
// Any T that computes as a number may be the value, so duals nest: in Dual<Dual<double, N>, N> the
// tangents are dual numbers, whose tangents are second derivatives: r.tangent[i].tangent[j] is an
// entry of the Hessian. See VariableOf for the seeding, and taylor.h for many derivatives along one
// direction at less cost.
//
// COMPARISON
//
// ==, <, isnan and their like look at the innermost value alone; a branch is taken as the plain
// program would take it, and the derivative is that of the branch taken.
//
// KINKS AND EDGES
//
// autodiff/math.h has the table: the derivative at a kink is a fixed member of the subdifferential,
// at the edge of a domain the one-sided limit, which may be infinite, and outside it NaN.
// Arithmetic on tangents is IEEE's: a zero tangent times an infinite derivative is NaN, so sqrt of
// a *constant* 0 spoils the result; the one exception is pow, whose derivative by a constant
// exponent is not formed. Duals are not thread-shared state: they may be used wherever a double
// may.

#include <cmath>
#include <compare>
#include <concepts>
#include <limits>
#include <type_traits>

#include "autodiff/forward/lanes.h"

namespace cotangent::autodiff::forward {

template <class T, int N>
struct Dual;

// With the number of directions chosen at run time. A constant has none.
template <class T = double>
using DynamicDual = Dual<T, kDynamic>;

// How deep duals are nested in A: 0 for a plain number.
template <class A>
inline constexpr int kDepth = 0;
template <class T, int N>
inline constexpr int kDepth<Dual<T, N>> = 1 + kDepth<T>;

template <class A>
concept DualNumber = kDepth<A> >
0;

// The plain number inside A.
template <class A>
struct RealOf {
  using type = A;
};
template <class T, int N>
struct RealOf<Dual<T, N>> {
  using type = typename RealOf<T>::type;
};
template <class A>
using Real = typename RealOf<A>::type;

// Other scalars that duals are made of bring a ValueOf of their own.
template <class A>
requires(DualNumber<A> || std::is_arithmetic_v<A>) constexpr const auto& ValueOf(const A& a) {
  if constexpr (DualNumber<A>) {
    return ValueOf(a.value);
  } else {
    return a;
  }
}

template <class T, int N>
struct Dual {
  using Scalar = T;
  using Tangent = Lanes<T, N>;

  // Like a plain number: `Dual x;` is uninitialized, `Dual x{};` zero.
  Dual() = default;
  // A constant: zero tangents.
  template <class S>
  requires std::convertible_to<S, T>
  constexpr Dual(const S& constant) : value(constant), tangent{} {}
  Dual(const T& value, const Tangent& tangent) : value(value), tangent(tangent) {}
  Dual(const T& value, Tangent&& tangent) : value(value), tangent(std::move(tangent)) {}

  // The variable of the given direction: tangent 1 there. A DynamicDual is given the number of
  // directions too.
  static Dual Variable(const T& value, int direction, int directions = N) {
    return Dual(value, Tangent::Unit(direction, directions));
  }

  T value;
  Tangent tangent;
};

// x as the variable of a direction at every level of nesting: in f(VariableOf<D>(x, i)...) for a
// twice nested D, tangent[i].tangent[j] is the second derivative by x_i and x_j.
template <DualNumber D>
D VariableOf(const Real<D>& x, int direction, int directions) {
  if constexpr (kDepth<D> == 1) {
    return D::Variable(x, direction, directions);
  } else {
    return D::Variable(VariableOf<typename D::Scalar>(x, direction, directions), direction,
                       directions);
  }
}

// Of two operands, the deeper nested is the result's type; the other is a constant to it.
template <class A, class B>
concept DualPair = (DualNumber<A> ||
                    DualNumber<B>)&&(std::same_as<A, B> ||
                                     (kDepth<A> > kDepth<B> && std::convertible_to<B, A>) ||
                                     (kDepth<B> > kDepth<A> && std::convertible_to<A, B>));
template <class A, class B>
requires DualPair<A, B>
using Promoted = std::conditional_t<(kDepth<A> >= kDepth<B>), A, B>;

// The constant c as an operand for D's tangents: a plain number stays plain.
template <DualNumber D, class C>
constexpr auto Constant(const C& c) {
  if constexpr (DualNumber<C>) {
    return typename D::Scalar(c);
  } else {
    return static_cast<Real<D>>(c);
  }
}

// f(x) with derivative dfdx by x.
template <DualNumber D>
D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx, const D& x) {
  return D(f, dfdx * x.tangent);
}

// f(x, y) with derivatives dfdx and dfdy.
template <DualNumber D>
D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx, const D& x,
        const typename D::Scalar& dfdy, const D& y) {
  return D(f, Combine(dfdx, x.tangent, dfdy, y.tangent));
}

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

// (v + t e) / (w + u e) = q + (t - q u) / w e, q = v / w
template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator/(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    const typename A::Scalar quotient = a.value / b.value;
    return A(quotient,
             ScaledDifference(typename A::Scalar(1) / b.value, a.tangent, quotient, b.tangent));
  } else if constexpr (kDepth<A> > kDepth<B>) {
    const auto c = Constant<A>(b);
    return A(a.value / c, (Real<A>(1) / c) * a.tangent);
  } else {
    const typename B::Scalar quotient = Constant<B>(a) / b.value;
    return B(quotient, (-quotient / b.value) * b.tangent);
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

// Comparison is by value.
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

// "3.63719 [1.9726]"
template <class Stream, DualNumber D>
Stream& operator<<(Stream& out, const D& x) {
  out << x.value << " [";
  for (int i = 0; i < x.tangent.size(); ++i) out << (i == 0 ? "" : ", ") << x.tangent[i];
  out << "]";
  return out;
}

}  // namespace cotangent::autodiff::forward

// A dual number has the range and precision of its value.
template <class T, int N>
class std::numeric_limits<cotangent::autodiff::forward::Dual<T, N>>
    : public std::numeric_limits<T> {
  using D = cotangent::autodiff::forward::Dual<T, N>;
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
