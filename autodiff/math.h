#ifndef COTANGENT_AUTODIFF_MATH_H_
#define COTANGENT_AUTODIFF_MATH_H_

// Defines functions that machine learning needs and <cmath> lacks (sigmoid, relu, logsumexp, ...),
// for plain floating-point numbers (digamma and polygamma: for `double`). For the scalars that
// compute derivatives, the same names call the rules that those scalars define.
//
// To be differentiated in every mode (numeric, forward, reverse, symbolic), a function is written
// once as a template over its scalar type. The template imports the names of this file and calls
// them unqualified:
//
//   template <class T>
//   T Score(const T& x, const T& y) {
//     using namespace cotangent::autodiff::functions;
//     return cos(x) * cos(y) + sigmoid(y);
//   }
//
// The using directive also brings in the functions of <cmath> for plain numbers. The scalars that
// compute derivatives (forward::Dual, forward::Taylor, reverse::Var, ...) overload the names of
// <cmath> in their own namespaces, as numbers of other libraries do, so `using std::cos;` is enough
// to call those overloads. The names in the table below are not found by argument-dependent lookup,
// but only by a using directive or qualified: if a program has its own template named `sigmoid` and
// calls it with our scalars, that template is called.
//
// value_of(x) is the plain number in x, without its derivatives. Comparisons of scalars are decided
// by this number.
//
// The table holds in forward, reverse and symbolic mode. (Numeric mode takes differences of values:
// across a kink or a jump they give other numbers, if any.) y stands for the function's value; Phi
// and phi are the distribution function and the density of the standard normal distribution. A kink
// is a point where the derivatives from the left and from the right differ; the last column gives
// the derivative used there.
//
//   function            value                               derivative              at its kink
//   sqr(x)              x x                                 2 x
//   sign(x)             -1, 0, 1                            0                       0 at 0 (a jump)
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
//   logsumexp(a, b)     ln(e^a + e^b)                       sigmoid(a - b), sigmoid(b - a); equal
//                                                           infinities share it
//   digamma(x)          d/dx ln |Gamma(x)|                  polygamma(1, x)
//   polygamma(n, x)     (d/dx)^(n+1) ln |Gamma(x)|          polygamma(n + 1, x)
//
// Functions of <cmath> have these derivatives at their kinks: abs(x) has derivative sign(x), so 0
// at 0; hypot has gradient 0 at the origin; max, min, fmax and fmin use the derivative of their
// first argument if both are equal; clamp(x, low, high) uses the derivative of x on the bounds;
// floor, ceil, round, trunc, rint and nearbyint have derivative 0 everywhere. The derivatives of
// fmod(x, y) by x and by y are 1 and -trunc(x / y), those of remainder(x, y) the same with the
// nearest integer to x / y; those of copysign(x, y) are sign(x) copysign(1, y) and 0. At the edge
// of a function's domain, the derivative is the limit from inside (sqrt'(0) = +inf, log'(0) = +inf,
// acos'(1) = -inf); outside the domain it is NaN. The derivative of pow(0, y) by its base is 0 for
// y > 1, 1 for y = 1, +inf for 0 < y < 1 and 0 for y = 0; its derivative by y is 0 for y > 0.
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
#include <utility>

