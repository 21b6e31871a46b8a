#ifndef COTANGENT_AUTODIFF_FORWARD_SLOPES_H_
#define COTANGENT_AUTODIFF_FORWARD_SLOPES_H_

// Computes the derivatives ("slopes") of functions, with any scalar: plain numbers, dual numbers
// (for second and higher derivatives) and Taylor series. Function slope::F(x) returns the
// derivative of the function f (Tanh: of tanh) at x; the comment beside it is its formula. Include
// autodiff/forward/dual.h, not this file.
//
// Each slope is exact to a few roundings on its function's whole domain, for float and double
// (where a slope is a sum that cancels, as gelu' is near -0.75, relative to the terms of that sum).
// For higher derivatives, slopes are differentiated themselves, so each is smooth wherever its
// function is. Hence three rules:
//
//   - nothing subtracts nearly equal rounded numbers: near 1, use (1 - x)(1 + x), not 1 - x^2;
//   - nothing overflows where the result does not: for |x| > 1, 1 / (1 + x^2) is u^2 / (1 + u^2)
//     with u = 1 / x; for large |x|, tanh' is 4 e / (1 + e)^2 with e = e^(-2 |x|), since in
//     1 / cosh^2 cosh overflows;
//   - |x| is written as two branches where the slope is smooth at 0: abs has no second derivative
//     there, but sech^2 has. And a slope that is even in x uses an even formula near 0: its own
//     derivative does not cancel.
//
// "x + 0" turns a negative zero into a positive one, so that the derivative at the edge of a domain
// is the limit from inside.

#include <cmath>
#include <limits>
#include <numbers>

#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

template <class A>
struct RealOf;

