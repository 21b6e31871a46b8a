#include "autodiff/math.h"

#include <array>

namespace cotangent::autodiff {
namespace {

// B_2, B_4, ..., B_20.
constexpr std::array kBernoulli = {1.0 / 6,       -1.0 / 30,      1.0 / 42, -1.0 / 30,
                                   5.0 / 66,      -691.0 / 2730,  7.0 / 6,  -3617.0 / 510,
                                   43867.0 / 798, -174611.0 / 330};

// (-1)^(n-1) [ (n-1)! / x^n + n! / (2 x^(n+1)) + sum_k B_2k (2k + n - 1)! / ((2k)! x^(2k+n)) ], for
// large x.
double AsymptoticPolygamma(int n, double x) {
  const double inverse_square = 1 / (x * x);
  if (n == 0) {
    double sum = std::log(x) - 0.5 / x, power = 1;
    for (int k = 1; k <= kBernoulli.size(); ++k) {
      power *= inverse_square;
      sum -= kBernoulli[k - 1] / (2 * k) * power;
    }
    return sum;
  }
  const double leading = std::tgamma(n) / std::pow(x, n);
  double sum = leading + leading * n / (2 * x);
  double ratio =
      leading * n * (n + 1) / 2 * inverse_square;  // (2k + n - 1)! / ((2k)! x^(2k+n)) for k = 1
  for (int k = 1; k <= kBernoulli.size(); ++k) {
    sum += kBernoulli[k - 1] * ratio;
    ratio *= (2.0 * k + n) * (2.0 * k + n + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) * inverse_square;
  }
  return n % 2 == 1 ? sum : -sum;
}

}  // namespace

double polygamma(int n, double x) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kFarthestRecurrence =
      -1e6;  // beyond it the walk up would take more than a millisecond
  if (n < 0 || std::isnan(x) || (x <= 0 && x == std::floor(x)) || x < kFarthestRecurrence)
    return kNaN;
  if (std::isinf(x)) return n == 0 ? x : 0.0;
  const double factorial = std::tgamma(n + 1.0);
  const double large = 12 + 2.0 * n;
  double sum = 0;
  for (; x < large; x += 1) sum += factorial / std::pow(x, n + 1);
  return AsymptoticPolygamma(n, x) + (n % 2 == 0 ? -sum : sum);
}

}  // namespace cotangent::autodiff
