#include "autodiff/forward/gradient.h"

#include <array>
#include <type_traits>

#include "autodiff/forward/taylor.h"
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

// The expected values are d/dv (v d/dw (v w)) = 2 v and d/dv (v d/dw (v + w)) = 1.
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

inline constexpr char kMine = 0;

// Each differentiated function is called with a type of dual numbers of its own, tagged with its
// level (LEVELS in dual.h). Dual numbers of two levels must not mix, unless one type is built on
// the other.
TEST(GradientTest, LevelsAreToldApartByType) {
  const auto outer = [](auto v) { return v[0]; };
  const auto inner = [](auto w) { return w[0]; };
  using Outer = LevelDual<decltype(outer), double, 8>;
  using Inner = LevelDual<decltype(inner), double, 8>;
  static_assert(Adds<Outer, Outer> && Adds<Outer, double>);
  static_assert(!Adds<Outer, Inner>);
  static_assert(!Adds<Outer, LevelDualOfDuals<decltype(inner), double, 8>>);
  static_assert(Adds<Outer, LevelDual<decltype(inner), Outer, 8>>);
  // Dual numbers made by hand belong to no function's level.
  static_assert(!Adds<Outer, Dual<double, 8>> && !Adds<Outer, Dual<double, 1>>);
  static_assert(!Adds<Outer, Dual<Dual<double, 8>, 8>>);
  static_assert(!Adds<Outer, DynamicDual<>> && !Adds<Outer, Taylor<double, 3>>);
  static_assert(!std::is_convertible_v<Outer, Dual<double, 8>>);
  static_assert(!std::is_convertible_v<Dual<double, 8>, Outer>);
  static_assert(Adds<Outer, Dual<Outer, 1>> && Adds<Outer, Taylor<Outer, 3>>);
  // Types made by hand with different tags do not mix either.
  using Mine = Dual<double, 1, &kMine>;
  static_assert(Adds<Mine, Mine> && !Adds<Mine, Dual<double, 1>> && !Adds<Mine, Outer>);
}

// Dual numbers made by hand, at any depth: d/dv (v d/dw (v + w)) = 1 and d/dv (v d/dw (v w)) = 2 v.
template <class T>
T BySum(const T& v) {
  using D = Dual<T, 1>;
  return v * (v + D::Variable(T(1), 0)).tangent[0];
}
template <class T>
T ByProduct(const T& v) {
  using D = Dual<T, 1>;
  return v * (v * D::Variable(T(1), 0)).tangent[0];
}
template <class T>
T BySeries(const T& v) {
  return v * (v * Taylor<T, 2>::Variable(T(1)))[1];
}
TEST(GradientTest, DualsOfAFunctionsOwnNumbersAreRightAtEveryDepth) {
  using D = Dual<double, 1>;
  const D v = D::Variable(1.5, 0);
  EXPECT_EQ(BySum(v).tangent[0], 1);
  EXPECT_EQ(ByProduct(v).tangent[0], 3);
  EXPECT_EQ(BySeries(v).tangent[0], 3);
  const auto sum = [](auto x) { return BySum(x[0]); };
  const auto product = [](auto x) { return ByProduct(x[0]); };
  const auto series = [](auto x) { return BySeries(x[0]); };
  const std::vector<double> x = {1.5};
  EXPECT_THAT(Gradient(sum, x), ElementsAre(1));
  EXPECT_THAT(Gradient(product, x), ElementsAre(3));
  EXPECT_THAT(Gradient(series, x), ElementsAre(3));
  EXPECT_THAT(Hessian(product, x), ElementsAre(2));
  // Three levels: d/du (u d/dv (v d/dw (u v w))) = d/du (u 2 u v) = 4 u v, at v = 1.
  const auto deep = [](auto u) {
    using S = std::decay_t<decltype(u[0])>;
    const auto middle = [&](auto v) {
      using T = std::decay_t<decltype(v[0])>;
      const auto inner = [&](auto w) { return u[0] * v[0] * w[0]; };
      return v[0] * forward::Gradient(inner, std::vector<T>{1.0})[0];
    };
    return u[0] * forward::Gradient(middle, std::vector<S>{1.0})[0];
  };
  EXPECT_THAT(Gradient(deep, x), ElementsAre(6));
}

TEST(GradientTest, WithTheValue) {
  std::vector<double> gradient;
  EXPECT_EQ(ValueAndGradient(kProduct, std::vector{2.0, 3.0}, gradient), 12 + std::sin(3.0));
  EXPECT_THAT(gradient, ElementsAre(12, 4 + std::cos(3.0)));
}

}  // namespace
}  // namespace cotangent::autodiff::forward
