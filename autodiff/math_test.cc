#include "autodiff/math.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(MathTest, SigmoidAndSoftplusNeitherOverflowNorCancel) {
  EXPECT_DOUBLE_EQ(sigmoid(0.0), 0.5);
  EXPECT_DOUBLE_EQ(sigmoid(-700.0), std::exp(-700.0));
  EXPECT_EQ(sigmoid(1000.0), 1.0);
  EXPECT_EQ(sigmoid(-kInf), 0.0);
  EXPECT_DOUBLE_EQ(softplus(-40.0), std::exp(-40.0));
  EXPECT_EQ(softplus(1000.0), 1000.0);
}

TEST(MathTest, ActivationsAtKnownPoints) {
  EXPECT_DOUBLE_EQ(softsign(-3.0), -0.75);
  EXPECT_EQ(relu(-2.0), 0.0);
  EXPECT_EQ(leaky_relu(-2.0, 0.5), -1.0);
  EXPECT_DOUBLE_EQ(elu(-1.0, 2.0), 2 * (std::exp(-1.0) - 1));
  EXPECT_NEAR(gelu(1.0), 0.841344746068543, 1e-15);
  EXPECT_NEAR(gelu_tanh(1.0), 0.8411919906082768, 1e-15);
  EXPECT_NEAR(silu(1.0), 0.731058578630005, 1e-15);
  EXPECT_DOUBLE_EQ(hard_swish(1.0), 4.0 / 6);
  EXPECT_EQ(hard_swish(-5.0f), 0.0f);
}

TEST(MathTest, LogSumExpShiftsByTheLargest) {
  EXPECT_DOUBLE_EQ(logsumexp(1000.0, 1000.0), 1000 + std::log(2.0));
  EXPECT_EQ(logsumexp(-kInf, -kInf), -kInf);
  const std::vector<double> x = {1, 2, 3};
  EXPECT_DOUBLE_EQ(logsumexp(std::span<const double>(x)),
                   std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0)));
  EXPECT_EQ(logsumexp(std::span<const double>()), -kInf);
}

TEST(MathTest, PolygammaAgreesWithTables) {
  EXPECT_NEAR(digamma(1.0), -std::numbers::egamma, 1e-14);
  EXPECT_NEAR(digamma(0.5), -1.9635100260214235, 1e-14);
  EXPECT_NEAR(digamma(-0.5), 0.03648997397857652, 1e-13);
  EXPECT_NEAR(polygamma(1, 1.0), std::numbers::pi * std::numbers::pi / 6, 1e-14);
  EXPECT_NEAR(polygamma(2, 1.0), -2.4041138063191886, 1e-13);
  EXPECT_NEAR(polygamma(3, 2.0) / 0.49393940226682914, 1, 1e-13);
  EXPECT_TRUE(std::isnan(digamma(-2.0)));
}

}  // namespace
}  // namespace cotangent::autodiff
