#include "autodiff/blocks.h"

#include <cmath>
#include <vector>

#include "autodiff/forward/gradient.h"
#include "autodiff/reverse/gradient.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

using testing::ElementsAre;

// A function of the blocks (a), (b0, b1), (c) with the residuals a b0 - b1 and sin(a c).
struct Residuals {
  template <class T>
  bool operator()(const T* a, const T* b, const T* c, T* residual) const {
    using std::sin;
    if (a[0] < 0) return false;
    residual[0] = a[0] * b[0] - b[1];
    residual[1] = sin(a[0] * c[0]);
    return true;
  }
};

TEST(BlocksTest, JacobiansByBlock) {
  const double a[] = {2}, b[] = {3, 5}, c[] = {0.5};
  const double* blocks[] = {a, b, c};
  double residual[2], by_a[2], by_b[4];
  double* jacobians[] = {by_a, by_b, nullptr};
  ASSERT_TRUE((BlockJacobians<2, 1, 2, 1>(Residuals(), blocks, residual, jacobians)));
  EXPECT_THAT(residual, ElementsAre(1, std::sin(1.0)));
  EXPECT_THAT(by_a, ElementsAre(3, 0.5 * std::cos(1.0)));
  EXPECT_THAT(by_b, ElementsAre(2, -1, 0, 0));
}

TEST(BlocksTest, AFunctionThatDeclinesChangesNothing) {
  const double a[] = {-2}, b[] = {3, 5}, c[] = {0.5};
  const double* blocks[] = {a, b, c};
  double residual[2] = {7, 8}, by_a[2] = {9, 10};
  double* jacobians[] = {by_a, nullptr, nullptr};
  EXPECT_FALSE((BlockJacobians<2, 1, 2, 1>(Residuals(), blocks, residual, jacobians)));
  EXPECT_THAT(residual, ElementsAre(7, 8));
  EXPECT_THAT(by_a, ElementsAre(9, 10));
}

TEST(BlocksTest, AsAFunctionOfOneSpan) {
  const auto f = InBlocks<2, 1, 2, 1>(Residuals());
  const std::vector<double> x = {2, 3, 5, 0.5};
  const auto expected = ElementsAre(3, 2, -1, 0, 0.5 * std::cos(1.0), 0, 0, 2 * std::cos(1.0));
  EXPECT_THAT(forward::Jacobian(f, x), expected);
  EXPECT_THAT(reverse::Jacobian(f, x), expected);
}

}  // namespace
}  // namespace cotangent::autodiff
