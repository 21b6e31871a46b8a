#include "autodiff/forward/taylor.h"

#include "autodiff/forward/dual.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::forward {
namespace {

using Series = Taylor<double, 3>;
using D1 = Dual<double, 1>;
using D2 = Dual<D1, 1>;
using D3 = Dual<D2, 1>;

// Compares the value and three derivatives of f at x, computed by Taylor series, with those
// computed by dual numbers nested three times.
template <class F>
void ExpectSeriesMatchesNestedDuals(const char* name, F f, double x) {
  const Series series = f(Series::Variable(x));
  const D3 nested = f(VariableOf<D3>(x, 0, 1));
  const double expected[] = {nested.value.value.value, nested.tangent[0].value.value,
                             nested.tangent[0].tangent[0].value,
                             nested.tangent[0].tangent[0].tangent[0]};
  for (int k = 0; k <= 3; ++k) {
    EXPECT_NEAR(series.Derivative(k), expected[k], 1e-11 * std::max(1.0, std::abs(expected[k])))
        << name << " at " << x << ", derivative " << k;
  }
}

#define EXPECT_SERIES(expression, point) \
  ExpectSeriesMatchesNestedDuals(        \
      #expression, [](const auto& x) { return expression; }, point)

TEST(TaylorTest, MatchesNestedDualsOnEveryFunction) {
  for (double x : {-0.7, 0.3, 0.8}) {
    EXPECT_SERIES(exp(x), x);
    EXPECT_SERIES(exp2(x), x);
    EXPECT_SERIES(expm1(x), x);
    EXPECT_SERIES(log1p(x), x);
    EXPECT_SERIES(sin(x), x);
    EXPECT_SERIES(cos(x), x);
    EXPECT_SERIES(tan(x), x);
    EXPECT_SERIES(asin(x), x);
    EXPECT_SERIES(acos(x), x);
    EXPECT_SERIES(atan(x), x);
    EXPECT_SERIES(sinh(x), x);
    EXPECT_SERIES(cosh(x), x);
    EXPECT_SERIES(tanh(x), x);
    EXPECT_SERIES(asinh(x), x);
    EXPECT_SERIES(atanh(x), x);
    EXPECT_SERIES(erf(x), x);
    EXPECT_SERIES(erfc(x), x);
    EXPECT_SERIES(cbrt(x), x);
    EXPECT_SERIES(abs(x), x);
    EXPECT_SERIES(pow(x, 3.0), x);
    EXPECT_SERIES(1 / (x + 3), x);
    EXPECT_SERIES(sigmoid(x), x);
    EXPECT_SERIES(softplus(x), x);
    EXPECT_SERIES(softsign(x), x);
    EXPECT_SERIES(relu(x), x);
    EXPECT_SERIES(elu(x, 1.5), x);
    EXPECT_SERIES(gelu(x), x);
    EXPECT_SERIES(gelu_tanh(x), x);
    EXPECT_SERIES(silu(x), x);
    EXPECT_SERIES(hard_swish(x), x);
    EXPECT_SERIES(logsumexp(x, x * x), x);
    EXPECT_SERIES(atan2(x, 1 + x * x), x);
    EXPECT_SERIES(hypot(x, 1 + x * x), x);
  }
  for (double x : {1.5, 4.0}) {
    EXPECT_SERIES(log(x), x);
    EXPECT_SERIES(log2(x), x);
    EXPECT_SERIES(log10(x), x);
    EXPECT_SERIES(sqrt(x), x);
    EXPECT_SERIES(acosh(x), x);
    EXPECT_SERIES(pow(x, 2.5), x);
    EXPECT_SERIES(pow(x, x), x);
  }
}

TEST(TaylorTest, CoefficientsOfTheGeometricSeries) {
  const auto y = 1 / (1 - Taylor<double, 10>::Variable(0.0));
  for (int k = 0; k <= 10; ++k) EXPECT_EQ(y[k], 1.0);
}

TEST(TaylorTest, PowersOfConstantExponents) {
  EXPECT_EQ(pow(Series::Variable(0), 65.0)[0], 0);
  EXPECT_EQ(pow(Series::Variable(0), 65.0)[1], 0);
  EXPECT_EQ(pow(Series::Variable(0), 2.0)[2], 1);
  const Series cubed = pow(Series::Variable(-2), Series(3.0));
  EXPECT_EQ(cubed[0], -8);
  EXPECT_EQ(cubed[1], 12);
  EXPECT_EQ(cubed[2], -6);
  EXPECT_EQ(pow(Series::Variable(0), Series(0.0))[1], 0);
  EXPECT_EQ(pow(Series::Variable(0), 1.5)[1], 0);
}

// e^800 overflows; a function whose slope is 0 at such an argument counts as constant.
TEST(TaylorTest, AnArgumentThatOverflowedCountsAsConstant) {
  using namespace functions;
  using T = Taylor<double, 3>;
  const T x = T::Variable(800), large = exp(x);
  for (const T& y : {1 / (1 + large), x / large, atan(large), tanh(large), erf(large),
                     sigmoid(large), exp(-large), pow(large, -2.0), pow(large, -1.5)}) {
    for (int k = 1; k <= 3; ++k) EXPECT_EQ(y[k], 0) << y;
  }
}

TEST(TaylorTest, AConstantAtTheEdgeOfADomainSpoilsNothing) {
  const Series x = Series::Variable(2);
  EXPECT_EQ((acos(Series(-1.0)) * x)[1], std::acos(-1.0));
  EXPECT_EQ((sqrt(Series(0.0)) * x)[1], 0);
  EXPECT_EQ((log(1 / max(1e-200, Series::Variable(0))) + x)[1], 1);
}

}  // namespace
}  // namespace cotangent::autodiff::forward
