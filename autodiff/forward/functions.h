#ifndef COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_

// Defines the functions of <cmath> and of autodiff/math.h for dual numbers. Include
// autodiff/forward/dual.h, not this file.
//
// Each function is its chain rule: for a dual number x = v + t e, f(x) = f(v) + f'(v) t e, written
// Chain(f(v), f'(v), x). The value f(v) is bit for bit that of the plain function. Derivatives
// f'(v) that are numerically delicate are in slopes.h. All rules compute in T, the type of the
// value, which may be a dual number itself.
//
// Argument-dependent lookup finds the functions that are named as in the standard library. The
// others (sigmoid, ...) are reached through the functions of autodiff/math.h, which call
// CotangentApply.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "autodiff/forward/slopes.h"
#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

// Applies the chain rule, like Chain in dual.h, to a function of x, y and z with the value f and
// the derivatives dfdx by x, dfdy by y and dfdz by z.
template <DualNumber D>
D Chain(const typename D::Scalar& f, const typename D::Scalar& dfdx, const D& x,
        const typename D::Scalar& dfdy, const D& y, const typename D::Scalar& dfdz, const D& z) {
  D result = Chain<D>(f, dfdx, x, dfdy, y);
  result.tangent = result.tangent + Chain<D>(f, dfdz, z).tangent;
  return result;
}

template <DualNumber D>
bool IsConstant(const D& x) {
  for (int i = 0; i < x.tangent.size(); ++i) {
    if (!IsZero(x.tangent[i])) return false;
  }
  if constexpr (DualNumber<typename D::Scalar>) return IsConstant(x.value);
  return true;
}

template <class A, class B, class C>
concept DualTriple = (DualPair<A, B> && DualPair<Promoted<A, B>, C>) ||
                     (DualPair<B, C> && DualPair<A, Promoted<B, C>>) ||
                     (DualPair<A, C> && DualPair<Promoted<A, C>, B>);
template <class A, class B, class C>
using Deepest = std::conditional_t<kDepth<A> >= kDepth<B> && kDepth<A> >= kDepth<C>, A,
                                   std::conditional_t<(kDepth<B> >= kDepth<C>), B, C>>;

namespace scalar {

// Imports the functions for plain numbers; those for nested duals are found by argument-dependent
// lookup.
using std::abs, std::fabs, std::sqrt, std::cbrt, std::hypot, std::pow, std::fma, std::lerp;
using std::acos, std::asin, std::atan, std::atan2, std::cos, std::sin, std::tan;
using std::acosh, std::asinh, std::atanh, std::cosh, std::sinh, std::tanh;
using std::ceil, std::floor, std::nearbyint, std::rint, std::round, std::trunc;
using std::copysign, std::fdim, std::fmax, std::fmin, std::fmod, std::max, std::min, std::remainder;
using std::erf, std::erfc, std::tgamma, functions::lgamma;
using std::exp, std::exp2, std::expm1, std::log, std::log10, std::log1p, std::log2, std::logb,
    std::ilogb;
using std::fpclassify, std::isfinite, std::isinf, std::isnan, std::isnormal, std::signbit;
using std::frexp, std::ldexp, std::modf, std::nextafter, std::scalbn;

// ---- Absolute value, powers, roots ----

template <DualNumber D>
D abs(const D& x) {  // |x|' = sign(x)
  return Chain<D>(abs(x.value), functions::sign(x.value), x);
}
template <DualNumber D>
D fabs(const D& x) {
  return abs(x);
}

template <DualNumber D>
D sqrt(const D& x) {  // sqrt'(x) = 1 / (2 sqrt(x))
  const typename D::Scalar root = sqrt(x.value);
  return Chain<D>(root, Real<D>(0.5) / (root + Real<D>(0)), x);
}

template <DualNumber D>
D cbrt(const D& x) {  // cbrt'(x) = 1 / (3 cbrt(x)^2)
  const typename D::Scalar root = cbrt(x.value);
  return Chain<D>(root, Real<D>(1) / (Real<D>(3) * (root * root)), x);
}

// x^n for a constant n: (x^n)' = n x^(n-1), and 0 for n = 0.
template <DualNumber D, class S>
requires std::is_arithmetic_v<S> D pow(const D& x, S n) {
  const Real<D> exponent = static_cast<Real<D>>(n);
  if (exponent == 0) return D(1);
  return Chain<D>(pow(x.value, exponent), exponent * pow(x.value, exponent - 1), x);
}

// b^y for a constant b: (b^y)' = ln(b) b^y, and 0 for b = 0 and y > 0.
template <class S, DualNumber D>
requires std::is_arithmetic_v<S> D pow(S b, const D& y) {
  const Real<D> base = static_cast<Real<D>>(b);
  const typename D::Scalar power = pow(base, y.value);
  if (base == 0 && y > 0) return D(power);
  return Chain<D>(power, log(base) * power, y);
}

// The derivative of x^y by x is y x^(y-1), and by y it is ln(x) x^y. The latter is NaN for negative
// x; it only enters directions along which y changes. Where these formulas would give NaN though
// the derivative has a limit (x = 0; x infinite and y < 0), the derivative is 0.
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
  if (isinf(x) && y < 0) by_y = Real<D>(0);
  return Chain<D>(power, by_x, x, by_y, y);
}

