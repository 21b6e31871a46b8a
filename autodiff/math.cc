#include "autodiff/math.h"

#include <array>
#include <vector>

namespace cotangent::autodiff {
namespace {

// The Bernoulli numbers B_2, B_4, ..., B_20.
constexpr std::array kBernoulli = {1.0 / 6,       -1.0 / 30,      1.0 / 42, -1.0 / 30,
                                   5.0 / 66,      -691.0 / 2730,  7.0 / 6,  -3617.0 / 510,
                                   43867.0 / 798, -174611.0 / 330};

constexpr int kTerms = static_cast<int>(kBernoulli.size());

// Computes polygamma(n, x) for large x by its asymptotic series (Abramowitz and Stegun, Handbook of
// Mathematical Functions, 6.4.11; for n = 0 the series 6.3.18 instead). For n >= 1, with k from 1
// to kTerms, it is
//
//   (-1)^(n-1) [ (n-1)! / x^n + n! / (2 x^(n+1)) + sum_k B_2k (2k + n - 1)! / ((2k)! x^(2k+n)) ]
double AsymptoticPolygamma(int n, double x) {
  const double inverse_square = 1 / (x * x);
  if (n == 0) {
    double sum = std::log(x) - 0.5 / x, power = 1;
    for (int k = 1; k <= kTerms; ++k) {
      power *= inverse_square;
      sum -= kBernoulli[k - 1] / (2 * k) * power;
    }
    return sum;
  }
  const double leading = std::tgamma(n) / std::pow(x, n);
  double sum = leading + leading * n / (2 * x);
  double ratio =
      leading * n * (n + 1) / 2 * inverse_square;  // (2k + n - 1)! / ((2k)! x^(2k+n)) for k = 1
  for (int k = 1; k <= kTerms; ++k) {
    sum += kBernoulli[k - 1] * ratio;
    ratio *= (2.0 * k + n) * (2.0 * k + n + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) * inverse_square;
  }
  return n % 2 == 1 ? sum : -sum;
}

// Returns the n-th derivative of cot(pi x), which is pi^n P_n(c) with c = cot(pi x), P_0 = c and
// P_(k+1) = -(1 + c^2) P_k'.
double CotangentDerivative(int n, double x) {
  // cot(pi x) has period 1, so the nearest integer is subtracted first, which is exact.
  const double c = 1 / std::tan(std::numbers::pi * (x - std::round(x)));
  std::vector<double> p = {0, 1};
  for (int k = 0; k < n; ++k) {
    std::vector<double> next(p.size() + 1, 0.0);
    for (std::size_t i = 1; i < p.size(); ++i) {
      next[i - 1] -= static_cast<double>(i) * p[i];
      next[i + 1] -= static_cast<double>(i) * p[i];
    }
    p = next;
  }
  double sum = 0;
  for (std::size_t i = p.size(); i-- > 0;) sum = sum * c + p[i];
  return sum * std::pow(std::numbers::pi, n);
}

}  // namespace

double functions::polygamma(int n, double x) {
  if (n < 0 || std::isnan(x) || (x <= 0 && x == std::floor(x)))
    return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(x)) return n == 0 ? x : 0.0;
  constexpr double kReflected = -20;
  if (x < kReflected) {
    const double mirrored = polygamma(n, 1 - x);
    return (n % 2 == 0 ? mirrored : -mirrored) - std::numbers::pi * CotangentDerivative(n, x);
  }
  const double factorial = std::tgamma(n + 1.0);
  const double large = 12 + 2.0 * n;
  double sum = 0;
  for (; x < large; x += 1) sum += factorial / std::pow(x, n + 1);
  return AsymptoticPolygamma(n, x) + (n % 2 == 0 ? -sum : sum);
}

}  // namespace cotangent::autodiff
