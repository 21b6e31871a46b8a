#include "autodiff/numeric/gradient_check.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::numeric {
namespace {

double SumOfSquares(std::span<const double> x) {
  double sum = 0;
  for (double xi : x) sum += xi * xi;
  return sum;
}

TEST(GradientCheckTest, AcceptsTheTruth) {
  const std::vector<double> x = {1, -2, 3, 0}, gradient = {2, -4, 6, 0};
  const CheckResult check = CheckGradient(SumOfSquares, x, gradient);
  EXPECT_TRUE(check.ok) << check.message;
  EXPECT_EQ(check.entries_checked, 4);
}

TEST(GradientCheckTest, NamesTheWorstEntryAndHowWrongItIs) {
  const std::vector<double> x = {1, -2, 3, 0}, gradient = {2.001, -4, 6.5, 0};
  const CheckResult check = CheckGradient(SumOfSquares, x, gradient);
  EXPECT_FALSE(check.ok);
  EXPECT_EQ(check.column, 2);
  EXPECT_NEAR(check.off_by, 0.5, 1e-9);
  EXPECT_THAT(check.message,
              testing::HasSubstr("gradient entry 2 of 4 is wrong: claimed 6.5, differences say 6"));
}

TEST(GradientCheckTest, RefusesNaNAndTheWrongSize) {
  const std::vector<double> x = {1, 2};
  EXPECT_FALSE(CheckGradient(SumOfSquares, x, std::vector<double>{2, std::nan("")}).ok);
  const CheckResult check = CheckGradient(SumOfSquares, x, std::vector<double>{2});
  EXPECT_FALSE(check.ok);
  EXPECT_THAT(check.message, testing::HasSubstr("expected 1 x 2 derivatives, found 1"));
}

TEST(GradientCheckTest, FunctionsComputedInFloat) {
  const ScalarFunction f = [](std::span<const double> x) {
    return static_cast<double>(std::exp(static_cast<float>(x[0])) * static_cast<float>(x[1]));
  };
  const std::vector<double> x = {0.5, 2}, gradient = {2 * std::exp(0.5), std::exp(0.5)};
  const CheckResult check =
      CheckGradient(f, x, gradient, {.tolerance = 1e-4, .differences = {.precision = 1.2e-7}});
  EXPECT_TRUE(check.ok) << check.message;
  EXPECT_LT(check.allowed, 1e-2);
}

TEST(GradientCheckTest, SamplesSomeInputsOfMany) {
  const std::vector<double> x(1000, 1.0), gradient(1000, 2.0);
  EXPECT_EQ(CheckGradient(SumOfSquares, x, gradient, {.most_inputs = 5}).entries_checked, 5);
}

TEST(GradientCheckTest, JacobianEntriesAreNamedByRowAndColumn) {
  const VectorFunction f = [](std::span<const double> x) {
    return std::vector<double>{x[0] + x[1], x[0] * x[1]};
  };
  const std::vector<double> x = {2, 5}, wrong = {1, 1, 5, 3};
  const CheckResult check = CheckJacobian(f, x, wrong);
  EXPECT_FALSE(check.ok);
  EXPECT_THAT(check.message,
              testing::HasSubstr("Jacobian entry (1, 1) of 2 x 2 is wrong: claimed 3"));
}

}  // namespace
}  // namespace cotangent::autodiff::numeric
