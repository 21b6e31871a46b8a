#include "autodiff/forward/dual.h"

#include <sstream>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::autodiff::forward {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using D1 = Dual<double, 1>;

D1 X(double x) { return D1::Variable(x, 0); }

// Compares the first and second derivatives of f at x, computed by dual numbers, with central
// differences of f and of its first derivative.
template <class F>
void ExpectDerivatives(const char* name, F f, double x) {
  using D2 = Dual<D1, 1>;
  constexpr double kStep = 1e-5;
  const D1 y = f(X(x));
  const D2 z = f(VariableOf<D2>(x, 0, 1));
  EXPECT_DOUBLE_EQ(y.value, f(x)) << name << " at " << x;
  const double slope = (f(x + kStep) - f(x - kStep)) / (2 * kStep);
  const double curvature = (f(X(x + kStep)).tangent[0] - f(X(x - kStep)).tangent[0]) / (2 * kStep);
  EXPECT_NEAR(y.tangent[0], slope, 2e-8 * std::max(1.0, std::abs(slope))) << name << " at " << x;
  EXPECT_NEAR(z.tangent[0].tangent[0], curvature, 2e-8 * std::max(1.0, std::abs(curvature)))
      << name << " at " << x;
  EXPECT_EQ(z.tangent[0].value, y.tangent[0]) << name << " at " << x;
}

