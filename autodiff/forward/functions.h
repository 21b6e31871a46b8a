#ifndef COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_

// The functions of <cmath> and of autodiff/math.h for dual numbers. Include
// autodiff/forward/dual.h, not this file.
//
// Each is its chain rule and nothing else: f(v + t e) = f(v) + f'(v) t e, written Chain(f(v),
// f'(v), x). Every rule computes in T, which may be a dual number itself, so it has to be smooth
// wherever the function is: tanh' is 1 / cosh^2, and not a form with |x| that would be wrong once
// differentiated again. And no rule subtracts nearly equal numbers.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

// The functions of the innermost plain numbers; those of nested duals are found by their argument.
using autodiff::digamma, autodiff::polygamma, autodiff::sign, autodiff::sqr;
using autodiff::elu, autodiff::gelu, autodiff::gelu_tanh, autodiff::hard_swish,
    autodiff::leaky_relu, autodiff::logsumexp;
using autodiff::relu, autodiff::sigmoid, autodiff::silu, autodiff::softplus, autodiff::softsign;
using std::abs, std::fabs, std::sqrt, std::cbrt, std::hypot, std::pow, std::fma, std::lerp;
using std::acos, std::asin, std::atan, std::atan2, std::cos, std::sin, std::tan;
using std::acosh, std::asinh, std::atanh, std::cosh, std::sinh, std::tanh;
using std::ceil, std::floor, std::nearbyint, std::rint, std::round, std::trunc;
using std::copysign, std::fdim, std::fmax, std::fmin, std::fmod, std::max, std::min, std::remainder;
using std::erf, std::erfc, std::lgamma, std::tgamma;
using std::exp, std::exp2, std::expm1, std::log, std::log10, std::log1p, std::log2, std::logb,
    std::ilogb;
using std::fpclassify, std::isfinite, std::isinf, std::isnan, std::isnormal, std::signbit;
using std::frexp, std::ldexp, std::modf, std::nextafter, std::scalbn;

// ---- Absolute value, powers, roots ----

template <DualNumber D>
D abs(const D& x) {  // |x|' = sign(x)
  return Chain<D>(abs(x.value), sign(x.value), x);
}

template <DualNumber D>
D fabs(const D& x) {
  return abs(x);
}

template <DualNumber D>
D sqr(const D& x) {  // (x^2)' = 2 x
  return Chain<D>(x.value * x.value, x.value + x.value, x);
}

template <DualNumber D>
D sqrt(const D& x) {  // sqrt'(x) = 1 / (2 sqrt(x))
  const typename D::Scalar root = sqrt(x.value);
  return Chain<D>(root, Real<D>(0.5) / root, x);
}

template <DualNumber D>
D cbrt(const D& x) {  // cbrt'(x) = 1 / (3 cbrt(x)^2)
  const typename D::Scalar root = cbrt(x.value);
  return Chain<D>(root, Real<D>(1) / (Real<D>(3) * (root * root)), x);
}

// x^n for a constant n: (x^n)' = n x^(n-1).
template <DualNumber D, class S>
requires std::is_arithmetic_v<S> D pow(const D& x, S n) {
  const Real<D> exponent = static_cast<Real<D>>(n);
  if (exponent == 0) return D(1);
  return Chain<D>(pow(x.value, exponent), exponent * pow(x.value, exponent - 1), x);
}

// b^y for a constant b: (b^y)' = ln(b) b^y.
template <class S, DualNumber D>
requires std::is_arithmetic_v<S> D pow(S b, const D& y) {
  const Real<D> base = static_cast<Real<D>>(b);
  const typename D::Scalar power = pow(base, y.value);
  if (base == 0 && y > 0) return D(power);
  return Chain<D>(power, log(base) * power, y);
}

template <DualNumber D>
bool IsConstant(const D& x) {
  for (int i = 0; i < x.tangent.size(); ++i) {
    if constexpr (kDepth < D >> 1) {
      if (!(x.tangent[i] == 0) || !IsConstant(x.tangent[i])) return false;
    } else {
      if (!(x.tangent[i] == 0)) return false;
    }
  }
  if constexpr (kDepth < D >> 1) return IsConstant(x.value);
  return true;
}

