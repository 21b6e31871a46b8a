#ifndef COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_
#define COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_

// Derivatives by differences of function values, each with an estimate of its error.
//
//   forward   (f(x + h) - f(x)) / h             error h f''/2      + 2 eps |f| / h
//   central   (f(x + h) - f(x - h)) / (2 h)     error h^2 f'''/6   + eps |f| / h
//
// The first term shrinks with h and the second grows, so there is a best step: about sqrt(eps) for
// forward, cbrt(eps) for central differences, good for half and two thirds of the digits. The
// central difference's error is a series in even powers of h; Richardson's extrapolation computes
// it for h, h/2, h/4, ... and eliminates one power after the other:
//
//   D(k, 0) = central(h / 2^k),   D(k, j) = D(k, j-1) + (D(k, j-1) - D(k-1, j-1)) / (4^j - 1)
//
// The entry of the table that differs least from its neighbours is the answer, and that difference
// its error (C. Ridders, Advances in Engineering Software 4(2), 1982). Nearly all digits come out,
// for 10 to 20 times the work. Where f is not finite at x + h or x - h the step is halved until it
// is, so a point near a pole or the edge of a domain is no obstacle. See complex_step.h for a way
// without subtraction.
//
// A derivative that cannot be had (f not finite at x, say) is NaN with an infinite error.

#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace cotangent::autodiff::numeric {

enum class Scheme { kForward, kCentral, kRichardson };

struct Options {
  Scheme scheme = Scheme::kRichardson;
  // The step h, for Richardson the first and longest; 0 chooses one.
  double step = 0;
  // The relative precision to which f is computed: say 1e-7 for a function that rounds to `float`
  // inside.
  double precision = std::numeric_limits<double>::epsilon();
};

struct Estimate {
  double value;
  double error;  // of about this size at most, in absolute value
};

using ScalarFunction = std::function<double(std::span<const double>)>;
using VectorFunction = std::function<std::vector<double>(std::span<const double>)>;

// f'(x).
Estimate Derivative(const std::function<double(double)>& f, double x, const Options& options = {});

// The n partial derivatives of f at x, a vector of n.
std::vector<Estimate> Gradient(const ScalarFunction& f, std::span<const double> x,
                               const Options& options = {});

// The derivative of f along `direction` at x: the Jacobian times the direction, m entries.
std::vector<Estimate> DirectionalDerivative(const VectorFunction& f, std::span<const double> x,
                                            std::span<const double> direction,
                                            const Options& options = {});

// The Jacobian of f at x: m rows (outputs) by n columns (inputs), row after row.
std::vector<Estimate> Jacobian(const VectorFunction& f, std::span<const double> x,
                               const Options& options = {});

// The Hessian of f at x, n by n, from second differences of f; symmetric by construction.
std::vector<Estimate> Hessian(const ScalarFunction& f, std::span<const double> x,
                              const Options& options = {});

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_
