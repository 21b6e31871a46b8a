#ifndef COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_
#define COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_

// The complex-step derivative: f(x + i h) = f(x) + i h f'(x) - h^2 f''(x) / 2 - ..., so f'(x) = Im
// f(x + i h) / h with an error of h^2. Nothing is subtracted, so h may be 1e-100 and the derivative
// is exact to rounding (Squire and Trapp, SIAM Review 40(1), 1998). It asks for a function that
// takes std::complex<double> and is analytic: built from + - * / and the functions <complex> has,
// with no abs, no comparison and no max.

#include <complex>
#include <concepts>
#include <span>
#include <type_traits>
#include <vector>

namespace cotangent::autodiff::numeric {

inline constexpr double kComplexStep = 1e-100;

// f'(x), for f from std::complex<double> to the same.
template <std::invocable<std::complex<double>> F>
double ComplexStepDerivative(F&& f, double x) {
  return std::complex<double>(f(std::complex<double>(x, kComplexStep))).imag() / kComplexStep;
}

// The n partial derivatives of f at x, for f from std::span<const std::complex<double>> to
// std::complex<double>.
template <std::invocable<std::span<const std::complex<double>>> F>
std::vector<double> ComplexStepGradient(F&& f, std::span<const double> x) {
  std::vector<std::complex<double>> at(x.begin(), x.end());
  std::vector<double> gradient;
  for (std::complex<double>& xi : at) {
    const std::complex<double> real = xi;
    xi = {real.real(), kComplexStep};
    gradient.push_back(std::complex<double>(f(std::span<const std::complex<double>>(at))).imag() /
                       kComplexStep);
    xi = real;
  }
  return gradient;
}

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_