// The gradient of hypot is (x, y) / hypot(x, y), and 0 at the origin.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> hypot(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const typename D::Scalar length = hypot(x.value, y.value);
  if (length == 0) return D(length);
  return Chain<D>(length, x.value / length, x, y.value / length, y);
}
template <class A, class B, class C>
requires DualTriple<A, B, C> Deepest<A, B, C> hypot(const A& a, const B& b, const C& c) {
  using D = Deepest<A, B, C>;
  const D x(a), y(b), z(c);
  const typename D::Scalar length = hypot(x.value, y.value, z.value);
  if (length == 0) return D(length);
  return Chain<D>(length, x.value / length, x, y.value / length, y, z.value / length, z);
}

// Computes a b + c, with the value rounded once.
template <class A, class B, class C>
requires DualTriple<A, B, C> Deepest<A, B, C> fma(const A& a, const B& b, const C& c) {
  using D = Deepest<A, B, C>;
  const D x(a), y(b), z(c);
  return Chain<D>(fma(x.value, y.value, z.value), y.value, x, x.value, y, Real<D>(1), z);
}

// Computes a + t (b - a).
template <class A, class B, class C>
requires DualTriple<A, B, C> Deepest<A, B, C> lerp(const A& a, const B& b, const C& t) {
  using D = Deepest<A, B, C>;
  const D x(a), y(b), s(t);
  return Chain<D>(lerp(x.value, y.value, s.value), Real<D>(1) - s.value, x, s.value, y,
                  y.value - x.value, s);
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
D log(const D& x) {  // ln'(x) = 1 / x
  return Chain<D>(log(x.value), slope::Log(x.value), x);
}
template <DualNumber D>
D log2(const D& x) {  // 1 / (x ln 2)
  return Chain<D>(log2(x.value), std::numbers::log2e_v<Real<D>> * slope::Log(x.value), x);
}
template <DualNumber D>
D log10(const D& x) {  // 1 / (x ln 10)
  return Chain<D>(log10(x.value), std::numbers::log10e_v<Real<D>> * slope::Log(x.value), x);
}
template <DualNumber D>
D log1p(const D& x) {  // ln(1 + x)' = 1 / (1 + x)
  return Chain<D>(log1p(x.value), slope::Log1p(x.value), x);
}

// ---- Trigonometric functions ----

template <DualNumber D>
D sin(const D& x) {  // sin' = cos
  return FiniteChain<D>(sin(x.value), cos(x.value), x);
}
template <DualNumber D>
D cos(const D& x) {  // cos' = -sin
  return FiniteChain<D>(cos(x.value), -sin(x.value), x);
}
template <DualNumber D>
D tan(const D& x) {  // tan' = 1 + tan^2
  const typename D::Scalar y = tan(x.value);
  return Chain<D>(y, Real<D>(1) + y * y, x);
}
template <DualNumber D>
D asin(const D& x) {
  return Chain<D>(asin(x.value), slope::Asin(x.value), x);
}
template <DualNumber D>
D acos(const D& x) {  // acos' = -asin'
  return Chain<D>(acos(x.value), -slope::Asin(x.value), x);
}
template <DualNumber D>
D atan(const D& x) {
  return Chain<D>(atan(x.value), slope::Atan(x.value), x);
}

// atan2 is the angle of the point (x, y); its derivatives by (x, y) are (-y, x) / (x^2 + y^2). At
// the origin, which has no angle, they are NaN.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> atan2(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D y(a), x(b);
  return Chain<D>(atan2(y.value, x.value), slope::OverSquaredLength(x.value, y.value), y,
                  -slope::OverSquaredLength(y.value, x.value), x);
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
D tanh(const D& x) {
  return Chain<D>(tanh(x.value), slope::Tanh(x.value), x);
}
template <DualNumber D>
D asinh(const D& x) {
  return Chain<D>(asinh(x.value), slope::Asinh(x.value), x);
}
template <DualNumber D>
D acosh(const D& x) {
  return Chain<D>(acosh(x.value), slope::Acosh(x.value), x);
}
template <DualNumber D>
D atanh(const D& x) {
  return Chain<D>(atanh(x.value), slope::Atanh(x.value), x);
}

// ---- Error function and gamma function ----

template <DualNumber D>
D erf(const D& x) {
  return Chain<D>(erf(x.value), slope::Erf(x.value), x);
}
template <DualNumber D>
D erfc(const D& x) {  // erfc' = -erf'
  return Chain<D>(erfc(x.value), -slope::Erf(x.value), x);
}
template <DualNumber D>
D lgamma(const D& x) {  // ln |Gamma(x)|' = digamma(x)
  return Chain<D>(lgamma(x.value), typename D::Scalar(functions::digamma(x.value)), x);
}
template <DualNumber D>
D tgamma(const D& x) {  // Gamma' = Gamma digamma
  const typename D::Scalar y = tgamma(x.value);
  return Chain<D>(y, y * typename D::Scalar(functions::digamma(x.value)), x);
}

// ---- Step functions: derivative 0 ----

#define COTANGENT_STEP(name)    \
  template <DualNumber D>       \
  D name(const D& x) {          \
    return D(name(ValueOf(x))); \
  }
COTANGENT_STEP(floor)
COTANGENT_STEP(ceil)
COTANGENT_STEP(trunc)
COTANGENT_STEP(round)
COTANGENT_STEP(rint)
COTANGENT_STEP(nearbyint)
COTANGENT_STEP(logb)
#undef COTANGENT_STEP
template <DualNumber D>
int ilogb(const D& x) {
  return ilogb(ValueOf(x));
}

// ---- Remainders, scaling by powers of two, neighbouring numbers ----

// fmod and remainder are x - q y, where q is x / y truncated (fmod) or rounded to the nearest
// integer (remainder), so the derivatives are 1 by x and -q by y. q is computed from the result,
// since x / y itself could round to a neighbouring integer.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> fmod(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const Real<D> quotient = round((ValueOf(x) - fmod(ValueOf(x), ValueOf(y))) / ValueOf(y));
  return Chain<D>(fmod(x.value, y.value), Real<D>(1), x, -quotient, y);
}
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> remainder(const A& a, const B& b) {
  using D = Promoted<A, B>;
  const D x(a), y(b);
  const Real<D> quotient = round((ValueOf(x) - remainder(ValueOf(x), ValueOf(y))) / ValueOf(y));
  return Chain<D>(remainder(x.value, y.value), Real<D>(1), x, -quotient, y);
}

