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
// (Griewank and Walther, Evaluating Derivatives, 2nd ed., tables 13.1 and 13.2). Comparisons look
// at x_0. Kinks behave as in autodiff/math.h, the series being that of the branch taken. sqrt, log
// and negative powers at x_0 = 0, which have no series, give infinities or NaN from the first
// coefficient on.

#include <array>
#include <cmath>
#include <concepts>
#include <numbers>
#include <type_traits>

#include "autodiff/math.h"

namespace cotangent::autodiff::forward {

// For the coefficients that are plain numbers.
using autodiff::sigmoid, autodiff::sign, autodiff::softplus;

template <class T, int K>
struct Taylor {
  static_assert(K >= 0);
  constexpr Taylor() : coefficient{} {}
  template <class S>
  requires std::convertible_to<S, T>
  constexpr Taylor(const S& constant) : coefficient{} { coefficient[0] = constant; }

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
      for (int j = 0; j <= k; ++j) z[k] = z[k] + x[j] * y[k - j];
    }
    return z;
  }
  // y z = x, solved for z_k.
  friend Taylor operator/(const Taylor& x, const Taylor& y) {
    Taylor z;
    for (int k = 0; k <= K; ++k) {
      T sum = x[k];
      for (int j = 1; j <= k; ++j) sum = sum - y[j] * z[k - j];
      z[k] = sum / y[0];
    }
    return z;
  }
  Taylor& operator+=(const Taylor& y) { return *this = *this + y; }
  Taylor& operator-=(const Taylor& y) { return *this = *this - y; }
  Taylor& operator*=(const Taylor& y) { return *this = *this * y; }
  Taylor& operator/=(const Taylor& y) { return *this = *this / y; }

  friend bool operator==(const Taylor& x, const Taylor& y) { return x[0] == y[0]; }
  friend bool operator<(const Taylor& x, const Taylor& y) { return x[0] < y[0]; }
  friend bool operator>(const Taylor& x, const Taylor& y) { return x[0] > y[0]; }
  friend bool operator<=(const Taylor& x, const Taylor& y) { return x[0] <= y[0]; }
  friend bool operator>=(const Taylor& x, const Taylor& y) { return x[0] >= y[0]; }

  std::array<T, K + 1> coefficient;
};

// The series y with y_0 = value and y' = slope x'; slope's last coefficient is not used.
template <class T, int K>
Taylor<T, K> Integrate(const T& value, const Taylor<T, K>& slope, const Taylor<T, K>& x) {
  Taylor<T, K> y(value);
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) sum = sum + T(j) * x[j] * slope[k - j];
    y[k] = sum / T(k);
  }
  return y;
}

template <class T, int K>
Taylor<T, K> exp(const Taylor<T, K>& x) {
  using std::exp;
  Taylor<T, K> y(exp(x[0]));
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) sum = sum + T(j) * x[j] * y[k - j];
    y[k] = sum / T(k);
  }
  return y;
}

template <class T, int K>
Taylor<T, K> log(const Taylor<T, K>& x) {
  using std::log;
  return Integrate(T(log(x[0])), 1 / x, x);
}

template <class T, int K>
Taylor<T, K> pow(const Taylor<T, K>& x, std::type_identity_t<T> a) {
  using std::floor, std::pow;
  if (a >= 0 && a <= 64 && floor(a) == a) {  // a polynomial, which has a series at 0 too
    Taylor<T, K> y(1), square = x;
    for (int n = static_cast<int>(a); n > 0; n /= 2, square = square * square) {
      if (n % 2 == 1) y = y * square;
    }
    return y;
  }
  Taylor<T, K> y(pow(x[0], a));
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) sum = sum + (a * T(j) - T(k - j)) * x[j] * y[k - j];
    y[k] = sum / (T(k) * x[0]);
  }
  return y;
}

template <class T, int K>
Taylor<T, K> pow(const Taylor<T, K>& x, const Taylor<T, K>& a) {
  return exp(a * log(x));
}

template <class T, int K>
Taylor<T, K> sqr(const Taylor<T, K>& x) {
  return x * x;
}
template <class T, int K>
Taylor<T, K> sqrt(const Taylor<T, K>& x) {
  return pow(x, T(0.5));
}
// The cube root of -x is that of x, negated; pow would not take it.
template <class T, int K>
Taylor<T, K> cbrt(const Taylor<T, K>& x) {
  return x < 0 ? -pow(-x, T(1) / T(3)) : pow(x, T(1) / T(3));
}