// x^y: y x^(y-1) by x, ln(x) x^y by y. Where y is constant its derivative, NaN for negative x, is
// left out.
template <class A, class B>
requires(DualNumber<A>&& DualNumber<B>&& DualPair<A, B>) Promoted<A, B> pow(const A& a,
                                                                            const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  if (IsConstant(y)) return pow(x, ValueOf(y));
  const typename D::Scalar power = pow(x.value, y.value);
  typename D::Scalar by_x = y.value * pow(x.value, y.value - Real<D>(1));
  typename D::Scalar by_y = log(x.value) * power;
  if (x == 0 && y == 0) by_x = Real<D>(0);
  if (x == 0 && y > 0) by_y = Real<D>(0);
  return Chain<D>(power, by_x, x, by_y, y);
}

// hypot has gradient (x, y) / hypot(x, y), and 0 at the origin.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> hypot(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const typename D::Scalar length = hypot(x.value, y.value);
  if (length == 0) return D(length);
  return Chain<D>(length, x.value / length, x, y.value / length, y);
}

template <DualNumber D>
D hypot(const D& x, const D& y, const D& z) {
  return hypot(hypot(x, y), z);
}

template <class A, class B, class C>
requires(DualPair<A, B>&& DualPair<Promoted<A, B>, C>) Promoted<Promoted<A, B>, C> fma(const A& a,
                                                                                       const B& b,
                                                                                       const C& c) {
  return a * b + c;
}

template <DualNumber D>
D lerp(const D& a, const D& b, const D& t) {
  return a + t * (b - a);
}

// ---- Exponentials and logarithms ----

template <DualNumber D>
D exp(const D& x) {  // exp' = exp
  const typename D::Scalar y = exp(x.value);
  return Chain<D>(y, y, x);
}

template <DualNumber D>
D exp2(const D& x) {  // (2^x)' = ln(2) 2^x
  const typename D::Scalar y = exp2(x.value);
  return Chain<D>(y, std::numbers::ln2_v<Real<D>> * y, x);
}

template <DualNumber D>
D expm1(const D& x) {  // (e^x - 1)' = e^x
  return Chain<D>(expm1(x.value), exp(x.value), x);
}

template <DualNumber D>
D log(const D& x) {  // ln'(x) = 1 / x, for x >= 0
  return Chain<D>(
      log(x.value),
      x < 0 ? typename D::Scalar(std::numeric_limits<Real<D>>::quiet_NaN()) : Real<D>(1) / x.value,
      x);
}

template <DualNumber D>
D log2(const D& x) {  // 1 / (x ln 2)
  return log(x) * (1 / std::numbers::ln2_v<Real<D>>);
}

template <DualNumber D>
D log10(const D& x) {  // 1 / (x ln 10)
  return log(x) * (1 / std::numbers::ln10_v<Real<D>>);
}

template <DualNumber D>
D log1p(const D& x) {  // ln(1 + x)' = 1 / (1 + x), for x >= -1
  return Chain<D>(log1p(x.value),
                  x < -1 ? typename D::Scalar(std::numeric_limits<Real<D>>::quiet_NaN())
                         : Real<D>(1) / (Real<D>(1) + x.value),
                  x);
}

// ---- Trigonometric functions ----

template <DualNumber D>
D sin(const D& x) {  // sin' = cos
  return Chain<D>(sin(x.value), cos(x.value), x);
}

template <DualNumber D>
D cos(const D& x) {  // cos' = -sin
  return Chain<D>(cos(x.value), -sin(x.value), x);
}

template <DualNumber D>
D tan(const D& x) {  // tan' = 1 + tan^2
  const typename D::Scalar y = tan(x.value);
  return Chain<D>(y, Real<D>(1) + y * y, x);
}

template <DualNumber D>
D asin(const D& x) {  // asin'(x) = 1 / sqrt((1 - x)(1 + x))
  return Chain<D>(asin(x.value), Real<D>(1) / sqrt((Real<D>(1) - x.value) * (Real<D>(1) + x.value)),
                  x);
}

