#ifndef COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_
#define COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_

// Is this derivative right? Compares what somebody claims with differences of the function itself,
// and reports the worst entry and how wrong it is:
//
//   const auto check = numeric::CheckGradient(loss, weights, gradient);
//   EXPECT_TRUE(check.ok) << check.message;
//
//   "gradient entry 17 of 50 is wrong: claimed 0.25, differences say 0.5 (give or take 3e-12); off
//   by 0.25, allowed 1e-07"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "autodiff/numeric/differences.h"

namespace cotangent::autodiff::numeric {

struct CheckOptions {
  // An entry may be off by tolerance * max(1, |entry|), and by the differences' own error estimate
  // on top.
  double tolerance = 1e-7;
  // Check this many inputs drawn at random rather than all of them; 0 is all. A network has too
  // many.
  std::size_t most_inputs = 0;
  std::uint64_t seed = 1;
  Options differences = {};
};

struct CheckResult {
  bool ok = true;
  // The entry furthest from the truth, measured in what it is allowed to be off.
  std::size_t row = 0;     // output
  std::size_t column = 0;  // input
  double claimed = 0;
  Estimate expected = {0, 0};
  double off_by = 0;   // |claimed - expected.value|
  double allowed = 0;  // ok means off_by <= allowed for every entry
  std::size_t entries_checked = 0;
  std::string message;  // one line for a person
};

// Against f's n partial derivatives at x. A gradient of another size than x's is wrong, and so is
// one that is not finite where the function is.
CheckResult CheckGradient(const ScalarFunction& f, std::span<const double> x,
                          std::span<const double> gradient, const CheckOptions& options = {});

// Against f's Jacobian at x, m by n, row after row.
CheckResult CheckJacobian(const VectorFunction& f, std::span<const double> x,
                          std::span<const double> jacobian, const CheckOptions& options = {});

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_
