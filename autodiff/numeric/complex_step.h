#ifndef COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_
#define COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_

// The complex-step derivative: f(x + i h) = f(x) + i h f'(x) - h^2 f''(x) / 2 - ..., so f'(x) = Im
// f(x + i h) / h with an error of order h^2. Nothing is subtracted, so h can be as small as 1e-100
// and the derivative is exact to rounding (Squire and Trapp, SIAM Review 40(1), 1998). The function
// must take std::complex<double> and be analytic: built from + - * / and the functions that
// <complex> has, without abs, comparisons or max.
//
// Calls cannot be nested: called on the same thread inside a function that is itself being
// differentiated this way, the functions below return NaN, because the outer function's step would
// be mistaken for the inner one's. Use dual numbers (autodiff/forward/gradient.h) there.

#include <complex>
#include <concepts>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace cotangent::autodiff::numeric {

inline constexpr double kComplexStep = 1e-100;  // h

namespace complex_step_internal {

// Marks, while it lives, that its thread is differentiating a function. A Level made while another
// one lives on the same thread belongs to a derivative inside that function; its Derivative() is
// NaN.
class Level {
 public:
  Level() : is_inner_(std::exchange(is_open_, true)) {}
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  ~Level() { is_open_ = is_inner_; }

  double Derivative(std::complex<double> value) const {
    return is_inner_ ? std::numeric_limits<double>::quiet_NaN() : value.imag() / kComplexStep;
  }

 private:
  static inline thread_local constinit bool is_open_ = false;
  const bool is_inner_;
};

}  // namespace complex_step_internal

// Returns f'(x). f maps std::complex<double> to std::complex<double>.
template <std::invocable<std::complex<double>> F>
double ComplexStepDerivative(F&& f, double x) {
  const complex_step_internal::Level level;
  return level.Derivative(f(std::complex<double>(x, kComplexStep)));
}

// Returns the partial derivatives of f at x, one for each entry of x; each takes one evaluation of
// f. f maps std::span<const std::complex<double>> to std::complex<double>.
template <std::invocable<std::span<const std::complex<double>>> F>
std::vector<double> ComplexStepGradient(F&& f, std::span<const double> x) {
  const complex_step_internal::Level level;
  std::vector<std::complex<double>> at(x.begin(), x.end());
  std::vector<double> gradient;
  for (std::complex<double>& xi : at) {
    const std::complex<double> real = xi;
    xi = {real.real(), kComplexStep};
    gradient.push_back(level.Derivative(f(std::span<const std::complex<double>>(at))));
    xi = real;
  }
  return gradient;
}

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_COMPLEX_STEP_H_