template <class T, int K>
Taylor<T, K> exp2(const Taylor<T, K>& x) {
  return exp(x * std::numbers::ln2_v<T>);
}
template <class T, int K>
Taylor<T, K> expm1(const Taylor<T, K>& x) {
  using std::expm1;
  Taylor<T, K> y = exp(x);
  y[0] = expm1(x[0]);
  return y;
}
template <class T, int K>
Taylor<T, K> log1p(const Taylor<T, K>& x) {
  using std::log1p;
  Taylor<T, K> y = log(1 + x);
  y[0] = log1p(x[0]);
  return y;
}
template <class T, int K>
Taylor<T, K> log2(const Taylor<T, K>& x) {
  return log(x) / std::numbers::ln2_v<T>;
}
template <class T, int K>
Taylor<T, K> log10(const Taylor<T, K>& x) {
  return log(x) / std::numbers::ln10_v<T>;
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
  using std::cos, std::sin;
  return SinePair<T, K>(sin(x[0]), cos(x[0]), -1, x);
}
template <class T, int K>
SinePair<T, K> Hyperbolic(const Taylor<T, K>& x) {
  using std::cosh, std::sinh;
  return SinePair<T, K>(sinh(x[0]), cosh(x[0]), 1, x);
}

template <class T, int K>
Taylor<T, K> sin(const Taylor<T, K>& x) {
  return Circular(x).sine;
}
template <class T, int K>
Taylor<T, K> cos(const Taylor<T, K>& x) {
  return Circular(x).cosine;
}
template <class T, int K>
Taylor<T, K> tan(const Taylor<T, K>& x) {
  const SinePair<T, K> pair = Circular(x);
  return pair.sine / pair.cosine;
}
template <class T, int K>
Taylor<T, K> sinh(const Taylor<T, K>& x) {
  return Hyperbolic(x).sine;
}
template <class T, int K>
Taylor<T, K> cosh(const Taylor<T, K>& x) {
  return Hyperbolic(x).cosine;
}
template <class T, int K>
Taylor<T, K> asin(const Taylor<T, K>& x) {
  using std::asin;
  return Integrate(T(asin(x[0])), 1 / sqrt((1 - x) * (1 + x)), x);
}
template <class T, int K>
Taylor<T, K> acos(const Taylor<T, K>& x) {
  using std::acos;
  return Integrate(T(acos(x[0])), -1 / sqrt((1 - x) * (1 + x)), x);
}
template <class T, int K>
Taylor<T, K> atan(const Taylor<T, K>& x) {
  using std::atan;
  return Integrate(T(atan(x[0])), 1 / (1 + x * x), x);
}
template <class T, int K>
Taylor<T, K> asinh(const Taylor<T, K>& x) {
  using std::asinh;
  return Integrate(T(asinh(x[0])), 1 / sqrt(1 + x * x), x);
}
template <class T, int K>
Taylor<T, K> acosh(const Taylor<T, K>& x) {
  using std::acosh;
  return Integrate(T(acosh(x[0])), 1 / (sqrt(x - 1) * sqrt(x + 1)), x);
}
template <class T, int K>
Taylor<T, K> atanh(const Taylor<T, K>& x) {
  using std::atanh;
  return Integrate(T(atanh(x[0])), 1 / ((1 - x) * (1 + x)), x);
}
template <class T, int K>
Taylor<T, K> erf(const Taylor<T, K>& x) {
  using std::erf;
  return Integrate(T(erf(x[0])), 2 * std::numbers::inv_sqrtpi_v<T> * exp(-(x * x)), x);
}
template <class T, int K>
Taylor<T, K> erfc(const Taylor<T, K>& x) {
  using std::erfc;
  return Integrate(T(erfc(x[0])), -2 * std::numbers::inv_sqrtpi_v<T> * exp(-(x * x)), x);
}