#define EXPECT_DERIVATIVES(expression, point) \
  ExpectDerivatives(                          \
      #expression, [](const auto& x) { return expression; }, point)

TEST(DualTest, DerivativesOfEveryFunction) {
  using namespace functions;
  for (double x : {-0.9, -0.4, 0.3, 0.8}) {
    EXPECT_DERIVATIVES(2.0 * x * x - x / 3.0 + 1.0 / (x - 2.0), x);
    EXPECT_DERIVATIVES(abs(x), x);
    EXPECT_DERIVATIVES(fabs(x), x);
    EXPECT_DERIVATIVES(sqr(x), x);
    EXPECT_DERIVATIVES(cbrt(x), x);
    EXPECT_DERIVATIVES(pow(x, 3), x);
    EXPECT_DERIVATIVES(pow(x, -2), x);
    EXPECT_DERIVATIVES(pow(2.5, x), x);
    EXPECT_DERIVATIVES(pow(x * x, x), x);
    EXPECT_DERIVATIVES(hypot(x, 2.0), x);
    EXPECT_DERIVATIVES(hypot(x, x * x), x);
    EXPECT_DERIVATIVES(fma(x, x, x), x);
    EXPECT_DERIVATIVES(exp(x), x);
    EXPECT_DERIVATIVES(exp2(x), x);
    EXPECT_DERIVATIVES(expm1(x), x);
    EXPECT_DERIVATIVES(log1p(x), x);
    EXPECT_DERIVATIVES(sin(x), x);
    EXPECT_DERIVATIVES(cos(x), x);
    EXPECT_DERIVATIVES(tan(x), x);
    EXPECT_DERIVATIVES(asin(x), x);
    EXPECT_DERIVATIVES(acos(x), x);
    EXPECT_DERIVATIVES(atan(x), x);
    EXPECT_DERIVATIVES(atan2(x, x * x - 2.0), x);
    EXPECT_DERIVATIVES(sinh(x), x);
    EXPECT_DERIVATIVES(cosh(x), x);
    EXPECT_DERIVATIVES(tanh(x), x);
    EXPECT_DERIVATIVES(asinh(x), x);
    EXPECT_DERIVATIVES(atanh(x), x);
    EXPECT_DERIVATIVES(erf(x), x);
    EXPECT_DERIVATIVES(erfc(x), x);
    EXPECT_DERIVATIVES(fmod(x * 5.0, 1.4), x);
    EXPECT_DERIVATIVES(remainder(x * 5.0, 1.7), x);
    EXPECT_DERIVATIVES(copysign(x * x, x), x);
    EXPECT_DERIVATIVES(fmax(x, x * x), x);
    EXPECT_DERIVATIVES(fmin(x, x * x), x);
    EXPECT_DERIVATIVES(max(x, x * x), x);
    EXPECT_DERIVATIVES(min(x, x * x), x);
    EXPECT_DERIVATIVES(fdim(x, x * x), x);
    EXPECT_DERIVATIVES(floor(x) * x, x);
    EXPECT_DERIVATIVES(ceil(x) * x, x);
    EXPECT_DERIVATIVES(round(x) * x, x);
    EXPECT_DERIVATIVES(trunc(x) * x, x);
    EXPECT_DERIVATIVES(sign(x) * x, x);
    EXPECT_DERIVATIVES(sigmoid(x), x);
    EXPECT_DERIVATIVES(softplus(x), x);
    EXPECT_DERIVATIVES(softsign(x), x);
    EXPECT_DERIVATIVES(relu(x), x);
    EXPECT_DERIVATIVES(leaky_relu(x, 0.1), x);
    EXPECT_DERIVATIVES(elu(x, 1.3), x);
    EXPECT_DERIVATIVES(gelu(x), x);
    EXPECT_DERIVATIVES(gelu_tanh(x), x);
    EXPECT_DERIVATIVES(silu(x), x);
    EXPECT_DERIVATIVES(hard_swish(x), x);
    EXPECT_DERIVATIVES(logsumexp(x, x * x), x);
  }
  for (double x : {1.2, 3.7}) {
    EXPECT_DERIVATIVES(sqrt(x), x);
    EXPECT_DERIVATIVES(log(x), x);
    EXPECT_DERIVATIVES(log2(x), x);
    EXPECT_DERIVATIVES(log10(x), x);
    EXPECT_DERIVATIVES(acosh(x), x);
    EXPECT_DERIVATIVES(lgamma(x), x);
    EXPECT_DERIVATIVES(tgamma(x), x);
    EXPECT_DERIVATIVES(digamma(x), x);
    EXPECT_DERIVATIVES(pow(x, 2.5), x);
    EXPECT_DERIVATIVES(pow(x, x), x);
  }
}

TEST(DualTest, TheHeadersExamples) {
  const D1 x = X(2);
  const D1 y = x * x * sin(x);
  EXPECT_NEAR(y.value, 3.637190, 1e-6);
  EXPECT_NEAR(y.tangent[0], 1.972602, 1e-6);
  using D = Dual<double, 2>;
  const D r = hypot(D::Variable(3, 0), D::Variable(4, 1));
  EXPECT_EQ(r.value, 5);
  EXPECT_DOUBLE_EQ(r.tangent[0], 0.6);
  EXPECT_DOUBLE_EQ(r.tangent[1], 0.8);
}

template <int N>
void ExpectGradientOfProduct() {
  using D = Dual<double, N>;
  D product(1);
  for (int i = 0; i < N; ++i) product *= D::Variable(i + 1, i);
  for (int i = 0; i < N; ++i)
    EXPECT_NEAR(product.tangent[i], product.value / (i + 1), 1e-12 * product.value) << N;
}

TEST(DualTest, AnyNumberOfDirections) {
  ExpectGradientOfProduct<1>();
  ExpectGradientOfProduct<2>();
  ExpectGradientOfProduct<3>();
  ExpectGradientOfProduct<7>();
  ExpectGradientOfProduct<8>();
  ExpectGradientOfProduct<13>();
}

TEST(DualTest, DirectionsCountedAtRunTime) {
  using D = DynamicDual<>;
  const int n = 5;
  D product(1.0);
  for (int i = 0; i < n; ++i) product *= D::Variable(i + 1, i, n);
  ASSERT_EQ(product.tangent.size(), n);
  for (int i = 0; i < n; ++i) EXPECT_DOUBLE_EQ(product.tangent[i], 120.0 / (i + 1));
  const D constant = exp(D(2.0)) / 3.0;
  EXPECT_EQ(constant.tangent.size(), 0);
}

TEST(DualTest, FloatLanesAndNestedHessian) {
  Dual<float, 5> x = Dual<float, 5>::Variable(2.0f, 4);
  EXPECT_EQ((x * x).tangent[4], 4.0f);
  EXPECT_EQ((x * x).tangent[0], 0.0f);

  using D = Dual<Dual<double, 2>, 2>;
  const D a = VariableOf<D>(2, 0, 2), b = VariableOf<D>(3, 1, 2);
  const D y = a * a * b + sin(a * b);
  EXPECT_NEAR(y.tangent[0].tangent[0], 2 * 3 - 9 * std::sin(6.0), 1e-13);
  EXPECT_NEAR(y.tangent[0].tangent[1], 2 * 2 + std::cos(6.0) - 6 * std::sin(6.0), 1e-13);
  EXPECT_EQ(y.tangent[0].tangent[1], y.tangent[1].tangent[0]);
}

TEST(DualTest, MixesWithPlainNumbersOfAnyType) {
  const D1 x = X(3);
  EXPECT_EQ((2 * x + 1).tangent[0], 2);
  EXPECT_EQ((1 - x).tangent[0], -1);
  EXPECT_DOUBLE_EQ((6 / x).tangent[0], -6.0 / 9);
  EXPECT_DOUBLE_EQ((x / 2u).tangent[0], 0.5);
  EXPECT_TRUE(x > 2 && 4 > x && x == 3 && x != 4.5 && x <= 3 && x >= 3.0f);
  Dual<D1, 1> nested = 2 * Dual<D1, 1>(x) + x + 1;
  EXPECT_EQ(nested.value.value, 10);
}

TEST(DualTest, KinksTakeTheStatedSide) {
  using std::max, std::min;
  const D1 zero = X(0), other = 2 * X(0);
  EXPECT_EQ(abs(zero).tangent[0], 0);
  EXPECT_EQ(relu(zero).tangent[0], 0);
  EXPECT_EQ(leaky_relu(zero, 0.25).tangent[0], 0.25);
  EXPECT_EQ(elu(zero, 3).tangent[0], 3);
  EXPECT_EQ(hypot(zero, zero).tangent[0], 0);
  EXPECT_EQ(max(zero, other).tangent[0], 1);
  EXPECT_EQ(max(other, zero).tangent[0], 2);
  EXPECT_EQ(min(zero, other).tangent[0], 1);
  EXPECT_EQ(fmax(zero, other).tangent[0], 1);
  EXPECT_EQ(fmin(zero, 0.0).tangent[0], 1);
  EXPECT_EQ(hard_swish(X(-3)).tangent[0], 0);
  EXPECT_EQ(hard_swish(X(3)).tangent[0], 1);
  EXPECT_EQ(floor(X(2)).tangent[0], 0);
}

TEST(DualTest, EdgesAndOutsidesOfDomains) {
  EXPECT_EQ(sqrt(X(0)).tangent[0], kInf);
  EXPECT_EQ(cbrt(X(0)).tangent[0], kInf);
  EXPECT_EQ(log(X(0)).tangent[0], kInf);
  EXPECT_EQ(asin(X(1)).tangent[0], kInf);
  EXPECT_EQ(acos(X(1)).tangent[0], -kInf);
  EXPECT_EQ(acosh(X(1)).tangent[0], kInf);
  EXPECT_EQ(atanh(X(1)).tangent[0], kInf);
  for (const D1& y : {sqrt(X(-1)), log(X(-1)), log1p(X(-2)), asin(X(2)), acos(X(-2)), acosh(X(0)),
                      acosh(X(-2)), atanh(X(2)), log2(X(-1)), pow(X(-1), 0.5)}) {
    EXPECT_TRUE(std::isnan(y.value)) << y.value;
    EXPECT_TRUE(std::isnan(y.tangent[0])) << y.tangent[0];
  }
}

TEST(DualTest, PowersAtZeroAndOfNegativeNumbers) {
  EXPECT_EQ(pow(X(0), 2).tangent[0], 0);
  EXPECT_EQ(pow(X(0), 1).tangent[0], 1);
  EXPECT_EQ(pow(X(0), 0.5).tangent[0], kInf);
  EXPECT_EQ(pow(X(0), 0).tangent[0], 0);
  EXPECT_EQ(pow(X(-2), D1(3)).tangent[0], 12);
  EXPECT_EQ(pow(D1(0), X(2)).tangent[0], 0);
  EXPECT_TRUE(std::isnan(pow(D1(-2), X(2)).tangent[0]));
}

TEST(DualTest, RulesKeepTheirDigitsInTheTails) {
  EXPECT_NEAR(sigmoid(X(40)).tangent[0] / std::exp(-40.0), 1, 1e-15);
  EXPECT_NEAR(tanh(X(20)).tangent[0] / (4 * std::exp(-40.0)), 1, 1e-15);
  EXPECT_NEAR(expm1(X(-50)).tangent[0] / std::exp(-50.0), 1, 1e-15);
}

TEST(DualTest, LogSumExpOfASpanHasTheSoftmaxForGradient) {
  using D = Dual<double, 3>;
  const std::vector<D> x = {D::Variable(1000, 0), D::Variable(1001, 1), D::Variable(999, 2)};
  const D y = logsumexp(std::span<const D>(x));
  const double total = 1 + std::exp(1.0) + std::exp(-1.0);
  EXPECT_NEAR(y.value, 1000 + std::log(total), 1e-12);
  EXPECT_NEAR(y.tangent[0], 1 / total, 1e-15);
  EXPECT_NEAR(y.tangent[1], std::exp(1.0) / total, 1e-15);
}

TEST(DualTest, PartsOfANumber) {
  int exponent = 0;
  const D1 mantissa = frexp(X(12), &exponent);
  EXPECT_EQ(mantissa.value, 0.75);
  EXPECT_EQ(exponent, 4);
  EXPECT_EQ(mantissa.tangent[0], 1.0 / 16);
  D1 whole;
  EXPECT_EQ(modf(X(2.25), &whole).value, 0.25);
  EXPECT_EQ(whole.value, 2);
  EXPECT_EQ(whole.tangent[0], 0);
  EXPECT_EQ(ldexp(X(3), 2).tangent[0], 4);
  EXPECT_EQ(fmod(X(7), X(4)).tangent[0], 0);
  EXPECT_TRUE(isfinite(X(1)) && isinf(X(kInf)) && isnan(X(NAN)) && signbit(X(-0.0)));
  std::ostringstream out;
  out << Dual<double, 2>::Variable(3, 1);
  EXPECT_EQ(out.str(), "3 [0, 1]");
}

// x^y at (-2, 3) has derivative 12 by x, though ln x, and so the derivative by y, is not defined
// there. The derivatives of x^y at x = 0 are those of the table in autodiff/math.h. Constants at
// the edge of a domain have tangents 0.
TEST(DualTest, OperandsThatDoNotMoveOrAreAtAnEdge) {
  using D = Dual<double, 2>;
  const D cubed = pow(D::Variable(-2, 0), D::Variable(3, 1));
  EXPECT_EQ(cubed.value, -8);
  EXPECT_EQ(cubed.tangent[0], 12);
  EXPECT_TRUE(std::isnan(cubed.tangent[1]));
  const D root = pow(D::Variable(0, 0), D::Variable(0.5, 1));
  EXPECT_EQ(root.tangent[0], kInf);
  EXPECT_EQ(root.tangent[1], 0);
  const D1 x = X(2);
  for (const D1& edge : {sqrt(D1(0)), acos(D1(-1)), asin(D1(1)), acosh(D1(1)), cbrt(D1(0)),
                         pow(D1(0), 0.5), pow(D1(0), D1(0.5)), pow(0.0, D1(0.5))}) {
    EXPECT_EQ((edge * x).tangent[0], edge.value);
  }
  using std::max;
  EXPECT_EQ(log(1.0 / max(D1(1e-200), X(0))).tangent[0], 0);
  EXPECT_EQ((D::Variable(1, 0) / 1e-310).tangent[1], 0);
  EXPECT_EQ((D::Variable(1e-320, 0) / D::Variable(1e-310, 1)).tangent[1] / -1e300,
            1.0 * (1e-320 / 1e-310) / 1e-310 / 1e300);
}

// e^800 overflows, in float e^100 does, and the third power of 1e160. Each function of such an
// argument then counts as constant: its derivative is 0. (The true derivatives at 800 are below
// 1e-300 in magnitude.)
TEST(DualTest, AnArgumentThatOverflowedCountsAsConstant) {
  using namespace functions;
  const auto each = [](const auto& x) {
    using D = std::decay_t<decltype(x)>;
    const D large = exp(x);
    return std::vector<D>{1.0 / (1.0 + large), D(1) / (D(1) + large),
                          x / large,           atan(large),
                          tanh(large),         erf(large),
                          sigmoid(large),      softsign(large),
                          exp(-large),         pow(large, -2),
                          pow(large, D(-1.5)), atan2(D(1), large),
                          fmod(x, large) - x,  gelu(-large),
                          silu(-large),        tanh(x * x * x * large)};
  };
  for (const D1& y : each(X(800))) EXPECT_EQ(y.tangent[0], 0) << y;
  for (const auto& y : each(Dual<double, 2>::Variable(800, 1))) EXPECT_EQ(y.tangent[1], 0) << y;
  for (const auto& y : each(Dual<float, 3>::Variable(100, 1))) EXPECT_EQ(y.tangent[1], 0) << y;
  using D2 = Dual<Dual<double, 1>, 1>;
  for (const D2& y : each(VariableOf<D2>(800, 0, 1))) {
    EXPECT_EQ(y.tangent[0].value, 0) << y;
    EXPECT_EQ(y.tangent[0].tangent[0], 0) << y;
  }
  EXPECT_EQ(tanh(pow(X(1e160), 3)).tangent[0], 0);
  // A result that is infinite or undefined itself keeps a derivative that is not finite.
  EXPECT_EQ(exp(X(800)).tangent[0], kInf);
  EXPECT_TRUE(std::isnan((exp(X(800)) / exp(X(800))).tangent[0]));
}

// The derivative of 1 / (1 + e^-x) at -708 is e^-708 to double precision, though the denominator
// (1 + e^708)^2 of the quotient rule overflows.
TEST(DualTest, QuotientsByHugeNumbers) {
  const double slope = std::exp(-708.0);
  EXPECT_NEAR((1.0 / (1.0 + exp(-X(-708)))).tangent[0], slope, 1e-13 * slope);
  EXPECT_NEAR((D1(1) / (D1(1) + exp(-X(-708)))).tangent[0], slope, 1e-13 * slope);
  EXPECT_EQ((X(1e300) / 1.7e308).tangent[0], 1 / 1.7e308);
  EXPECT_EQ((X(1e300) / D1(1.7e308)).tangent[0], 1 / 1.7e308);
}

TEST(DualTest, TheEdgeOfADomainIsApproachedFromInside) {
  for (const double zero : {0.0, -0.0}) {
    EXPECT_EQ(sqrt(X(zero)).tangent[0], kInf);
    EXPECT_EQ(log(X(zero)).tangent[0], kInf);
    EXPECT_EQ(log2(X(zero)).tangent[0], kInf);
    EXPECT_EQ(log10(X(zero)).tangent[0], kInf);
    EXPECT_EQ(cbrt(X(zero)).tangent[0], kInf);
  }
}

// Near (7.5, 2), fmod(x, y) is x - 3 y, since trunc(x / y) is 3, and remainder(x, y) is x - 4 y,
// since 4 is the integer nearest to x / y. So `cut` is x y - 3 y^2 and `rounded` x y - 4 y^2.
TEST(DualTest, RemaindersOfNestedDuals) {
  using D2 = Dual<Dual<double, 2>, 2>;
  const D2 x = VariableOf<D2>(7.5, 0, 2), y = VariableOf<D2>(2, 1, 2);
  const D2 cut = fmod(x, y) * y, rounded = remainder(x, y) * y;
  EXPECT_EQ(cut.value.value, 3);
  EXPECT_EQ(cut.tangent[0].value, 2);
  EXPECT_EQ(cut.tangent[1].value, 1.5 - 3 * 2);
  EXPECT_EQ(cut.value.tangent[1], 1.5 - 3 * 2);
  EXPECT_EQ(cut.tangent[0].tangent[1], 1);
  EXPECT_EQ(cut.tangent[1].tangent[1], -6);
  EXPECT_EQ(rounded.value.value, -1);
  EXPECT_EQ(rounded.tangent[1].value, -0.5 - 4 * 2);
}

// log10(1000) is 3 in the C library, but 2.9999999999999996 as a quotient of logarithms, whose
// floor would be 2.
TEST(DualTest, BranchesFollowThePlainFunctions) {
  EXPECT_EQ((floor(log10(X(1000))) * X(1000)).tangent[0], 3);
  EXPECT_EQ((floor(log2(X(8))) * X(8)).tangent[0], 3);
}

TEST(DualTest, Increments) {
  D1 x = X(1);
  EXPECT_EQ((x++).value, 1);
  EXPECT_EQ((++x).value, 3);
  EXPECT_EQ((--x).value, 2);
  EXPECT_EQ((x--).value, 2);
  EXPECT_EQ(x.tangent[0], 1);
}

}  // namespace
}  // namespace cotangent::autodiff::forward
