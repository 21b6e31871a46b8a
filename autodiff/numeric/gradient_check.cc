#include "autodiff/numeric/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <numeric>
#include <random>
#include <vector>

namespace cotangent::autodiff::numeric {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

std::vector<std::size_t> InputsToCheck(std::size_t n, const CheckOptions& options) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  if (options.most_inputs == 0 || options.most_inputs >= n) return all;
  std::vector<std::size_t> drawn;
  std::mt19937_64 random(options.seed);
  std::sample(all.begin(), all.end(), std::back_inserter(drawn), options.most_inputs, random);
  return drawn;
}

std::string Describe(const CheckResult& result, std::size_t rows, std::size_t columns) {
  const std::string place =
      rows == 1
          ? "gradient entry " + std::to_string(result.column) + " of " + std::to_string(columns)
          : "Jacobian entry (" + std::to_string(result.row) + ", " + std::to_string(result.column) +
                ") of " + std::to_string(rows) + " x " + std::to_string(columns);
  return place + (result.ok ? " is the worst and right" : " is wrong") + ": claimed " +
         Number(result.claimed) + ", differences say " + Number(result.expected.value) +
         " (give or take " + Number(result.expected.error) + "); off by " + Number(result.off_by) +
         ", allowed " + Number(result.allowed);
}

}  // namespace

CheckResult CheckJacobian(const VectorFunction& f, std::span<const double> x,
                          std::span<const double> jacobian, const CheckOptions& options) {
  const std::size_t columns = x.size();
  const std::size_t rows = f(x).size();
  CheckResult worst;
  if (jacobian.size() != rows * columns) {
    worst.ok = false;
    worst.message = "expected " + std::to_string(rows) + " x " + std::to_string(columns) +
                    " derivatives, found " + std::to_string(jacobian.size());
    return worst;
  }
  double worst_ratio = -1;
  std::vector<double> direction(columns, 0.0);
  for (std::size_t column : InputsToCheck(columns, options)) {
    direction[column] = 1;
    const std::vector<Estimate> expected =
        DirectionalDerivative(f, x, direction, options.differences);
    direction[column] = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const double claimed = jacobian[row * columns + column];
      const double off_by = std::abs(claimed - expected[row].value);
      const double allowed =
          options.tolerance * std::max(1.0, std::abs(expected[row].value)) + expected[row].error;
      // An entry counts as infinitely wrong if the claimed or the expected derivative is not
      // finite, or if the error estimate is not, since an infinite estimate would allow any value.
      const bool comparable = std::isfinite(off_by) && std::isfinite(allowed);
      const double ratio = !comparable   ? std::numeric_limits<double>::infinity()
                           : off_by == 0 ? 0
                                         : off_by / allowed;
      ++worst.entries_checked;
      if (ratio <= worst_ratio) continue;
      worst_ratio = ratio;
      worst.ok = ratio <= 1;
      worst.row = row;
      worst.column = column;
      worst.claimed = claimed;
      worst.expected = expected[row];
      worst.off_by = off_by;
      worst.allowed = allowed;
    }
  }
  worst.message = worst.entries_checked == 0 ? "nothing to check" : Describe(worst, rows, columns);
  return worst;
}

CheckResult CheckGradient(const ScalarFunction& f, std::span<const double> x,
                          std::span<const double> gradient, const CheckOptions& options) {
  return CheckJacobian([&](std::span<const double> at) { return std::vector<double>{f(at)}; }, x,
                       gradient, options);
}

}  // namespace cotangent::autodiff::numeric
