#include "autodiff/numeric/differences.h"

#include <cmath>

#include "autodiff/numeric/complex_step.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::numeric {
namespace {

void ExpectWithinItsError(const Estimate& estimate, double truth, double most_error) {
  EXPECT_LE(std::abs(estimate.value - truth), estimate.error)
      << estimate.value << " against " << truth;
  EXPECT_LE(estimate.error, most_error);
}

TEST(DifferencesTest, EachSchemeWithinItsOwnErrorEstimate) {
  const auto f = [](double x) { return std::exp(x) * std::sin(3 * x); };
  for (double x : {-2.0, 0.0, 0.7, 5.0}) {
    const double truth = std::exp(x) * (std::sin(3 * x) + 3 * std::cos(3 * x));
    const double scale = 30 * std::exp(x);
    ExpectWithinItsError(Derivative(f, x, {.scheme = Scheme::kForward}), truth, 1e-5 * scale);
    ExpectWithinItsError(Derivative(f, x, {.scheme = Scheme::kCentral}), truth, 1e-7 * scale);
    ExpectWithinItsError(Derivative(f, x), truth, 2e-10 * scale);
  }
}

TEST(DifferencesTest, AGivenStepIsUsedAsGiven) {
  const auto square = [](double x) { return x * x; };
  EXPECT_NEAR(Derivative(square, 1, {.scheme = Scheme::kForward, .step = 0.01}).value, 2.01, 1e-12);
  EXPECT_NEAR(
      Derivative([](double x) { return x * x * x; }, 1, {.scheme = Scheme::kCentral, .step = 0.01})
          .value,
      3.0001, 1e-12);
}

TEST(DifferencesTest, NearPolesEdgesAndFastOscillation) {
  ExpectWithinItsError(Derivative([](double x) { return std::log(x); }, 1e-6), 1e6, 1e-2);
  ExpectWithinItsError(Derivative([](double x) { return 1 / x; }, 1e-6), -1e12, 1e5);
  ExpectWithinItsError(Derivative([](double x) { return std::sqrt(x); }, 1e-3),
                       0.5 / std::sqrt(1e-3), 1e-7);
  ExpectWithinItsError(Derivative([](double x) { return std::sin(200 * x); }, 0.3),
                       200 * std::cos(60.0), 1e-4);
  ExpectWithinItsError(Derivative([](double x) { return std::sin(x); }, 1000), std::cos(1000.0),
                       1e-6);
  ExpectWithinItsError(Derivative([](double x) { return std::abs(x); }, 0.001), 1, 1e-9);
}

TEST(DifferencesTest, WhatCannotBeHadIsNaN) {
  const Estimate estimate = Derivative([](double x) { return std::log(x); }, -1);
  EXPECT_TRUE(std::isnan(estimate.value));
  EXPECT_TRUE(std::isinf(estimate.error));
}

TEST(DifferencesTest, JacobianRowsAreOutputs) {
  const VectorFunction f = [](std::span<const double> x) {
    return std::vector<double>{x[0] * x[1], std::sin(x[2]), x[0] + 2 * x[2]};
  };
  const double x[] = {2, 3, 0.5};
  const double expected[] = {3, 2, 0, 0, 0, std::cos(0.5), 1, 0, 2};
  const std::vector<Estimate> jacobian = Jacobian(f, x);
  ASSERT_EQ(jacobian.size(), 9);
  for (int k = 0; k < 9; ++k) ExpectWithinItsError(jacobian[k], expected[k], 1e-11);
  const double direction[] = {1, -1, 2};
  const std::vector<Estimate> along = DirectionalDerivative(f, x, direction);
  ExpectWithinItsError(along[0], 1, 1e-11);
  ExpectWithinItsError(along[2], 5, 1e-11);
}

// At the edge of a domain, differences to the side where the function has values. The slopes are
// the limits of the derivatives; acos(x)^2 is 2 (1 - x) + (1 - x)^2/3 + ..., cos(sqrt(x)) is
// 1 - x/2 + x^2/24 - ...
TEST(DifferencesTest, EdgesOfDomains) {
  const auto slope = [](double (*f)(double), double x) { return Derivative(f, x); };
  ExpectWithinItsError(slope([](double x) { return std::cos(std::sqrt(x)); }, 0), -0.5, 1e-9);
  ExpectWithinItsError(slope([](double x) { return std::pow(std::acos(x), 2); }, 1), -2, 1e-6);
  ExpectWithinItsError(slope([](double x) { return std::pow(std::acosh(x), 2); }, 1), 2, 1e-6);
  ExpectWithinItsError(slope([](double x) { return std::pow(std::acos(-x), 2); }, -1), 2, 1e-6);
  EXPECT_FALSE(std::isfinite(slope([](double x) { return x == 1 ? 5 : std::sqrt(-1); }, 1).error));
}

// The steps must move a huge x.
TEST(DifferencesTest, HugePoints) {
  const auto slope = [](double (*f)(double), double x) { return Derivative(f, x); };
  ExpectWithinItsError(slope([](double x) { return x * 1e-100; }, 1e155), 1e-100, 1e-105);
  ExpectWithinItsError(slope([](double x) { return std::log(x); }, 1e200), 1e-200, 1e-203);
  ExpectWithinItsError(slope([](double x) { return std::max(x, 1.0); }, -1e30), 0, 1e-12);
  ExpectWithinItsError(slope([](double x) { return std::sqrt(x); }, 1e60), 5e-31, 5e-36);
}

TEST(DifferencesTest, Hessian) {
  const ScalarFunction f = [](std::span<const double> x) {
    return x[0] * x[0] * x[1] + std::exp(x[1]);
  };
  const double x[] = {1.5, 0.5};
  const std::vector<Estimate> hessian = Hessian(f, x);
  ExpectWithinItsError(hessian[0], 1, 1e-7);
  ExpectWithinItsError(hessian[1], 3, 1e-7);
  ExpectWithinItsError(hessian[2], 3, 1e-7);
  ExpectWithinItsError(hessian[3], std::exp(0.5), 1e-7);
}

// The true derivative d/dv (v d/dw (v + w)) is 1. If the outer step were mistaken for the inner
// one, it would be 2.
TEST(ComplexStepTest, InsideAnotherThereIsNone) {
  const auto outer = [](std::complex<double> v) {
    return v * ComplexStepDerivative([&](std::complex<double> w) { return v + w; }, 1.0);
  };
  EXPECT_TRUE(std::isnan(ComplexStepDerivative(outer, 1.0)));
  EXPECT_EQ(ComplexStepDerivative([](std::complex<double> v) { return v * v; }, 1.0), 2);
}

TEST(ComplexStepTest, ExactToRounding) {
  const auto f = [](auto x) { return exp(x) / (sin(x) + 2.0); };
  const double x = 1.25, d = std::sin(x) + 2;
  EXPECT_DOUBLE_EQ(ComplexStepDerivative(f, x), std::exp(x) * (d - std::cos(x)) / (d * d));
  const double point[] = {2, 3};
  const auto g = [](auto at) { return at[0] * at[0] * at[1]; };
  EXPECT_EQ(ComplexStepGradient(g, point), (std::vector<double>{12, 4}));
}

}  // namespace
}  // namespace cotangent::autodiff::numeric
