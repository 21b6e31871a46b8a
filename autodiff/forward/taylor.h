#ifndef COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_
#define COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_

// Truncated Taylor arithmetic: computes all derivatives up to order K along one line. Most
// operations cost O(K^2), where dual numbers nested K times would have 2^K components.
//
// A Taylor<T, K> is the polynomial x_0 + x_1 t + ... + x_K t^K; all higher powers are dropped.
// Compute f on x_0 + t: the coefficients of the result are f(x_0), f'(x_0), f''(x_0) / 2!, ...,
// f^(K)(x_0) / K!. A sum adds the coefficients; a product is Cauchy's product of polynomials: z_k =
// sum_j x_j y_(k-j). If a function y = f(x) satisfies a first-order differential equation, its
// coefficients follow one after the other from those of x. With ' meaning d/dt:
//
//   y = e^x      y' = y x'           k y_k = sum_(j=1..k) j x_j y_(k-j)
//   y = x^a      x y' = a y x'       x_0 y_k = 1/k sum_(j=1..k) (a j - (k - j)) x_j y_(k-j)
//   y = g(x)     y' = h x'           k y_k = sum_(j=1..k) j x_j h_(k-j), h = g'(x) as a series
//
// (Griewank and Walther, Evaluating Derivatives, 2nd ed., tables 13.1 and 13.2). The last line
// serves ln, atan, erf and others; most of its functions h are in slopes.h, which Taylor and dual
// numbers share. The coefficient of t^0 of a result is bit for bit the plain function's value, and
// comparisons look only at it. At a kink (a point where the derivatives from the left and from the
// right differ; table in autodiff/math.h) the result is the series of the branch taken. Where a
// function has no series (sqrt, log, negative powers at x_0 = 0), the first coefficient that does
// not exist is infinite or NaN.

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

// Returns the series y with y_0 = value and y' = slope x'; the last coefficient of `slope` is not
// used. Coefficients of x that are 0 are skipped, so that an infinite slope does not turn their
// products into NaN. Where x_0 is infinite and slope_0 is 0, y is constant (KINKS AND EDGES in
// dual.h).
template <class T, int K>
Taylor<T, K> Integrate(const T& value, const Taylor<T, K>& slope, const Taylor<T, K>& x) {
  Taylor<T, K> y(value);
  if (Saturated(slope[0], x[0])) return y;
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) {
      if (!IsZero(x[j])) sum = sum + T(j) * x[j] * slope[k - j];
    }
    y[k] = sum / T(k);
  }
  return y;
}

// Returns the series y with y_0 = value and y' = y x'. Where x_0 is infinite and `value` is 0, y is
// constant.
template <class T, int K>
Taylor<T, K> Exponential(const T& value, const Taylor<T, K>& x) {
  Taylor<T, K> y(value);
  if (Saturated(value, x[0])) return y;
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) {
      if (!IsZero(x[j])) sum = sum + T(j) * x[j] * y[k - j];
    }
    y[k] = sum / T(k);
  }
  return y;
}

// Returns the series sum_k c_k (x - x_0)^k.
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

// Returns the index k of the first coefficient x_k after x_0 that is not 0; K + 1 for a constant.
template <class T, int K>
int Order(const Taylor<T, K>& x) {
  int order = 1;
  while (order <= K && IsZero(x[order])) ++order;
  return order;
}

