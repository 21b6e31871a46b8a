#ifndef COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_
#define COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_

// Truncated Taylor arithmetic: all derivatives up to order K along one line, in O(K^2) operations
// each, where nesting duals K times would cost 2^K.
//
// A Taylor<T, K> is the polynomial x_0 + x_1 t + ... + x_K t^K, all higher powers dropped. Compute
// f on x_0 + t: the coefficients of the result are f(x_0), f'(x_0), f''(x_0) / 2!, ..., f^(K)(x_0)
// / K!. Sums are sums of coefficients, and the product is the polynomials' (Cauchy's): z_k = sum_j
// x_j y_(k-j). A function y = f(x) that satisfies a first-order differential equation gives its
// coefficients one after the other from those of x. With x' meaning d/dt:
//
//   y = e^x      y' = y x'           k y_k = sum_(j=1..k) j x_j y_(k-j)
//   y = ln x     x y' = x'           x_0 y_k = x_k - 1/k sum_(j=1..k-1) j y_j x_(k-j)
//   y = x^a      x y' = a y x'       x_0 y_k = 1/k sum_(j=1..k) (a j - (k - j)) x_j y_(k-j)
//   y = g(x)     y' = h x'           k y_k = sum_(j=1..k) j x_j h_(k-j), h = g'(x) as a series
//
// (Griewank and Walther, Evaluating Derivatives, 2nd ed., tables 13.1 and 13.2). The h of the last
// line are those of slopes.h, so that Taylor and dual numbers share them. x_0 is bit for bit the
// plain function's value, and comparisons look at it alone. Kinks behave as in autodiff/math.h, the
// series being that of the branch taken. Where a function has no series (sqrt, log, negative powers
// at x_0 = 0) the coefficients are infinite or NaN from the first that does not exist.

#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>

#include "autodiff/forward/dual.h"
#include "autodiff/forward/slopes.h"
#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

namespace scalar {
template <class T, int K>
struct Taylor;
}  // namespace scalar
using scalar::Taylor;

template <class T, int K>
struct RealOf<Taylor<T, K>> {
  using type = Real<T>;
};

namespace taylor {

using namespace functions;  // NOLINT

// The series y with y_0 = value and y' = slope x'; slope's last coefficient is not used. What does
// not move in x does not meet an infinite slope.
template <class T, int K>
Taylor<T, K> Integrate(const T& value, const Taylor<T, K>& slope, const Taylor<T, K>& x) {
  Taylor<T, K> y(value);
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) {
      if (!IsZero(x[j])) sum = sum + T(j) * x[j] * slope[k - j];
    }
    y[k] = sum / T(k);
  }
  return y;
}

// The series y with y_0 = value and y' = y x'.
template <class T, int K>
Taylor<T, K> Exponential(const T& value, const Taylor<T, K>& x) {
  Taylor<T, K> y(value);
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) {
      if (!IsZero(x[j])) sum = sum + T(j) * x[j] * y[k - j];
    }
    y[k] = sum / T(k);
  }
  return y;
}

// sum_k c_k (x - x_0)^k.
template <class T, int K>
Taylor<T, K> Compose(const std::array<T, K + 1>& c, Taylor<T, K> x) {
  x[0] = T(0);
  Taylor<T, K> y(c[0]), power(1);
  for (int k = 1; k <= K; ++k) {
    power = power * x;
    for (int j = k; j <= K; ++j) {
      if (!IsZero(power[j])) y[j] = y[j] + c[k] * power[j];
    }
  }
  return y;
}

template <class T, int K>
Taylor<T, K> WithValue(Taylor<T, K> y, const T& value) {
  y[0] = value;
  return y;
}

// The first coefficient but x_0 that is not 0; K + 1 for a constant.
template <class T, int K>
int Order(const Taylor<T, K>& x) {
  int order = 1;
  while (order <= K && IsZero(x[order])) ++order;
  return order;
}

