#ifndef COTANGENT_AUTODIFF_MATH_H_
#define COTANGENT_AUTODIFF_MATH_H_

// The functions that <cmath> lacks and machine learning wants, for the plain numbers `float` and
// `double`.
//
// A function written once for every way of differentiating it is a template over its scalar. It
// brings the names of the plain functions into scope and calls them unqualified, so that plain
// numbers find them here and in <cmath>, and the scalars of the derivatives (forward::Dual,
// reverse::Var, ...) find their own overloads in their own namespace:
//
//   template <class T>
//   T Score(const T& x, const T& y) {
//     using std::cos;
//     using cotangent::autodiff::sigmoid;
//     return cos(x) * cos(y) + sigmoid(y);
//   }
//
// `using namespace cotangent::autodiff::functions;` brings in all of them at once, those of <cmath>
// included.
//
// The same table holds in every mode. y stands for the function's value.
//
//   function            value                               derivative              at its kink
//   sqr(x)              x x                                 2 x
//   sign(x)             -1, 0, 1                            0                       0 at 0
//   sigmoid(x)          1 / (1 + e^-x)                      y sigmoid(-x), which does not cancel
//   softplus(x)         ln(1 + e^x)                         sigmoid(x)
//   softsign(x)         x / (1 + |x|)                       1 / (1 + |x|)^2
//   relu(x)             max(x, 0)                           x > 0 ? 1 : 0           0 at 0
//   leaky_relu(x, s)    x > 0 ? x : s x                     x > 0 ? 1 : s           s at 0
//   elu(x, a)           x > 0 ? x : a (e^x - 1)             x > 0 ? 1 : a e^x       a at 0
//   gelu(x)             x Phi(x)                            Phi(x) + x phi(x)
//   gelu_tanh(x)        x/2 (1 + tanh(c (x + 0.044715 x^3))), c = sqrt(2 / pi)
//   silu(x)             x sigmoid(x)                        sigmoid(x) (1 + x sigmoid(-x))
//   hard_swish(x)       x min(max(x + 3, 0), 6) / 6         (2 x + 3) / 6 inside    0 at -3, 1 at 3
//   logsumexp(a, b)     ln(e^a + e^b)                       sigmoid(a - b), sigmoid(b - a)
//   digamma(x)          d/dx ln Gamma(x)                    polygamma(1, x)
//   polygamma(n, x)     (d/dx)^(n+1) ln Gamma(x)            polygamma(n + 1, x)
//
// and of <cmath>, at their kinks: abs(x) has derivative sign(x), so 0 at 0; hypot has gradient 0 at
// the origin, being the abs of two dimensions; max, min, fmax and fmin pass the derivative of their
// first argument on a tie; clamp(x, low, high) passes x's on the bounds; floor, ceil, round, trunc,
// rint and nearbyint have derivative 0 everywhere; fmod(x, y) has (1, -trunc(x / y)), remainder(x,
// y) the same with the nearest integer; copysign(x, y) has sign(x) sign(y) by x and 0 by y. At the
// edge of a domain derivatives are the one-sided limits (sqrt'(0) = +inf, log'(0) = +inf, acos'(1)
// = -inf), and outside it NaN. pow(0, y) has derivative by x: 0 for y > 1, 1 for y = 1, +inf for 0
// < y < 1, 0 for y = 0; by y: 0 for y > 0.
//
// Sources: GELU, Hendrycks and Gimpel (2016), arXiv:1606.08415; SiLU, Elfwing et al. (2018),
// arXiv:1702.03118; hard-swish, Howard et al. (2019), arXiv:1905.02244; ELU, Clevert et al. (2016),
// arXiv:1511.07289; softsign, Bergstra et al. (2009).

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>

namespace cotangent::autodiff {

// sqrt(2 / pi) and the cubic's coefficient in the tanh form of GELU.
inline constexpr double kGeluTanhScale = 0.79788456080286535588;
inline constexpr double kGeluTanhCubic = 0.044715;

template <std::floating_point T>
constexpr T sqr(T x) {
  return x * x;
}

template <std::floating_point T>
constexpr T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;  // keeps NaN and the sign of zero
}