// Returns the series of x^a for a constant a; `value` is its coefficient of t^0. If x_0 = 0, then
// x = x_m t^m + ... If in addition a is not a whole number >= 0, the series in t exists only up to
// the exponent p = a m: coefficients whose index is a multiple of m above p are infinite, the other
// ones after index 0 are 0.
template <class T, int K>
Taylor<T, K> Power(const T& value, const Taylor<T, K>& x, const T& a) {
  Taylor<T, K> y(value);
  if (Saturated(value, x[0])) return y;
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
  if (a >= 0 && floor(a) == a) {  // x^a is a product of a factors
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

// The series s of the sine and c of the cosine, or of sinh and cosh, need each other's
// coefficients: s' = c x', c' = sign s x', where `sign` is -1 for sin and cos and 1 for sinh and
// cosh.
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

// Returns the largest absolute value of the operands (without derivatives). An operand divided by
// this size can be squared without overflow.
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

  // Makes the series x + t.
  static Taylor Variable(const T& x) {
    Taylor result(x);
    if constexpr (K >= 1) result[1] = T(1);
    return result;
  }

  const T& operator[](int k) const { return coefficient[k]; }
  T& operator[](int k) { return coefficient[k]; }

  // Returns the k-th derivative by t at t = 0, which is k! x_k, for k <= K.
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
  // Solves y z = x for z_0, z_1, ... in turn. If y_0 is infinite and z_0 is 0, y counts as
  // constant.
  friend Taylor operator/(const Taylor& x, const Taylor& y) {
    Taylor z;
    const bool saturated = Saturated(T(x[0] / y[0]), y[0]);
    for (int k = 0; k <= K; ++k) {
      T sum = x[k];
      for (int j = 1; j <= k && !saturated; ++j) {
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

  // ---- Functions of several operands: friends, so that any operand may be a plain number ----

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
  // Divides by the largest magnitude first, so that the squares neither overflow nor vanish.
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
  // The derivative by t is (x y' - y x') / (x^2 + y^2).
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
  friend bool isgreater(const Taylor& x, const Taylor& y) { return x > y; }
  friend bool isgreaterequal(const Taylor& x, const Taylor& y) { return x >= y; }
  friend bool isless(const Taylor& x, const Taylor& y) { return x < y; }
  friend bool islessequal(const Taylor& x, const Taylor& y) { return x <= y; }
  friend bool islessgreater(const Taylor& x, const Taylor& y) { return x < y || x > y; }
  friend bool isunordered(const Taylor& x, const Taylor& y) { return isnan(x) || isnan(y); }
  friend Taylor CotangentApply(functions::rule::logsumexp, const Taylor& x, const Taylor& y) {
    const Taylor gap = x == y && isinf(x) ? Taylor(0) : x - y;
    return taylor::WithValue(taylor::Integrate(T(0), functions::sigmoid(gap), x) +
                                 taylor::Integrate(T(0), functions::sigmoid(-gap), y),
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

// Defines functions that are computed from the series of their derivative: y' = slope x'.
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

// ---- Step functions, whose series are constants; scaling; splitting a number into parts ----

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
COTANGENT_PREDICATE(long, lround)
COTANGENT_PREDICATE(long long, llround)
COTANGENT_PREDICATE(long, lrint)
COTANGENT_PREDICATE(long long, llrint)
#undef COTANGENT_PREDICATE

template <class T, int K>
constexpr auto CotangentApply(functions::rule::value_of, const Taylor<T, K>& x) {
  return functions::value_of(x[0]);
}

// Writes a series as "x_0 + x_1 t + x_2 t^2".
template <class Stream, class T, int K>
Stream& operator<<(Stream& out, const Taylor<T, K>& x) {
  out << x[0];
  for (int k = 1; k <= K; ++k) {
    out << " + " << x[k] << " t";
    if (k > 1) out << "^" << k;
  }
  return out;
}

// ---- The functions of autodiff/math.h that <cmath> lacks ----

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
  if (std::isnan(high) || x.empty()) return Taylor<T, K>(high);
  if (std::isinf(high)) {  // the result is the mean of the terms that equal high
    Taylor<T, K> sum(0);
    int terms = 0;
    for (const auto& xi : x) {
      if (functions::value_of(xi) == high) sum += xi, ++terms;
    }
    return taylor::WithValue(sum / T(terms), T(high));
  }
  Taylor<T, K> sum(0);
  for (const auto& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}

}  // namespace scalar
}  // namespace cotangent::autodiff::forward

// A series reports the range and precision of its coefficients.
template <class T, int K>
class std::numeric_limits<cotangent::autodiff::forward::Taylor<T, K>>
    : public std::numeric_limits<T> {};

#endif  // COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_