// x^a for a constant a, with the value given. At x_0 = 0 only the leading term is told, 0 before
// the power a t^m is reached and infinite from there.
template <class T, int K>
Taylor<T, K> Power(const T& value, const Taylor<T, K>& x, const T& a) {
  Taylor<T, K> y(value);
  if (x[0] != 0) {
    for (int k = 1; k <= K; ++k) {
      T sum(0);
      for (int j = 1; j <= k; ++j) {
        if (!IsZero(x[j])) sum = sum + (a * T(j) - T(k - j)) * x[j] * y[k - j];
      }
      y[k] = sum / (T(k) * x[0]);
    }
    return y;
  }
  const int order = Order(x);
  if (order > K) return y;
  if (a >= 0 && floor(a) == a) {  // a polynomial
    if (a * order > K) return y;
    Taylor<T, K> product(1);
    for (int n = 0; a > n; ++n) product = product * x;
    return WithValue(product, value);
  }
  T term(1);  // a (a - 1) .. (a - q + 1) / q! x_m^q
  for (int q = 1; q * order <= K; ++q) {
    term = term * (a - T(q - 1)) / T(q) * x[order];
    if (a < q) y[q * order] = term * std::numeric_limits<Real<T>>::infinity();
  }
  return y;
}

// Sine and cosine, or their hyperbolic kin, advance together: s' = c x', c' = (-1 or 1) s x'.
template <class T, int K>
struct SinePair {
  Taylor<T, K> sine, cosine;

  SinePair(const T& sine0, const T& cosine0, int sign, const Taylor<T, K>& x)
      : sine(sine0), cosine(cosine0) {
    for (int k = 1; k <= K; ++k) {
      T s(0), c(0);
      for (int j = 1; j <= k; ++j) {
        if (IsZero(x[j])) continue;
        s = s + T(j) * x[j] * cosine[k - j];
        c = c + T(j) * x[j] * sine[k - j];
      }
      sine[k] = s / T(k);
      cosine[k] = T(sign) * c / T(k);
    }
  }
};
template <class T, int K>
SinePair<T, K> Circular(const Taylor<T, K>& x) {
  return SinePair<T, K>(sin(x[0]), cos(x[0]), -1, x);
}
template <class T, int K>
SinePair<T, K> Hyperbolic(const Taylor<T, K>& x) {
  return SinePair<T, K>(sinh(x[0]), cosh(x[0]), 1, x);
}

// The larger magnitude, by which squares do not overflow.
template <class T, class... X>
auto Size(const T& x, const X&... more) {
  auto size = std::abs(value_of(x));
  ((size = std::max(size, std::abs(value_of(more)))), ...);
  return size;
}

}  // namespace taylor

template <class T, int K>
struct scalar::Taylor {
  static_assert(K >= 0);
  constexpr Taylor() : coefficient{} {}
  template <class S>
  requires std::convertible_to<S, T>
  constexpr Taylor(const S& constant) : coefficient{} { coefficient[0] = T(constant); }

  // x_0 + t.
  static Taylor Variable(const T& x) {
    Taylor result(x);
    if constexpr (K >= 1) result[1] = T(1);
    return result;
  }

  const T& operator[](int k) const { return coefficient[k]; }
  T& operator[](int k) { return coefficient[k]; }

  // The k-th derivative by t: k! x_k.
  T Derivative(int k) const {
    T result = coefficient[k];
    for (int factor = 2; factor <= k; ++factor) result = result * T(factor);
    return result;
  }

