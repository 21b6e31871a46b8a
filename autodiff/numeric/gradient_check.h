#ifndef COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_
#define COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_

// Checks a derivative that somebody computed: compares it with differences of the function itself,
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
  // An entry may be off by tolerance * max(1, |e|) plus the error estimate of e, where e is the
  // derivative that the differences give.
  double tolerance = 1e-7;
  // If not 0, checks the derivatives by at most this many inputs, drawn at random with the seed
  // below: a network has too many to check all.
  std::size_t most_inputs = 0;
  std::uint64_t seed = 1;
  Options differences = {};
};

struct CheckResult {
  bool ok = true;
  // The entry whose error is the largest in proportion to what is allowed: the following fields, up
  // to `allowed`, describe it.
  std::size_t row = 0;     // index of the output, from 0
  std::size_t column = 0;  // index of the input, from 0
  double claimed = 0;
  Estimate expected = {0, 0};
  double off_by = 0;   // |claimed - expected.value|
  double allowed = 0;  // `ok` means off_by <= allowed for every entry that was checked
  std::size_t entries_checked = 0;
  std::string message;  // the outcome in one line, for a person to read
};

// Compares `gradient` (the n partial derivatives that somebody claims for f at x) with differences
// of f. A gradient whose size is not that of x fails, and so does one with a checked entry that is
// not finite, or that differences cannot estimate (for example because f is not finite at x).
CheckResult CheckGradient(const ScalarFunction& f, std::span<const double> x,
                          std::span<const double> gradient, const CheckOptions& options = {});

// Compares `jacobian` (m results by n inputs, row after row) with differences of f at x. Fails in
// the same cases as CheckGradient.
CheckResult CheckJacobian(const VectorFunction& f, std::span<const double> x,
                          std::span<const double> jacobian, const CheckOptions& options = {});

}  // namespace cotangent::autodiff::numeric

#endif  // COTANGENT_AUTODIFF_NUMERIC_GRADIENT_CHECK_H_
