#ifndef COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_
#define COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_

// Computes derivatives from differences of function values, each with an estimate of its error:
//
//   forward   (f(x + h) - f(x)) / h             error h f''/2      + 2 eps |f| / h
//   central   (f(x + h) - f(x - h)) / (2 h)     error h^2 f'''/6   + eps |f| / h
//
// eps is the relative precision of f's values. The first error term shrinks with h and the second
// grows, so there is a best step: about sqrt(eps) for forward and cbrt(eps) for central
// differences, which get about half and two thirds of the digits right. The error of the central
// difference is a series in even powers of h. Richardson's extrapolation computes the difference
// for h, h/2, h/4, ... and eliminates one power after the other:
//
//   D(k, 0) = central(h / 2^k),   D(k, j) = D(k, j-1) + (D(k, j-1) - D(k-1, j-1)) / (4^j - 1)
//
// with k and j counted from 0, and j at most k and 8. The result is the entry of this table that
// differs least from its neighbours D(k, j-1) and D(k-1, j-1). That difference, plus a bound on the
// effect of rounding, is its error estimate, or twice the distance from the last row's D(k, 1), if
// that is larger (after C. Ridders, Advances in Engineering Software 4(2), 1982). Nearly all digits
// are right. Where f is not finite at x + h or x - h, the extrapolation halves the step until it
// is, so the point may lie near a pole or the edge of the domain. complex_step.h has a method
// without subtraction, for analytic functions.
//
// A derivative along one direction takes at least 22 evaluations of f with extrapolation, 12 by
// central and 10 by forward differences. (8 of these estimate how far rounding moves f.)
//
// If a derivative cannot be computed (f is not finite at x, say), it is NaN with an infinite error.

#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace cotangent::autodiff::numeric {

enum class Scheme { kForward, kCentral, kRichardson };

struct Options {
  Scheme scheme = Scheme::kRichardson;
  // The step h; Richardson's extrapolation starts with this step and halves it. 0 lets the library
  // choose.
  double step = 0;
  // The relative precision of f's results: about 1e-7 for a function that computes in `float`
  // inside.
  double precision = std::numeric_limits<double>::epsilon();
};

struct Estimate {
  double value;
  double error;  // estimate of a bound on the absolute error
};

using ScalarFunction = std::function<double(std::span<const double>)>;
using VectorFunction = std::function<std::vector<double>(std::span<const double>)>;

// Returns f'(x).
Estimate Derivative(const std::function<double(double)>& f, double x, const Options& options = {});

// Returns the n partial derivatives of f at x, which has n entries.
std::vector<Estimate> Gradient(const ScalarFunction& f, std::span<const double> x,
                               const Options& options = {});

// Returns the derivative of f at x along `direction`, which has as many entries as x: the Jacobian
// times the direction, one entry for each of f's results. The step is h times the direction. Unless
// options.step gives h, the library chooses it such that the largest component of the step has a
// suitable size.
std::vector<Estimate> DirectionalDerivative(const VectorFunction& f, std::span<const double> x,
                                            std::span<const double> direction,
                                            const Options& options = {});

// Returns the Jacobian of f at x: m rows (outputs) by n columns (inputs), row after row.
std::vector<Estimate> Jacobian(const VectorFunction& f, std::span<const double> x,
                               const Options& options = {});

// Returns the Hessian of f at x, n by n, row after row, from central second differences of f
// (extrapolated if the scheme is kRichardson). The result is exactly symmetric.
std::vector<Estimate> Hessian(const ScalarFunction& f, std::span<const double> x,
                              const Options& options = {});

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_DIFFERENCES_H_