  friend Taylor operator+(Taylor x, const Taylor& y) {
    for (int k = 0; k <= K; ++k) x[k] = x[k] + y[k];
    return x;
  }
  friend Taylor operator-(Taylor x, const Taylor& y) {
    for (int k = 0; k <= K; ++k) x[k] = x[k] - y[k];
    return x;
  }
  friend Taylor operator-(Taylor x) {
    for (T& c : x.coefficient) c = -c;
    return x;
  }
  friend Taylor operator+(const Taylor& x) { return x; }
  friend Taylor operator*(const Taylor& x, const Taylor& y) {
    Taylor z;
    for (int k = 0; k <= K; ++k) {
      for (int j = 0; j <= k; ++j) z[k] = j == 0 ? x[0] * y[k] : z[k] + x[j] * y[k - j];
    }
    return z;
  }
  // y z = x, solved for z_k.
  friend Taylor operator/(const Taylor& x, const Taylor& y) {
    Taylor z;
    for (int k = 0; k <= K; ++k) {
      T sum = x[k];
      for (int j = 1; j <= k; ++j) {
        if (!IsZero(y[j])) sum = sum - y[j] * z[k - j];
      }
      if (k == 0 || !IsZero(sum)) z[k] = sum / y[0];
    }
    return z;
  }
  Taylor& operator+=(const Taylor& y) { return *this = *this + y; }
  Taylor& operator-=(const Taylor& y) { return *this = *this - y; }
  Taylor& operator*=(const Taylor& y) { return *this = *this * y; }
  Taylor& operator/=(const Taylor& y) { return *this = *this / y; }
  Taylor& operator++() { return *this += 1; }
  Taylor& operator--() { return *this -= 1; }
  Taylor operator++(int) { return std::exchange(*this, *this + 1); }
  Taylor operator--(int) { return std::exchange(*this, *this - 1); }

  friend bool operator==(const Taylor& x, const Taylor& y) { return x[0] == y[0]; }
  friend bool operator<(const Taylor& x, const Taylor& y) { return x[0] < y[0]; }
  friend bool operator>(const Taylor& x, const Taylor& y) { return x[0] > y[0]; }
  friend bool operator<=(const Taylor& x, const Taylor& y) { return x[0] <= y[0]; }
  friend bool operator>=(const Taylor& x, const Taylor& y) { return x[0] >= y[0]; }

  // ---- Functions of several operands: friends, so that each may be a plain number ----

