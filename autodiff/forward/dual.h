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
// at the edge of a domain the one-sided limit, which may be infinite, and outside it NaN. A
// derivative that is not finite is handed to those directions only in which the argument moves: a
// constant at the edge of a function's domain spoils nothing. Values are bit for bit those of the
// plain function, so that a program branches as with plain numbers.
//
// LEVELS
//
// A derivative inside a function that is itself being differentiated needs duals of duals; to mix
// the two levels' numbers in one type would confuse dv/dx with dv/dy. So forward::Gradient and its
// kin call a function with duals of a type of its own (the third parameter, kLevelOf<F>): an inner
// function that uses the outer one's variables as if they were of its level does not compile. Hand
// the inner Gradient the outer scalars as its point, and it differentiates those.
//
// Duals that somebody seeds by hand are told apart by their types alone, and Dual<double, 1> is the
// same type in two functions. So a function of T that seeds duals makes them of what it was given,
//
//   template <class T>
//   T Slope(const T& v) {                       // d(v w)/dw at w = 1, which is v
//     using D = Dual<T, 1>;                     // not Dual<double, 1>
//     return (v * D::Variable(T(1), 0)).tangent[0];
//   }
//
// which is right at every depth; or of a level of its own, Dual<double, 1, &kMine> where `inline
// constexpr char kMine = 0;`, and then it does not compile where it would mix the two.
//
// Duals are not thread-shared state: they may be used wherever a double may.

#include <cmath>
#include <compare>
#include <concepts>
#include <limits>
#include <type_traits>

#include "autodiff/forward/lanes.h"
#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

// A tag for the scalars of the function F's derivatives; null for scalars that are of no function.
using Level = const char*;
template <class F>
inline constexpr char kLevelOf = 0;

// What the lookup by argument finds for a dual number: operators and the names of <cmath>.
namespace scalar {
template <class T, int N, Level kLevel = nullptr>
struct Dual;
}  // namespace scalar
using scalar::Dual;

// With the number of directions chosen at run time. A constant has none.
template <class T = double>
using DynamicDual = Dual<T, kDynamic>;

// How deep duals are nested in A: 0 for a plain number.
template <class A>
inline constexpr int kDepth = 0;
template <class T, int N, Level kLevel>
inline constexpr int kDepth<Dual<T, N, kLevel>> = 1 + kDepth<T>;

template <class A>
concept DualNumber = (kDepth<A>) > 0;

// The plain number inside A.
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

// The innermost number, by which comparisons are made: plain, or of another kind that duals are
// made of (reverse::Var), which is then compared in its own way.
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

// 0 if all of a number's components are finite, else NaN.
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
    return value - value;
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

// Whether all components are 0, and stay so.
template <class A>
bool IsZero(const A& a) {
  if constexpr (DualNumber<A>) {
    for (int i = 0; i < a.tangent.size(); ++i) {
      if (!IsZero(a.tangent[i])) return false;
    }
    return IsZero(a.value);
  } else if constexpr (requires { a.Index(); }) {  // a variable of a tape
    return a.Index() == 0 && a.Value() == 0;
  } else {
    return a == 0;
  }
}

// derivative * tangent, but 0 where the tangent is 0, at each level of nesting.
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

// f(x) with derivative dfdx by x.
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x) {
  if constexpr (std::floating_point<typename D::Scalar> && D::Tangent::kOneLane) {
    D y(f);  // one direction, which a tape knows to be 1
    y.tangent[0] = x.tangent[0] == 0 ? 0 : dfdx * x.tangent[0];
    return y;
  }
  if (!AllFinite(dfdx)) [[unlikely]]
    return D(f, Moving(dfdx, x.tangent));
  return D(f, dfdx * x.tangent);
}

// The same for a derivative that is finite wherever f is.
template <DualNumber D>
[[gnu::always_inline]] inline D FiniteChain(const typename D::Scalar& f,
                                            const typename D::Scalar& dfdx, const D& x) {
  return D(f, dfdx * x.tangent);
}

// f(x, y) with derivatives dfdx and dfdy.
template <DualNumber D>
[[gnu::always_inline]] inline D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx,
                                      const D& x, const typename D::Scalar& dfdy, const D& y) {
  if (!AllFinite(dfdx) || !AllFinite(dfdy)) [[unlikely]]
    return D(f, Moving(dfdx, x.tangent) + Moving(dfdy, y.tangent));
  return D(f, Combine(dfdx, x.tangent, dfdy, y.tangent));
}

// (t - q u) / w where 1 / w or q is not finite: not what does not move.
template <class T, class Tangent>
[[gnu::noinline, gnu::cold]] Tangent MovingQuotient(const T& w, Tangent t, const T& q,
                                                    const Tangent& u) {
  Tangent change = t + Moving(T(-q), u);
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

// (v + t e) / (w + u e) = q + (t - q u) / w e, q = v / w. 1 / w may be infinite where w is not 0.
template <class A, class B>
requires DualPair<A, B>
[[gnu::always_inline]] inline Promoted<A, B> operator/(const A& a, const B& b) {
  if constexpr (std::same_as<A, B>) {
    using T = typename A::Scalar;
    const T quotient = a.value / b.value;
    const T inverse = T(1) / b.value;
    if (!AllFinite(inverse)) [[unlikely]]
      return A(quotient, MovingQuotient(b.value, a.tangent, quotient, b.tangent));
    return A(quotient, ScaledDifference(inverse, a.tangent, quotient, b.tangent));
  } else if constexpr (kDepth<A> > kDepth<B>) {
    using T = typename A::Scalar;
    const auto c = Constant<A>(b);
    const auto inverse = Real<A>(1) / c;
    if (!AllFinite(inverse)) [[unlikely]]
      return A(a.value / c, MovingQuotient(T(c), a.tangent, T(0), typename A::Tangent{}));
    return A(a.value / c, inverse * a.tangent);
  } else {
    using T = typename B::Scalar;
    const T quotient = Constant<B>(a) / b.value;
    const T slope = -quotient / b.value;
    if (!AllFinite(slope)) [[unlikely]]
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