namespace slope {

using namespace functions;  // NOLINT

template <class T>
using Real = typename RealOf<T>::type;
template <class T>
inline constexpr Real<T> kNaN = std::numeric_limits<Real<T>>::quiet_NaN();

template <class T>
T Log(const T& x) {  // 1 / x, for x >= 0
  if (x < 0) return T(kNaN<T>);
  return T(Real<T>(1) / (x + Real<T>(0)));
}
template <class T>
T Log1p(const T& x) {  // 1 / (1 + x), for x >= -1
  if (x < -1) return T(kNaN<T>);
  return T(Real<T>(1) / (Real<T>(1) + x));
}

// Returns 1 - x^2: for |x| >= 1/2 as a product, since the subtraction would lose digits near 1.
template <class T>
T OneLessSquare(const T& x) {
  if (x < 0.5 && x > -0.5) return T(Real<T>(1) - x * x);
  return T((Real<T>(1) - x) * (Real<T>(1) + x));
}
template <class T>
T Asin(const T& x) {  // 1 / sqrt(1 - x^2)
  return T(Real<T>(1) / sqrt(OneLessSquare(x)));
}
template <class T>
T Atan(const T& x) {  // 1 / (1 + x^2)
  if (x <= 1 && x >= -1) return T(Real<T>(1) / (Real<T>(1) + x * x));
  const T u = Real<T>(1) / x;
  return T(u * u / (Real<T>(1) + u * u));
}

// Returns 1 / cosh(x)^2. From |x| = kFar on, where the tenth power of cosh(x) would overflow
// (higher derivatives contain such powers), computes this as 4 e / (1 + e)^2 with e = e^(-2 |x|).
template <class T>
T SquaredSecant(const T& x) {
  constexpr Real<T> kFar = std::numeric_limits<Real<T>>::max_exponent * Real<T>(0.08);
  if (x < kFar && x > -kFar) {
    const T secant = Real<T>(1) / cosh(x);
    return T(secant * secant);
  }
  const T e = exp(x > 0 ? T(Real<T>(-2) * x) : T(Real<T>(2) * x));
  const T d = Real<T>(1) + e;
  return T(Real<T>(4) * e / (d * d));
}
template <class T>
T Tanh(const T& x) {  // 1 / cosh^2
  return SquaredSecant(x);
}
template <class T>
T Asinh(const T& x) {  // 1 / sqrt(1 + x^2); for large |x|, where 1 + x^2 rounds to x^2, 1 / |x|
  constexpr Real<T> kLarge = 1 / std::numeric_limits<Real<T>>::epsilon();
  if (x > kLarge) return T(Real<T>(1) / x);
  if (x < -kLarge) return T(Real<T>(-1) / x);
  return T(Real<T>(1) / sqrt(Real<T>(1) + x * x));
}
template <class T>
T Acosh(const T& x) {  // 1 / sqrt((x - 1)(x + 1)), for x >= 1; below 1 sqrt(x - 1) is NaN
  return T(Real<T>(1) / (sqrt(x - Real<T>(1)) * sqrt(x + Real<T>(1))));
}
template <class T>
T Atanh(const T& x) {  // 1 / (1 - x^2), for |x| <= 1
  if (!(x <= 1 && x >= -1)) return T(kNaN<T>);
  return T(Real<T>(1) / OneLessSquare(x));
}

// Returns e^(-s x^2) for s = 1 or 1/2. If the exponent s x^2 is large, the rounding error of x^2 is
// visible in the result; the last factor corrects it. For |x| > 40 the result is the constant 0,
// since the value is too small for a double.
template <class T>
T Bell(const T& x, Real<T> s) {
  if (x > 40 || x < -40) return T(0);
  const auto v = value_of(x);
  const auto rest = std::fma(v, v, -(v * v));
  return T(exp(-s * (x * x)) * (Real<T>(1) - s * Real<T>(rest)));
}
template <class T>
T Erf(const T& x) {  // 2 / sqrt(pi) e^(-x^2)
  return T((2 * std::numbers::inv_sqrtpi_v<Real<T>>)*Bell(x, Real<T>(1)));
}
template <class T>
T Gelu(const T& x) {  // Phi(x) + x phi(x): normal distribution function Phi and its density phi
  using R = Real<T>;
  if (std::isinf(value_of(x))) return T(x > 0 ? 1 : 0);
  const T cumulative = R(0.5) * erfc(x * (-std::numbers::sqrt2_v<R> / 2));
  const T density = (std::numbers::inv_sqrtpi_v<R> / std::numbers::sqrt2_v<R>)*Bell(x, R(0.5));
  return T(cumulative + x * density);
}

template <class T>
T Sigmoid(const T& x) {  // sigmoid(x) sigmoid(-x), which is even: 1 / (2 cosh(x / 2))^2
  return T(Real<T>(0.25) * SquaredSecant(T(Real<T>(0.5) * x)));
}
// Returns the derivative of x s for s = sigmoid(u) and u = c (x + k x^3), which is s + x s
// sigmoid(-u) u'. For |x| > 40, s is 0 or 1 to the last bit, and u' could overflow.
template <class T>
T GeluTanh(const T& x) {
  using R = Real<T>;
  if (x > 40) return T(1);
  if (x < -40) return T(0);
  const R c = R(2 * kGeluTanhScale), k = R(kGeluTanhCubic);
  const T u = c * (x + k * x * x * x);
  const T s = sigmoid(u);
  return T(s + x * s * sigmoid(T(-u)) * (c * (R(1) + 3 * k * (x * x))));
}
template <class T>
T Silu(const T& x) {  // s (1 + x sigmoid(-x)), s = sigmoid(x)
  if (std::isinf(value_of(x))) return T(x > 0 ? 1 : 0);
  return T(sigmoid(x) * (Real<T>(1) + x * sigmoid(T(-x))));
}
template <class T>
T Softsign(const T& x) {  // 1 / (1 + |x|)^2
  const T inverse = Real<T>(1) / (Real<T>(1) + abs(x));
  return T(inverse * inverse);
}

// Returns x / (x^2 + y^2), the building block of atan2's gradient: 0 if x or y is infinite. If the
// sum of squares could overflow or vanish, here or in the next derivatives, x and y are first
// divided by the larger of |x| and |y|.
template <class T>
T OverSquaredLength(const T& x, const T& y) {
  using R = Real<T>;
  constexpr int kExponent = std::numeric_limits<R>::max_exponent / 5;
  const R high = R(std::ldexp(1.0, kExponent)), low = R(std::ldexp(1.0, -kExponent));
  const T square = x * x + y * y;
  if (square > low && square < high) return T(x / square);
  const auto size = std::max(std::abs(value_of(x)), std::abs(value_of(y)));
  if (std::isinf(size)) return T(0);
  const T u = x / R(size), v = y / R(size);
  return T(u / (u * u + v * v) / R(size));
}

}  // namespace slope
}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_SLOPES_H_