  friend Taylor pow(const Taylor& x, const T& a) {
    using std::pow;
    if (a == 0) return Taylor(1);
    return taylor::Power(T(pow(x[0], a)), x, a);
  }
  friend Taylor pow(const Taylor& x, const Taylor& a) {
    using std::pow;
    if (taylor::Order(a) > K || (x[0] == 0 && a[0] > 0)) return pow(x, a[0]);
    return taylor::Exponential(T(pow(x[0], a[0])), a * log(x));
  }
  // The root of squares of numbers that are not too large or small for it.
  friend Taylor hypot(const Taylor& x, const Taylor& y) {
    using std::hypot;
    if (x == 0 && y == 0) return Taylor(0);
    const Taylor size(taylor::Size(x, y)), u = x / size, v = y / size;
    return taylor::WithValue(size * sqrt(u * u + v * v), T(hypot(x[0], y[0])));
  }
  friend Taylor hypot(const Taylor& x, const Taylor& y, const Taylor& z) {
    using std::hypot;
    if (x == 0 && y == 0 && z == 0) return Taylor(0);
    const Taylor size(taylor::Size(x, y, z)), u = x / size, v = y / size, w = z / size;
    return taylor::WithValue(size * sqrt(u * u + v * v + w * w), T(hypot(x[0], y[0], z[0])));
  }
  // The slope along t is (x y' - y x') / (x^2 + y^2).
  friend Taylor atan2(const Taylor& y, const Taylor& x) {
    using std::atan2;
    return taylor::WithValue(taylor::Integrate(T(0), slope::OverSquaredLength(x, y), y) -
                                 taylor::Integrate(T(0), slope::OverSquaredLength(y, x), x),
                             T(atan2(y[0], x[0])));
  }
  friend Taylor fma(const Taylor& x, const Taylor& y, const Taylor& z) {
    using std::fma;
    return taylor::WithValue(x * y + z, T(fma(x[0], y[0], z[0])));
  }
  friend Taylor lerp(const Taylor& x, const Taylor& y, const Taylor& t) {
    using std::lerp;
    return taylor::WithValue(x + t * (y - x), T(lerp(x[0], y[0], t[0])));
  }
  friend Taylor fmod(const Taylor& x, const Taylor& y) {
    using std::fmod, std::round;
    const T rest = fmod(x[0], y[0]);
    return taylor::WithValue(x - Taylor(round((x[0] - rest) / y[0])) * y, rest);
  }
  friend Taylor remainder(const Taylor& x, const Taylor& y) {
    using std::remainder, std::round;
    const T rest = remainder(x[0], y[0]);
    return taylor::WithValue(x - Taylor(round((x[0] - rest) / y[0])) * y, rest);
  }
  friend Taylor copysign(const Taylor& x, const Taylor& y) {
    using std::copysign;
    return abs(x) * Taylor(copysign(T(1), y[0]));
  }
  friend Taylor nextafter(const Taylor& x, const Taylor& y) {
    using std::nextafter;
    return taylor::WithValue(x, T(nextafter(x[0], y[0])));
  }
  friend Taylor max(const Taylor& x, const Taylor& y) { return x < y ? y : x; }
  friend Taylor min(const Taylor& x, const Taylor& y) { return y < x ? y : x; }
  friend Taylor fmax(const Taylor& x, const Taylor& y) { return isnan(x) || x < y ? y : x; }
  friend Taylor fmin(const Taylor& x, const Taylor& y) { return isnan(x) || y < x ? y : x; }
  friend Taylor fdim(const Taylor& x, const Taylor& y) { return x <= y ? Taylor(0) : x - y; }
  friend Taylor clamp(const Taylor& x, const Taylor& low, const Taylor& high) {
    return x < low ? low : high < x ? high : x;
  }
  friend Taylor CotangentApply(functions::rule::logsumexp, const Taylor& x, const Taylor& y) {
    return taylor::WithValue(taylor::Integrate(T(0), functions::sigmoid(x - y), x) +
                                 taylor::Integrate(T(0), functions::sigmoid(y - x), y),
                             T(functions::logsumexp(x[0], y[0])));
  }

  std::array<T, K + 1> coefficient;
};