// The gradient of atan2(y, x) is (x, -y) / (x^2 + y^2): its slope along t is (x y' - y x') / (x^2 +
// y^2).
template <class T, int K>
Taylor<T, K> atan2(const Taylor<T, K>& y, const Taylor<T, K>& x) {
  using std::atan2;
  const Taylor<T, K> inverse = 1 / (x * x + y * y);
  Taylor<T, K> angle = Integrate(T(0), x * inverse, y) - Integrate(T(0), y * inverse, x);
  angle[0] = atan2(y[0], x[0]);
  return angle;
}
template <class T, int K>
Taylor<T, K> hypot(const Taylor<T, K>& x, const Taylor<T, K>& y) {
  return x == 0 && y == 0 ? Taylor<T, K>(0) : sqrt(x * x + y * y);
}

template <class T, int K>
Taylor<T, K> sign(const Taylor<T, K>& x) {
  return Taylor<T, K>(sign(x[0]));
}
template <class T, int K>
Taylor<T, K> abs(const Taylor<T, K>& x) {
  return x > 0 ? x : x < 0 ? -x : x * 0;
}
template <class T, int K>
Taylor<T, K> fabs(const Taylor<T, K>& x) {
  return abs(x);
}
template <class T, int K>
Taylor<T, K> max(const Taylor<T, K>& x, const Taylor<T, K>& y) {
  return x < y ? y : x;
}
template <class T, int K>
Taylor<T, K> min(const Taylor<T, K>& x, const Taylor<T, K>& y) {
  return y < x ? y : x;
}

// ---- Activations ----

template <class T, int K>
Taylor<T, K> sigmoid(const Taylor<T, K>& x) {
  // y' = y (1 - y) x', the coefficients of y and of y (1 - y) found in turn.
  Taylor<T, K> y(sigmoid(x[0])), slope(sigmoid(x[0]) * sigmoid(-x[0]));
  for (int k = 1; k <= K; ++k) {
    T sum(0);
    for (int j = 1; j <= k; ++j) sum = sum + T(j) * x[j] * slope[k - j];
    y[k] = sum / T(k);
    slope[k] = y[k];
    for (int j = 0; j <= k; ++j) slope[k] = slope[k] - y[j] * y[k - j];
  }
  return y;
}
template <class T, int K>
Taylor<T, K> tanh(const Taylor<T, K>& x) {
  using std::tanh;
  Taylor<T, K> y = 2 * sigmoid(2 * x) - 1;
  y[0] = tanh(x[0]);
  return y;
}
template <class T, int K>
Taylor<T, K> softplus(const Taylor<T, K>& x) {
  return Integrate(T(softplus(x[0])), sigmoid(x), x);
}
template <class T, int K>
Taylor<T, K> softsign(const Taylor<T, K>& x) {
  return x / (1 + abs(x));
}
template <class T, int K>
Taylor<T, K> relu(const Taylor<T, K>& x) {
  return x > 0 ? x : Taylor<T, K>(0);
}
template <class T, int K>
Taylor<T, K> leaky_relu(const Taylor<T, K>& x, std::type_identity_t<T> slope) {
  return x > 0 ? x : slope * x;
}
template <class T, int K>
Taylor<T, K> elu(const Taylor<T, K>& x, std::type_identity_t<T> alpha = 1) {
  return x > 0 ? x : alpha * expm1(x);
}
template <class T, int K>
Taylor<T, K> gelu(const Taylor<T, K>& x) {
  return x * (0.5 * erfc(x * (-std::numbers::sqrt2_v<T> / 2)));
}
template <class T, int K>
Taylor<T, K> gelu_tanh(const Taylor<T, K>& x) {
  return x * sigmoid(T(2 * kGeluTanhScale) * (x + T(kGeluTanhCubic) * x * x * x));
}
template <class T, int K>
Taylor<T, K> silu(const Taylor<T, K>& x) {
  return x * sigmoid(x);
}
template <class T, int K>
Taylor<T, K> hard_swish(const Taylor<T, K>& x) {
  if (x <= -3) return Taylor<T, K>(0);
  return x >= 3 ? x : x * (x + 3) / 6;
}
template <class T, int K>
Taylor<T, K> logsumexp(const Taylor<T, K>& x, const Taylor<T, K>& y) {
  return x < y ? y + softplus(x - y) : x + softplus(y - x);
}

}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_TAYLOR_H_
