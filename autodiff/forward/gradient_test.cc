#include "autodiff/forward/gradient.h"

#include <array>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::forward {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr auto kProduct = [](auto x) { return x[0] * x[0] * x[1] + sin(x[1]); };

struct Polar {
  template <class S>
  std::array<S, 2> operator()(std::span<const S> x) const {
    return {x[0] * cos(x[1]), x[0] * sin(x[1])};
  }
};

TEST(GradientTest, EveryProduct) {
  const std::vector<double> x = {2, 3}, v = {1, -1};
  EXPECT_THAT(Gradient(kProduct, x), ElementsAre(12, 4 + std::cos(3.0)));
  EXPECT_THAT(Hessian(kProduct, x), ElementsAre(6, 4, 4, -std::sin(3.0)));
  EXPECT_THAT(Hvp(kProduct, x, v), ElementsAre(2, DoubleNear(4 + std::sin(3.0), 1e-15)));
  const double c = std::cos(3.0), s = std::sin(3.0);
  EXPECT_THAT(Jacobian(Polar(), x), ElementsAre(c, -2 * s, s, 2 * c));
  EXPECT_THAT(Jvp(Polar(), x, v),
              ElementsAre(DoubleNear(c + 2 * s, 1e-15), DoubleNear(s - 2 * c, 1e-15)));
  EXPECT_THAT(Vjp(Polar(), x, v),
              ElementsAre(DoubleNear(c - s, 1e-15), DoubleNear(-2 * s - 2 * c, 1e-15)));
}

TEST(GradientTest, MoreInputsThanDirectionsAtOnce) {
  const auto sum_of_cubes = [](auto x) {
    auto sum = x[0] * 0;
    for (const auto& xi : x) sum += xi * xi * xi;
    return sum;
  };
  std::vector<double> x(19);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.5 * static_cast<double>(i);
  const std::vector<double> gradient = Gradient(sum_of_cubes, x),
                            hessian = Hessian(sum_of_cubes, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_DOUBLE_EQ(gradient[i], 3 * x[i] * x[i]);
    for (std::size_t j = 0; j < x.size(); ++j)
      EXPECT_DOUBLE_EQ(hessian[i * x.size() + j], i == j ? 6 * x[i] : 0);
  }
}

// d/dv (v d/dw (v w)) = 2 v, d/dv (v d/dw (v + w)) = 1.
TEST(GradientTest, ADerivativeInsideAFunctionThatIsDifferentiated) {
  const auto product = [](auto v) {
    using S = std::decay_t<decltype(v[0])>;
    const auto inner = [&](auto w) { return v[0] * w[0]; };
    return v[0] * forward::Gradient(inner, std::vector<S>{1.0})[0];
  };
  const auto sum = [](auto v) {
    using S = std::decay_t<decltype(v[0])>;
    const auto inner = [&](auto w) { return v[0] + w[0]; };
    return v[0] * forward::Gradient(inner, std::vector<S>{1.0})[0];
  };
  EXPECT_THAT(Gradient(product, std::vector{1.0}), ElementsAre(2));
  EXPECT_THAT(Gradient(sum, std::vector{1.0}), ElementsAre(1));
  EXPECT_THAT(Hessian(product, std::vector{1.0}), ElementsAre(2));
}

template <class A, class B>
concept Adds = requires(A a, B b) {
  a + b;
};

// Numbers of two levels do not mix where neither is made of the other.
TEST(GradientTest, LevelsAreToldApartByType) {
  const auto outer = [](auto v) { return v[0]; };
  const auto inner = [](auto w) { return w[0]; };
  using Outer = LevelDual<decltype(outer), double, 8>;
  using Inner = LevelDual<decltype(inner), double, 8>;
  static_assert(Adds<Outer, Outer> && Adds<Outer, double>);
  static_assert(!Adds<Outer, Inner>);
  static_assert(!Adds<Outer, LevelDualOfDuals<decltype(inner), double, 8>>);
  static_assert(Adds<Outer, LevelDual<decltype(inner), Outer, 8>>);
  // A function of one type of dual numbers is called with that.
  const auto of_duals = [](std::span<const Dual<double, 8>> x) { return x[0] * x[0]; };
  EXPECT_THAT(Gradient(of_duals, std::vector{3.0}), ElementsAre(6));
}

TEST(GradientTest, WithTheValue) {
  std::vector<double> gradient;
  EXPECT_EQ(ValueAndGradient(kProduct, std::vector{2.0, 3.0}, gradient), 12 + std::sin(3.0));
  EXPECT_THAT(gradient, ElementsAre(12, 4 + std::cos(3.0)));
}

}  // namespace
}  // namespace cotangent::autodiff::forward