template <DualNumber D>
D acos(const D& x) {  // acos' = -asin'
  return Chain<D>(acos(x.value),
                  Real<D>(-1) / sqrt((Real<D>(1) - x.value) * (Real<D>(1) + x.value)), x);
}

template <DualNumber D>
D atan(const D& x) {  // atan'(x) = 1 / (1 + x^2)
  return Chain<D>(atan(x.value), Real<D>(1) / (Real<D>(1) + x.value * x.value), x);
}

// The angle of (x, y) has gradient (-y, x) / (x^2 + y^2); NaN at the origin, where there is no
// angle.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> atan2(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D y(a), x(b);
  const typename D::Scalar inverse = Real<D>(1) / (x.value * x.value + y.value * y.value);
  return Chain<D>(atan2(y.value, x.value), x.value * inverse, y, -y.value * inverse, x);
}

// ---- Hyperbolic functions ----

template <DualNumber D>
D sinh(const D& x) {  // sinh' = cosh
  return Chain<D>(sinh(x.value), cosh(x.value), x);
}

template <DualNumber D>
D cosh(const D& x) {  // cosh' = sinh
  return Chain<D>(cosh(x.value), sinh(x.value), x);
}

template <DualNumber D>
D tanh(const D& x) {  // tanh' = 1 / cosh^2
  const typename D::Scalar secant = Real<D>(1) / cosh(x.value);
  return Chain<D>(tanh(x.value), secant * secant, x);
}

template <DualNumber D>
D asinh(const D& x) {  // asinh'(x) = 1 / sqrt(1 + x^2)
  return Chain<D>(asinh(x.value), Real<D>(1) / sqrt(Real<D>(1) + x.value * x.value), x);
}

template <DualNumber D>
D acosh(const D& x) {  // acosh'(x) = 1 / sqrt((x - 1)(x + 1)), for x >= 1; NaN below, since sqrt(x
                       // - 1) is
  return Chain<D>(acosh(x.value),
                  Real<D>(1) / (sqrt(x.value - Real<D>(1)) * sqrt(x.value + Real<D>(1))), x);
}

template <DualNumber D>
D atanh(const D& x) {  // atanh'(x) = 1 / ((1 - x)(1 + x)), for |x| <= 1
  const typename D::Scalar y = atanh(x.value);
  if (isnan(y)) return D(y) * Real<D>(0) + D(std::numeric_limits<Real<D>>::quiet_NaN()) * x;
  return Chain<D>(y, Real<D>(1) / ((Real<D>(1) - x.value) * (Real<D>(1) + x.value)), x);
}

// ---- Error function and gamma function ----

template <DualNumber D>
D erf(const D& x) {  // erf'(x) = 2 / sqrt(pi) exp(-x^2)
  constexpr Real<D> kScale = 2 * std::numbers::inv_sqrtpi_v<Real<D>>;
  return Chain<D>(erf(x.value), kScale * exp(-(x.value * x.value)), x);
}

template <DualNumber D>
D erfc(const D& x) {  // erfc' = -erf'
  constexpr Real<D> kScale = -2 * std::numbers::inv_sqrtpi_v<Real<D>>;
  return Chain<D>(erfc(x.value), kScale * exp(-(x.value * x.value)), x);
}

template <DualNumber D>
D polygamma(int n, const D& x) {  // psi_n' = psi_(n+1)
  using T = typename D::Scalar;
  return Chain<D>(T(polygamma(n, x.value)), T(polygamma(n + 1, x.value)), x);
}

template <DualNumber D>
D digamma(const D& x) {
  return polygamma(0, x);
}

template <DualNumber D>
D lgamma(const D& x) {  // ln |Gamma(x)|' = digamma(x)
  return Chain<D>(lgamma(x.value), typename D::Scalar(polygamma(0, x.value)), x);
}

template <DualNumber D>
D tgamma(const D& x) {  // Gamma' = Gamma digamma
  const typename D::Scalar y = tgamma(x.value);
  return Chain<D>(y, y * typename D::Scalar(polygamma(0, x.value)), x);
}

