#include "autodiff/sparse.h"

#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

// Broyden's tridiagonal system of equations (1965).
constexpr auto kBroyden = [](auto x) {
  using S = std::decay_t<decltype(x[0])>;
  std::vector<S> residuals;
  for (std::size_t i = 0; i < x.size(); ++i) {
    S r = (3.0 - 2.0 * x[i]) * x[i] + 1.0;
    if (i > 0) r = r - x[i - 1];
    if (i + 1 < x.size()) r = r - 2.0 * x[i + 1];
    residuals.push_back(r);
  }
  return residuals;
};

// The chained Rosenbrock function in which every term also contains the first input: its Hessian is
// tridiagonal with a full first row and column.
constexpr auto kArrowedRosenbrock = [](auto x) {
  using S = std::decay_t<decltype(x[0])>;
  S total = 0.0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const S valley = x[i + 1] - x[i] * x[i], offset = 1.0 - x[i];
    total = total + 100.0 * valley * valley + offset * offset + x[0] * x[i + 1];
  }
  return total;
};

std::vector<double> Point(std::size_t n) {
  std::vector<double> x;
  for (std::size_t i = 0; i < n; ++i) x.push_back(0.1 * static_cast<double>(i % 7) - 0.25);
  return x;
}

void ExpectSame(const Matrix& found, const Matrix& expected, double tolerance) {
  ASSERT_EQ(found.values.size(), expected.values.size());
  for (std::size_t k = 0; k < found.values.size(); ++k)
    EXPECT_NEAR(found.values[k], expected.values[k], tolerance) << k;
}

class EveryMode : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, testing::ValuesIn(kAllModes),
                         [](const auto& info) { return ModeName(info.param); });

TEST_P(EveryMode, SparseJacobianIsTheDenseOne) {
  const std::vector<double> x = Point(23);
  const auto sparse = SparseJacobian(kBroyden, x, GetParam());
  const auto dense = Jacobian(kBroyden, x, Mode::kForward);
  ASSERT_TRUE(sparse.ok() && dense.ok()) << sparse.status();
  EXPECT_EQ(sparse->pattern.nonzeros(), 3 * 23 - 2);
  ExpectSame(sparse->Dense(), *dense, GetParam() == Mode::kNumeric ? 1e-8 : 1e-14);
  EXPECT_EQ(sparse->colors, GetParam() == Mode::kSymbolic ? 0 : 3);
}

TEST_P(EveryMode, SparseHessianIsTheDenseOne) {
  const std::vector<double> x = Point(12);
  const auto sparse = SparseHessian(kArrowedRosenbrock, x, GetParam());
  const auto dense = Hessian(kArrowedRosenbrock, x, Mode::kForward);
  ASSERT_TRUE(sparse.ok() && dense.ok()) << sparse.status();
  ExpectSame(sparse->Dense(), *dense, GetParam() == Mode::kNumeric ? 1e-4 : 1e-11);
}

TEST(SparseTest, LargeTridiagonalHessianTakesFewColors) {
  const auto rosenbrock = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    S total = 0.0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const S valley = x[i + 1] - x[i] * x[i], offset = 1.0 - x[i];
      total = total + 100.0 * valley * valley + offset * offset;
    }
    return total;
  };
  const std::vector<double> x = Point(500);
  const auto sparse = SparseHessian(rosenbrock, x, Mode::kReverse);
  ASSERT_TRUE(sparse.ok()) << sparse.status();
  EXPECT_LE(sparse->colors, 3);
  EXPECT_EQ(sparse->pattern.nonzeros(), 3 * 500 - 2);
  EXPECT_NEAR(sparse->values[0], 1200 * x[0] * x[0] - 400 * x[1] + 2, 1e-10);
  EXPECT_NEAR(sparse->values[1], -400 * x[0], 1e-10);
}

TEST(SparseTest, AKnownPatternIsChecked) {
  const std::vector<double> x = Point(3);
  const Pattern known = {3, {{0, 1}, {0, 1, 2}, {1, 2}}}, short_one = {3, {{0}, {1}}},
                outside = {3, {{0}, {1}, {3}}};
  EXPECT_TRUE(SparseJacobian(kBroyden, x, Mode::kForward, &known).ok());
  EXPECT_EQ(SparseJacobian(kBroyden, x, Mode::kForward, &short_one).status().message(),
            "the pattern is 2 x 3; expected 3 x 3");
  EXPECT_EQ(SparseJacobian(kBroyden, x, Mode::kForward, &outside).status().message(),
            "the pattern's row 2 names column 3; expected columns below 3");
}

// All second derivatives of (sum x)^2 are 2: the Hessian is dense, so no colouring is searched for.
TEST(SparseTest, ADenseHessian) {
  const auto f = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    S sum = 0.0;
    for (const auto& xi : x) sum += xi;
    return S(sum * sum);
  };
  const auto hessian = SparseHessian(f, Point(400), Mode::kReverse);
  ASSERT_TRUE(hessian.ok()) << hessian.status();
  EXPECT_EQ(hessian->colors, 400u);
  for (const double entry : hessian->values) ASSERT_EQ(entry, 2);
}

}  // namespace
}  // namespace cotangent::autodiff