// Neither branch overflows nor cancels.
template <std::floating_point T>
T sigmoid(T x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const T e = std::exp(x);
  return e / (1 + e);
}

template <std::floating_point T>
T softplus(T x) {
  return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}

template <std::floating_point T>
T softsign(T x) {
  return x / (1 + std::abs(x));
}

template <std::floating_point T>
T relu(T x) {
  return x < 0 ? T(0) : x;
}

template <std::floating_point T>
T leaky_relu(T x, std::type_identity_t<T> slope) {
  return x > 0 ? x : slope * x;
}

template <std::floating_point T>
T elu(T x, std::type_identity_t<T> alpha = 1) {
  return x > 0 ? x : alpha * std::expm1(x);
}

// Phi is written with erfc, which keeps its digits where Phi is small.
template <std::floating_point T>
T gelu(T x) {
  return x * (T(0.5) * std::erfc(-x * (std::numbers::sqrt2_v<T> / 2)));
}

// (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel for negative u.
template <std::floating_point T>
T gelu_tanh(T x) {
  return x * sigmoid(T(2 * kGeluTanhScale) * (x + T(kGeluTanhCubic) * x * x * x));
}

template <std::floating_point T>
T silu(T x) {
  return x * sigmoid(x);
}

template <std::floating_point T>
T hard_swish(T x) {
  if (x <= -3) return 0;
  return x >= 3 ? x : x * (x + 3) / 6;
}

template <std::floating_point T>
T logsumexp(T a, std::type_identity_t<T> b) {
  const T high = a < b ? b : a;
  if (std::isinf(high)) return high;
  return high + std::log1p(std::exp(-std::abs(a - b)));
}

// ln(sum e^xi); minus infinity for no terms.
template <std::floating_point T>
T logsumexp(std::span<const T> x) {
  T high = -std::numeric_limits<T>::infinity();
  for (const T& xi : x) high = xi > high || std::isnan(xi) ? xi : high;
  if (!std::isfinite(high)) return high;
  T sum = 0;
  for (const T& xi : x) sum += std::exp(xi - high);
  return high + std::log(sum);
}

// psi_n(x) for n >= 0: the asymptotic series (Abramowitz and Stegun 6.4.11) after the recurrence
// psi_n(x) = psi_n(x + 1) - (-1)^n n! / x^(n+1) has raised x; for x < 0 the recurrence walks up to
// the positive side. NaN at the poles 0, -1, -2, ...
double polygamma(int n, double x);
inline double digamma(double x) { return polygamma(0, x); }

namespace functions {

using autodiff::digamma;
using autodiff::elu;
using autodiff::gelu;
using autodiff::gelu_tanh;
using autodiff::hard_swish;
using autodiff::leaky_relu;
using autodiff::logsumexp;
using autodiff::polygamma;
using autodiff::relu;
using autodiff::sigmoid;
using autodiff::sign;
using autodiff::silu;
using autodiff::softplus;
using autodiff::softsign;
using autodiff::sqr;

using std::abs, std::fabs, std::sqrt, std::cbrt, std::hypot, std::pow, std::fma;
using std::acos, std::asin, std::atan, std::atan2, std::cos, std::sin, std::tan;
using std::acosh, std::asinh, std::atanh, std::cosh, std::sinh, std::tanh;
using std::ceil, std::floor, std::nearbyint, std::rint, std::round, std::trunc;
using std::copysign, std::fdim, std::fmax, std::fmin, std::fmod, std::max, std::min, std::remainder;
using std::erf, std::erfc, std::lgamma, std::tgamma;
using std::exp, std::exp2, std::expm1, std::log, std::log10, std::log1p, std::log2;
using std::isfinite, std::isinf, std::isnan, std::signbit;

}  // namespace functions
}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_MATH_H_