// ---- Steps: derivative 0 ----

template <DualNumber D>
D sign(const D& x) {
  return D(sign(ValueOf(x)));
}
template <DualNumber D>
D floor(const D& x) {
  return D(floor(ValueOf(x)));
}
template <DualNumber D>
D ceil(const D& x) {
  return D(ceil(ValueOf(x)));
}
template <DualNumber D>
D trunc(const D& x) {
  return D(trunc(ValueOf(x)));
}
template <DualNumber D>
D round(const D& x) {
  return D(round(ValueOf(x)));
}
template <DualNumber D>
D rint(const D& x) {
  return D(rint(ValueOf(x)));
}
template <DualNumber D>
D nearbyint(const D& x) {
  return D(nearbyint(ValueOf(x)));
}
template <DualNumber D>
D logb(const D& x) {
  return D(logb(ValueOf(x)));
}
template <DualNumber D>
int ilogb(const D& x) {
  return ilogb(ValueOf(x));
}

// ---- Remainders, scaling, neighbours ----

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> fmod(
    const A& a,
    const B& b) {  // x - trunc(x / y) y; the quotient is found without rounding it to a neighbour
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const Real<D> rest = fmod(ValueOf(x), ValueOf(y));
  const Real<D> quotient = round((ValueOf(x) - rest) / ValueOf(y));
  D result = x - quotient * y;
  if constexpr (kDepth<D> == 1) result.value = rest;
  return result;
}

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> remainder(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const Real<D> rest = remainder(ValueOf(x), ValueOf(y));
  const Real<D> quotient = round((ValueOf(x) - rest) / ValueOf(y));
  D result = x - quotient * y;
  if constexpr (kDepth<D> == 1) result.value = rest;
  return result;
}

template <DualNumber D>
D ldexp(const D& x, int exponent) {
  return x * ldexp(Real<D>(1), exponent);
}
template <DualNumber D>
D scalbn(const D& x, int exponent) {
  return ldexp(x, exponent);
}

// x = m 2^exponent with 1/2 <= |m| < 1; m' = 2^-exponent.
template <DualNumber D>
D frexp(const D& x, int* exponent) {
  frexp(ValueOf(x), exponent);
  return ldexp(x, -*exponent);
}

// The fraction has x's derivative, the whole part none.
template <DualNumber D>
D modf(const D& x, D* whole) {
  *whole = trunc(x);
  return x - *whole;
}

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> copysign(
    const A& a, const B& b) {  // |x| with y's sign: sign(x) sign(y) by x
  using D = Promoted<A, B>;
  return abs(D(a)) * copysign(Real<D>(1), static_cast<Real<D>>(ValueOf(b)));
}

template <DualNumber D>
D nextafter(const D& x, const D& y) {
  return x + (nextafter(ValueOf(x), ValueOf(y)) - ValueOf(x));
}

// ---- The larger, the smaller: on a tie the first ----

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> max(const A& a, const B& b) {
  using D = Promoted<A, B>;
  return a < b ? D(b) : D(a);
}
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> min(const A& a, const B& b) {
  using D = Promoted<A, B>;
  return b < a ? D(b) : D(a);
}
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> fmax(const A& a, const B& b) {  // a NaN loses
  using D = Promoted<A, B>;
  return isnan(ValueOf(a)) || a < b ? D(b) : D(a);
}
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> fmin(const A& a, const B& b) {
  using D = Promoted<A, B>;
  return isnan(ValueOf(a)) || b < a ? D(b) : D(a);
}
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> fdim(
    const A& a, const B& b) {  // max(a - b, 0), with derivative 0 where a <= b
  using D = Promoted<A, B>;
  return a <= b ? D(0) : D(a - b);
}

// ---- Classification, by value ----