namespace scalar {

template <class T, int K>
Taylor<T, K> exp(const Taylor<T, K>& x) {
  using std::exp;
  return taylor::Exponential(T(exp(x[0])), x);
}
template <class T, int K>
Taylor<T, K> exp2(const Taylor<T, K>& x) {
  using std::exp2;
  return taylor::Exponential(T(exp2(x[0])), x * T(std::numbers::ln2_v<Real<T>>));
}
template <class T, int K>
Taylor<T, K> expm1(const Taylor<T, K>& x) {
  using std::expm1;
  return taylor::WithValue(exp(x), T(expm1(x[0])));
}

// Those whose derivative is given as a series: y' = slope x'.
#define COTANGENT_BY_SLOPE(name, slope)                              \
  template <class T, int K>                                          \
  Taylor<T, K> name(const Taylor<T, K>& x) {                         \
    using namespace functions;                                       \
    return taylor::Integrate(T(name(x[0])), Taylor<T, K>(slope), x); \
  }
COTANGENT_BY_SLOPE(log, slope::Log(x))
COTANGENT_BY_SLOPE(log2, slope::Log(x) * std::numbers::log2e_v<Real<T>>)
COTANGENT_BY_SLOPE(log10, slope::Log(x) * std::numbers::log10e_v<Real<T>>)
COTANGENT_BY_SLOPE(log1p, slope::Log1p(x))
COTANGENT_BY_SLOPE(asin, slope::Asin(x))
COTANGENT_BY_SLOPE(acos, -slope::Asin(x))
COTANGENT_BY_SLOPE(atan, slope::Atan(x))
COTANGENT_BY_SLOPE(tanh, slope::Tanh(x))
COTANGENT_BY_SLOPE(asinh, slope::Asinh(x))
COTANGENT_BY_SLOPE(acosh, slope::Acosh(x))
COTANGENT_BY_SLOPE(atanh, slope::Atanh(x))
COTANGENT_BY_SLOPE(erf, slope::Erf(x))
COTANGENT_BY_SLOPE(erfc, -slope::Erf(x))
#undef COTANGENT_BY_SLOPE

template <class T, int K>
Taylor<T, K> sqrt(const Taylor<T, K>& x) {
  using std::sqrt;
  return taylor::Power(T(sqrt(x[0])), x, T(0.5));
}
template <class T, int K>
Taylor<T, K> cbrt(const Taylor<T, K>& x) {
  using std::cbrt;
  return taylor::Power(T(cbrt(x[0])), x, T(1) / T(3));
}
template <class T, int K>
Taylor<T, K> abs(const Taylor<T, K>& x) {
  using std::abs;
  return x > 0 ? x : x < 0 ? -x : Taylor<T, K>(abs(x[0]));
}
template <class T, int K>
Taylor<T, K> fabs(const Taylor<T, K>& x) {
  return abs(x);
}

template <class T, int K>
Taylor<T, K> sin(const Taylor<T, K>& x) {
  return taylor::Circular(x).sine;
}
template <class T, int K>
Taylor<T, K> cos(const Taylor<T, K>& x) {
  return taylor::Circular(x).cosine;
}
template <class T, int K>
Taylor<T, K> tan(const Taylor<T, K>& x) {
  using std::tan;
  const taylor::SinePair<T, K> pair = taylor::Circular(x);
  return taylor::WithValue(pair.sine / pair.cosine, T(tan(x[0])));
}
template <class T, int K>
Taylor<T, K> sinh(const Taylor<T, K>& x) {
  return taylor::Hyperbolic(x).sine;
}
template <class T, int K>
Taylor<T, K> cosh(const Taylor<T, K>& x) {
  return taylor::Hyperbolic(x).cosine;
}

template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::polygamma, int n, const Taylor<T, K>& x) {
  std::array<T, K + 1> c;
  T factorial(1);
  for (int k = 0; k <= K; ++k) {
    if (k > 0) factorial = factorial * T(k);
    c[k] = T(functions::polygamma(n + k, x[0])) / factorial;
  }
  return taylor::Compose<T, K>(c, x);
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::digamma, const Taylor<T, K>& x) {
  return functions::polygamma(0, x);
}
template <class T, int K>
Taylor<T, K> lgamma(const Taylor<T, K>& x) {
  using functions::lgamma;
  return taylor::Integrate(T(lgamma(x[0])), functions::digamma(x), x);
}
template <class T, int K>
Taylor<T, K> tgamma(const Taylor<T, K>& x) {
  using std::tgamma;
  return taylor::Exponential(T(tgamma(x[0])), lgamma(x));
}

// ---- Steps, parts of a number ----

#define COTANGENT_STEP(name)                 \
  template <class T, int K>                  \
  Taylor<T, K> name(const Taylor<T, K>& x) { \
    using std::name;                         \
    return Taylor<T, K>(name(x[0]));         \
  }
COTANGENT_STEP(floor)
COTANGENT_STEP(ceil)
COTANGENT_STEP(trunc)
COTANGENT_STEP(round)
COTANGENT_STEP(rint)
COTANGENT_STEP(nearbyint)
COTANGENT_STEP(logb)
#undef COTANGENT_STEP
template <class T, int K>
Taylor<T, K> ldexp(Taylor<T, K> x, int exponent) {
  using std::ldexp;
  for (T& c : x.coefficient) c = ldexp(c, exponent);
  return x;
}
template <class T, int K>
Taylor<T, K> scalbn(const Taylor<T, K>& x, int exponent) {
  return ldexp(x, exponent);
}
template <class T, int K>
Taylor<T, K> frexp(const Taylor<T, K>& x, int* exponent) {
  *exponent = 0;
  const auto value = functions::value_of(x);
  std::frexp(value, exponent);
  return std::isfinite(value) ? ldexp(x, -*exponent) : x;
}
template <class T, int K>
Taylor<T, K> modf(const Taylor<T, K>& x, Taylor<T, K>* whole) {
  using std::modf;
  *whole = Taylor<T, K>(0);
  return taylor::WithValue(x, T(modf(x[0], &(*whole)[0])));
}