namespace cotangent::autodiff {

// Constants of the tanh approximation of GELU: sqrt(2 / pi), and the coefficient of x^3.
inline constexpr double kGeluTanhScale = 0.79788456080286535588;
inline constexpr double kGeluTanhCubic = 0.044715;

// The macros COTANGENT_COMPARING_FUNCTIONS and COTANGENT_ROUNDING_FUNCTIONS define, for a scalar
// that computes derivatives, the functions of <cmath> that compare two numbers, and those that
// round to an integer type, in terms of the scalar's operators and its round and rint. Pair<A, B>
// and One<A> are concepts that tell which operands are accepted.
#define COTANGENT_COMPARING_FUNCTION(Pair, name, outcome) \
  template <class A, class B>                             \
  requires Pair<A, B>                                     \
  bool name(const A& a, const B& b) { return outcome; }
#define COTANGENT_COMPARING_FUNCTIONS(Pair)                      \
  COTANGENT_COMPARING_FUNCTION(Pair, isgreater, a > b)           \
  COTANGENT_COMPARING_FUNCTION(Pair, isgreaterequal, a >= b)     \
  COTANGENT_COMPARING_FUNCTION(Pair, isless, a < b)              \
  COTANGENT_COMPARING_FUNCTION(Pair, islessequal, a <= b)        \
  COTANGENT_COMPARING_FUNCTION(Pair, islessgreater, a<b || a> b) \
  COTANGENT_COMPARING_FUNCTION(Pair, isunordered, !(a <= b) && !(a > b))
// `noted` compares the rounded number, as a scalar, with the integer. A reverse::Program (a
// recorded function that is evaluated again at other points) records this comparison, and reports
// points at which the integer differs.
#define COTANGENT_ROUNDING_FUNCTION(One, type, name, rounded) \
  template <One A>                                            \
  type name(const A& a) {                                     \
    const auto whole = functions::value_of(rounded(a));       \
    [[maybe_unused]] const bool noted = rounded(a) == whole;  \
    return std::name(whole);                                  \
  }
#define COTANGENT_ROUNDING_FUNCTIONS(One)                     \
  COTANGENT_ROUNDING_FUNCTION(One, long, lround, round)       \
  COTANGENT_ROUNDING_FUNCTION(One, long long, llround, round) \
  COTANGENT_ROUNDING_FUNCTION(One, long, lrint, rint)         \
  COTANGENT_ROUNDING_FUNCTION(One, long long, llrint, rint)

namespace functions {

template <std::floating_point T>
constexpr T sqr(T x) {
  return x * x;
}

template <std::floating_point T>
constexpr T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;  // keeps NaN and the sign of zero
}

// Both branches take exp of a number that is not positive, so neither overflows.
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
  if (std::isinf(x)) return x > 0 ? 1 : -1;
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

// Computes x Phi(x). Phi, the normal distribution function, is written in erfc, which keeps all
// digits where Phi is small.
template <std::floating_point T>
T gelu(T x) {
  if (std::isinf(x)) return x > 0 ? x : T(0);
  return x * (T(0.5) * std::erfc(-x * (std::numbers::sqrt2_v<T> / 2)));
}

// Computes x/2 (1 + tanh(u)), where u = sqrt(2 / pi) (x + 0.044715 x^3), as x sigmoid(2 u), since
// 1 + tanh(u) loses digits by cancellation for negative u.
template <std::floating_point T>
T gelu_tanh(T x) {
  if (std::isinf(x)) return x > 0 ? x : T(0);
  return x * sigmoid(T(2 * kGeluTanhScale) * (x + T(kGeluTanhCubic) * x * x * x));
}

template <std::floating_point T>
T silu(T x) {
  if (std::isinf(x)) return x > 0 ? x : T(0);
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

// Returns ln(sum of e^xi over all i): minus infinity for an empty span, NaN if an xi is NaN.
template <std::floating_point T>
T logsumexp(std::span<const T> x) {
  T high = -std::numeric_limits<T>::infinity();
  for (const T& xi : x) high = xi > high || std::isnan(xi) ? xi : high;
  if (!std::isfinite(high)) return high;
  T sum = 0;
  for (const T& xi : x) sum += std::exp(xi - high);
  return high + std::log(sum);
}

// Returns ln |Gamma(x)|. Unlike std::lgamma it writes no global variable, so threads do not race.
template <std::floating_point T>
T lgamma(T x) {
  int sign;
  if constexpr (std::same_as<T, float>) {
    return ::lgammaf_r(x, &sign);
  } else if constexpr (std::same_as<T, double>) {
    return ::lgamma_r(x, &sign);
  } else {
    return ::lgammal_r(x, &sign);
  }
}

template <class T>
requires std::is_arithmetic_v<T>
constexpr T value_of(T x) { return x; }

// Returns the polygamma function psi_n(x) for n >= 0, and NaN for n < 0 and at its poles 0, -1, -2,
// ... The recurrence psi_n(x) = psi_n(x + 1) - (-1)^n n! / x^(n+1) raises x until the asymptotic
// series is accurate (Abramowitz and Stegun, Handbook of Mathematical Functions, 6.4.11); for
// x < -20 the reflection formula (6.4.7) is used.
double polygamma(int n, double x);
inline double digamma(double x) { return polygamma(0, x); }

// ---- The same names for the scalars that compute derivatives ----
//
// For such a scalar, each function template below calls CotangentApply(rule::name(), x...), which
// the scalar's own namespace defines; the first argument selects the function. The hook is called
// CotangentApply, not `sigmoid`, so that it does not collide with a program's own function of that
// name.

namespace rule {
struct sqr {};
struct sign {};
struct sigmoid {};
struct softplus {};
struct softsign {};
struct relu {};
struct leaky_relu {};
struct elu {};
struct gelu {};
struct gelu_tanh {};
struct silu {};
struct hard_swish {};
struct logsumexp {};
struct digamma {};
struct polygamma {};
struct value_of {};
}  // namespace rule

#define COTANGENT_ASK(name)                                                       \
  template <class X>                                                              \
  requires requires(X && x) { CotangentApply(rule::name(), std::forward<X>(x)); } \
  [[gnu::always_inline]] inline decltype(auto) name(X&& x) {                      \
    return CotangentApply(rule::name(), std::forward<X>(x));                      \
  }
COTANGENT_ASK(sqr)
COTANGENT_ASK(sign)
COTANGENT_ASK(sigmoid)
COTANGENT_ASK(softplus)
COTANGENT_ASK(softsign)
COTANGENT_ASK(relu)
COTANGENT_ASK(gelu)
COTANGENT_ASK(gelu_tanh)
COTANGENT_ASK(silu)
COTANGENT_ASK(hard_swish)
COTANGENT_ASK(digamma)
COTANGENT_ASK(value_of)
#undef COTANGENT_ASK

template <class X>
requires requires(X&& x) { CotangentApply(rule::leaky_relu(), std::forward<X>(x), 0.5); }
[[gnu::always_inline]] inline auto leaky_relu(X&& x, double slope) {
  return CotangentApply(rule::leaky_relu(), std::forward<X>(x), slope);
}
template <class X>
requires requires(X&& x) { CotangentApply(rule::elu(), std::forward<X>(x), 0.5); }
[[gnu::always_inline]] inline auto elu(X&& x, double alpha = 1) {
  return CotangentApply(rule::elu(), std::forward<X>(x), alpha);
}
template <class X>
requires requires(X&& x) { CotangentApply(rule::polygamma(), 0, std::forward<X>(x)); }
[[gnu::always_inline]] inline auto polygamma(int n, X&& x) {
  return CotangentApply(rule::polygamma(), n, std::forward<X>(x));
}
template <class A, class B>
requires requires(A&& a, B&& b) {
  CotangentApply(rule::logsumexp(), std::forward<A>(a), std::forward<B>(b));
}
[[gnu::always_inline]] inline auto logsumexp(A&& a, B&& b) {
  return CotangentApply(rule::logsumexp(), std::forward<A>(a), std::forward<B>(b));
}
template <class X>
requires requires(std::span<const X> x) { CotangentApply(rule::logsumexp(), x); }
auto logsumexp(std::span<const X> x) { return CotangentApply(rule::logsumexp(), x); }

using std::abs, std::fabs, std::sqrt, std::cbrt, std::hypot, std::pow, std::fma, std::lerp;
using std::acos, std::asin, std::atan, std::atan2, std::cos, std::sin, std::tan;
using std::acosh, std::asinh, std::atanh, std::cosh, std::sinh, std::tanh;
using std::ceil, std::floor, std::nearbyint, std::rint, std::round, std::trunc;
using std::clamp, std::max, std::min;
using std::copysign, std::fdim, std::fmax, std::fmin, std::fmod, std::remainder;
using std::erf, std::erfc, std::tgamma;
using std::exp, std::exp2, std::expm1, std::log, std::log10, std::log1p, std::log2;
using std::fpclassify, std::isfinite, std::isinf, std::isnan, std::isnormal, std::signbit;
using std::frexp, std::ilogb, std::ldexp, std::logb, std::modf, std::nextafter, std::scalbn;
using std::isgreater, std::isgreaterequal, std::isless, std::islessequal, std::islessgreater;
using std::isunordered, std::llrint, std::llround, std::lrint, std::lround;

}  // namespace functions

// Makes functions::sigmoid and the others visible as autodiff::sigmoid. A using directive is right
// here, because argument-dependent lookup ignores it. Using declarations would let that lookup find
// the names in programs that did not ask for them.
using namespace functions;  // NOLINT

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_MATH_H_