template <DualNumber D>
bool isfinite(const D& x) {
  return isfinite(ValueOf(x));
}
template <DualNumber D>
bool isinf(const D& x) {
  return isinf(ValueOf(x));
}
template <DualNumber D>
bool isnan(const D& x) {
  return isnan(ValueOf(x));
}
template <DualNumber D>
bool isnormal(const D& x) {
  return isnormal(ValueOf(x));
}
template <DualNumber D>
bool signbit(const D& x) {
  return signbit(ValueOf(x));
}
template <DualNumber D>
int fpclassify(const D& x) {
  return fpclassify(ValueOf(x));
}

// ---- Activations ----

template <DualNumber D>
D sigmoid(const D& x) {  // sigmoid'(x) = sigmoid(x) sigmoid(-x)
  const typename D::Scalar y = sigmoid(x.value);
  return Chain<D>(y, y * sigmoid(-x.value), x);
}

template <DualNumber D>
D softplus(const D& x) {  // ln(1 + e^x)' = sigmoid(x)
  return Chain<D>(softplus(x.value), sigmoid(x.value), x);
}

template <DualNumber D>
D softsign(const D& x) {  // (x / (1 + |x|))' = 1 / (1 + |x|)^2
  const typename D::Scalar inverse = Real<D>(1) / (Real<D>(1) + abs(x.value));
  return Chain<D>(x.value * inverse, inverse * inverse, x);
}

template <DualNumber D>
D relu(const D& x) {
  return x > 0 || isnan(x) ? x : D(0);
}

template <DualNumber D>
D leaky_relu(const D& x, std::type_identity_t<Real<D>> slope) {
  return x > 0 ? x : slope * x;
}

template <DualNumber D>
D elu(const D& x, std::type_identity_t<Real<D>> alpha = 1) {
  return x > 0 ? x : alpha * expm1(x);
}

template <DualNumber D>
D gelu(const D& x) {  // (x Phi(x))' = Phi(x) + x phi(x)
  using R = Real<D>;
  const typename D::Scalar& v = x.value;
  const typename D::Scalar cumulative = R(0.5) * erfc(v * (-std::numbers::sqrt2_v<R> / 2));
  const typename D::Scalar density =
      (std::numbers::inv_sqrtpi_v<R> / std::numbers::sqrt2_v<R>)*exp(R(-0.5) * (v * v));
  return Chain<D>(v * cumulative, cumulative + v * density, x);
}

// x s with s = sigmoid(u), u = 2 c (x + k x^3): s + x s sigmoid(-u) u'
template <DualNumber D>
D gelu_tanh(const D& x) {
  using R = Real<D>;
  const R c = R(2 * kGeluTanhScale), k = R(kGeluTanhCubic);
  const typename D::Scalar& v = x.value;
  const typename D::Scalar square = v * v;
  const typename D::Scalar u = c * (v + k * (square * v));
  const typename D::Scalar s = sigmoid(u);
  return Chain<D>(v * s, s + v * s * sigmoid(-u) * (c * (R(1) + 3 * k * square)), x);
}

template <DualNumber D>
D silu(const D& x) {  // (x s)' = s (1 + x sigmoid(-x))
  const typename D::Scalar s = sigmoid(x.value);
  return Chain<D>(x.value * s, s * (Real<D>(1) + x.value * sigmoid(-x.value)), x);
}

template <DualNumber D>
D hard_swish(const D& x) {
  if (x <= -3) return D(0);
  return x >= 3 ? x : x * (x + Real<D>(3)) / Real<D>(6);
}

// ln(e^a + e^b) has the softmax of (a, b) for a gradient.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> logsumexp(const A& a, const B& b) {
  using D = Promoted<A, B>;
  using T = typename D::Scalar;
  const D x(a), y(b);
  return Chain<D>(T(logsumexp(x.value, y.value)), T(sigmoid(x.value - y.value)), x,
                  T(sigmoid(y.value - x.value)), y);
}

// Shifted by the largest value, which is a constant: it cancels.
template <DualNumber D>
D logsumexp(std::span<const D> x) {
  Real<D> high = -std::numeric_limits<Real<D>>::infinity();
  for (const D& xi : x) high = xi > high || isnan(xi) ? ValueOf(xi) : high;
  if (!isfinite(high)) return D(high);
  D sum(0);
  for (const D& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}

}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_