#define COTANGENT_PREDICATE(type, name)       \
  template <class T, int K>                   \
  type name(const Taylor<T, K>& x) {          \
    return std::name(functions::value_of(x)); \
  }
COTANGENT_PREDICATE(bool, isfinite)
COTANGENT_PREDICATE(bool, isinf)
COTANGENT_PREDICATE(bool, isnan)
COTANGENT_PREDICATE(bool, isnormal)
COTANGENT_PREDICATE(bool, signbit)
COTANGENT_PREDICATE(int, fpclassify)
COTANGENT_PREDICATE(int, ilogb)
#undef COTANGENT_PREDICATE

template <class T, int K>
constexpr auto CotangentApply(functions::rule::value_of, const Taylor<T, K>& x) {
  return functions::value_of(x[0]);
}

// "x_0 + x_1 t + x_2 t^2"
template <class Stream, class T, int K>
Stream& operator<<(Stream& out, const Taylor<T, K>& x) {
  out << x[0];
  for (int k = 1; k <= K; ++k) {
    out << " + " << x[k] << " t";
    if (k > 1) out << "^" << k;
  }
  return out;
}

// ---- The names of autodiff/math.h ----

template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::sqr, const Taylor<T, K>& x) {
  return x * x;
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::sign, const Taylor<T, K>& x) {
  return Taylor<T, K>(functions::sign(x[0]));
}
#define COTANGENT_BY_SLOPE(name, slope)                                       \
  template <class T, int K>                                                   \
  Taylor<T, K> CotangentApply(functions::rule::name, const Taylor<T, K>& x) { \
    return taylor::Integrate(T(functions::name(x[0])), slope, x);             \
  }
COTANGENT_BY_SLOPE(sigmoid, slope::Sigmoid(x))
COTANGENT_BY_SLOPE(softplus, functions::sigmoid(x))
COTANGENT_BY_SLOPE(softsign, slope::Softsign(x))
COTANGENT_BY_SLOPE(gelu, slope::Gelu(x))
COTANGENT_BY_SLOPE(gelu_tanh, slope::GeluTanh(x))
COTANGENT_BY_SLOPE(silu, slope::Silu(x))
#undef COTANGENT_BY_SLOPE

template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::relu, const Taylor<T, K>& x) {
  return x > 0 || isnan(x) ? x : Taylor<T, K>(x < 0 ? T(0) : x[0]);
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::leaky_relu, const Taylor<T, K>& x, double slope) {
  return x > 0 ? x : T(slope) * x;
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::elu, const Taylor<T, K>& x, double alpha) {
  return x > 0 ? x : T(alpha) * expm1(x);
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::hard_swish, const Taylor<T, K>& x) {
  if (x <= -3) return Taylor<T, K>(0);
  return x >= 3 ? x : x * (x + 3) / 6;
}
template <class T, int K>
Taylor<T, K> CotangentApply(functions::rule::logsumexp, std::span<const Taylor<T, K>> x) {
  using R = Real<T>;
  R high = -std::numeric_limits<R>::infinity();
  for (const auto& xi : x) {
    const R value = functions::value_of(xi);
    high = value > high || std::isnan(value) ? value : high;
  }
  if (!std::isfinite(high)) return Taylor<T, K>(high);
  Taylor<T, K> sum(0);
  for (const auto& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}

}  // namespace scalar
}  // namespace cotangent::autodiff::forward

// A series has the range and precision of its coefficients.
template <class T, int K>
class std::numeric_limits<cotangent::autodiff::forward::Taylor<T, K>>
    : public std::numeric_limits<T> {};

#endif  // COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_