// Computes x 2^exponent; correct even where 2^exponent alone overflows or vanishes.
template <DualNumber D>
D ldexp(const D& x, int exponent) {
  D result = x;
  result.value = ldexp(x.value, exponent);
  for (int i = 0; i < x.tangent.size(); ++i) result.tangent[i] = ldexp(x.tangent[i], exponent);
  return result;
}
template <DualNumber D>
D scalbn(const D& x, int exponent) {
  return ldexp(x, exponent);
}

// Splits x = m 2^exponent with 1/2 <= |m| < 1 and returns m; its derivative by x is 2^-exponent. If
// x is 0, infinite or NaN, the exponent is 0 and m is x.
template <DualNumber D>
D frexp(const D& x, int* exponent) {
  *exponent = 0;
  const Real<D> value = ValueOf(x);
  frexp(value, exponent);
  return isfinite(value) ? ldexp(x, -*exponent) : x;
}

// The returned fraction has x's derivative; the whole part has derivative 0.
template <DualNumber D>
D modf(const D& x, D* whole) {
  D fraction = x;
  fraction.value = modf(x.value, &whole->value);
  *whole = D(whole->value);
  return fraction;
}

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> copysign(
    const A& a, const B& b) {  // |a| with b's sign; derivative by a: sign(a) copysign(1, b)
  using D = Promoted<A, B>;
  return abs(D(a)) * copysign(Real<D>(1), static_cast<Real<D>>(ValueOf(b)));
}

template <class A, class B>
requires DualPair<A, B> Promoted<A, B> nextafter(const A& a, const B& b) {
  using D = Promoted<A, B>;
  D result(a);
  result.value = nextafter(result.value, D(b).value);
  return result;
}

// ---- Maximum, minimum, clamp: of two equal arguments, the first gives the derivative ----

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
requires DualPair<A, B> Promoted<A, B> fmax(const A& a, const B& b) {  // ignores a NaN argument
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
template <class A, class B, class C>
requires DualTriple<A, B, C> Deepest<A, B, C> clamp(const A& x, const B& low, const C& high) {
  using D = Deepest<A, B, C>;
  return x < low ? D(low) : high < x ? D(high) : D(x);
}

// ---- Classification functions: they look at the innermost value only ----

#define COTANGENT_PREDICATE(type, name) \
  template <DualNumber D>               \
  type name(const D& x) {               \
    return name(ValueOf(x));            \
  }
COTANGENT_PREDICATE(bool, isfinite)
COTANGENT_PREDICATE(bool, isinf)
COTANGENT_PREDICATE(bool, isnan)
COTANGENT_PREDICATE(bool, isnormal)
COTANGENT_PREDICATE(bool, signbit)
COTANGENT_PREDICATE(int, fpclassify)
#undef COTANGENT_PREDICATE

COTANGENT_COMPARING_FUNCTIONS(DualPair)
COTANGENT_ROUNDING_FUNCTIONS(DualNumber)

// ---- The functions of autodiff/math.h that <cmath> lacks ----

template <DualNumber D>
D CotangentApply(functions::rule::sqr, const D& x) {  // (x^2)' = 2 x
  return Chain<D>(x.value * x.value, x.value + x.value, x);
}
template <DualNumber D>
D CotangentApply(functions::rule::sign, const D& x) {
  return D(functions::sign(ValueOf(x)));
}
template <DualNumber D>
D CotangentApply(functions::rule::polygamma, int n, const D& x) {  // psi_n' = psi_(n+1)
  using T = typename D::Scalar;
  return Chain<D>(T(functions::polygamma(n, x.value)), T(functions::polygamma(n + 1, x.value)), x);
}
template <DualNumber D>
D CotangentApply(functions::rule::digamma, const D& x) {
  return functions::polygamma(0, x);
}

template <DualNumber D>
D CotangentApply(functions::rule::softplus, const D& x) {  // ln(1 + e^x)' = sigmoid(x)
  return Chain<D>(functions::softplus(x.value), functions::sigmoid(x.value), x);
}
#define COTANGENT_BY_SLOPE(name, Slope)                                  \
  template <DualNumber D>                                                \
  D CotangentApply(functions::rule::name, const D& x) {                  \
    return Chain<D>(functions::name(x.value), slope::Slope(x.value), x); \
  }
COTANGENT_BY_SLOPE(sigmoid, Sigmoid)
COTANGENT_BY_SLOPE(softsign, Softsign)
COTANGENT_BY_SLOPE(gelu, Gelu)
COTANGENT_BY_SLOPE(gelu_tanh, GeluTanh)
COTANGENT_BY_SLOPE(silu, Silu)
#undef COTANGENT_BY_SLOPE

template <DualNumber D>
D CotangentApply(functions::rule::relu, const D& x) {  // at 0: derivative 0, and -0 stays -0
  if (x > 0 || isnan(x)) return x;
  return x < 0 ? D(0) : D(ValueOf(x));
}
template <DualNumber D>
D CotangentApply(functions::rule::leaky_relu, const D& x, double slope) {
  return x > 0 ? x : static_cast<Real<D>>(slope) * x;
}
template <DualNumber D>
D CotangentApply(functions::rule::elu, const D& x, double alpha) {
  return x > 0 ? x : static_cast<Real<D>>(alpha) * expm1(x);
}
template <DualNumber D>
D CotangentApply(functions::rule::hard_swish, const D& x) {
  if (x <= -3) return D(0);
  return x >= 3 ? x : x * (x + Real<D>(3)) / Real<D>(6);
}

// The gradient of ln(e^a + e^b) is the softmax of (a, b): (1/2, 1/2) for two equal infinities, as
// for any other equal numbers.
template <class A, class B>
requires DualPair<A, B> Promoted<A, B> CotangentApply(functions::rule::logsumexp, const A& a,
                                                      const B& b) {
  using D = Promoted<A, B>;
  using T = typename D::Scalar;
  const D x(a), y(b);
  const bool tie = x == y && isinf(ValueOf(x));
  const T gap = tie ? T(0) : T(x.value - y.value);
  return Chain<D>(T(functions::logsumexp(x.value, y.value)), T(functions::sigmoid(gap)), x,
                  T(functions::sigmoid(T(-gap))), y);
}

// Returns ln(sum of e^xi over all i), and minus infinity for an empty span. Subtracts the largest
// value before exp, so that exp cannot overflow; it is subtracted as a constant, because it cancels
// in the derivatives. If the largest value is infinite, the result is the mean of the terms that
// equal it, so that these terms share the derivative equally.
template <DualNumber D>
D CotangentApply(functions::rule::logsumexp, std::span<const D> x) {
  Real<D> high = -std::numeric_limits<Real<D>>::infinity();
  for (const D& xi : x) high = ValueOf(xi) > high || isnan(xi) ? ValueOf(xi) : high;
  if (isnan(high) || x.empty()) return D(high);
  if (isinf(high)) {
    D sum(0);
    int terms = 0;
    for (const D& xi : x) {
      if (ValueOf(xi) == high) sum += xi, ++terms;
    }
    return sum / static_cast<Real<D>>(terms);
  }
  D sum(0);
  for (const D& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}

}  // namespace scalar
}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_FUNCTIONS_H_
