#include "autodiff/differentiate.h"

#include <array>

#include "autodiff/math.h"
#include "autodiff/symbolic/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class EveryMode : public testing::TestWithParam<Mode> {
 protected:
  Method how() const { return GetParam(); }
  // Returns the largest error that is allowed in the tested mode.
  double tolerance() const { return GetParam() == Mode::kNumeric ? 1e-7 : 1e-13; }

  void ExpectNear(const absl::StatusOr<std::vector<double>>& found,
                  const std::vector<double>& expected) const {
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR((*found)[i], expected[i], tolerance()) << "entry " << i;
  }
  void ExpectNear(const absl::StatusOr<Matrix>& found, std::size_t rows,
                  const std::vector<double>& expected) const {
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->rows, rows);
    EXPECT_EQ(found->columns, expected.size() / rows);
    ExpectNear(absl::StatusOr<std::vector<double>>(found->values), expected);
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, testing::ValuesIn(kAllModes),
                         [](const auto& info) { return ModeName(info.param); });

// The two functions f1 = cos(w1) cos(w2) + sigmoid(w2) and f2 = ln(w1 + w2) + w1^2 w2, where w1 is
// w[0] and w2 is w[1].
constexpr auto kTextbook = [](auto w) {
  using namespace functions;  // NOLINT
  using S = std::decay_t<decltype(w[0])>;
  return std::array<S, 2>{cos(w[0]) * cos(w[1]) + sigmoid(w[1]),
                          log(w[0] + w[1]) + w[0] * w[0] * w[1]};
};
constexpr auto kFirst = [](auto w) {
  using std::exp, std::sin;
  return sin(w[0]) * exp(w[1]) + w[0] * w[0];
};
const std::vector<double> kPoint = {1, 2};

TEST_P(EveryMode, ComputesEveryDerivative) {
  const double s = sigmoid(2.0) * sigmoid(-2.0);
  const std::vector<double> jacobian = {
      -std::sin(1.0) * std::cos(2.0), -std::cos(1.0) * std::sin(2.0) + s, 1.0 / 3 + 4, 1.0 / 3 + 1};
  ExpectNear(Jacobian(kTextbook, kPoint, how()), 2, jacobian);
  const std::vector<double> v = {3, -1};
  ExpectNear(Jvp(kTextbook, kPoint, v, how()),
             {3 * jacobian[0] - jacobian[1], 3 * jacobian[2] - jacobian[3]});
  ExpectNear(Vjp(kTextbook, kPoint, v, how()),
             {3 * jacobian[0] - jacobian[2], 3 * jacobian[1] - jacobian[3]});

  const double e = std::exp(2.0), sine = std::sin(1.0), cosine = std::cos(1.0);
  ExpectNear(Gradient(kFirst, kPoint, how()), {cosine * e + 2, sine * e});
  ExpectNear(Hessian(kFirst, kPoint, how()), 2, {-sine * e + 2, cosine * e, cosine * e, sine * e});
  ExpectNear(Hvp(kFirst, kPoint, v, how()),
             {3 * (-sine * e + 2) - cosine * e, 3 * cosine * e - sine * e});
}

TEST_P(EveryMode, DifferentiatesFormulas) {
  symbolic::Pool pool;
  const auto expression = symbolic::Parse("x^2*sin(y) + ln(z)", pool);
  ASSERT_TRUE(expression.ok()) << expression.status();
  const auto f = ExpressionFunction::Create(
      {*expression}, {pool.Variable("x"), pool.Variable("y"), pool.Variable("z")});
  ASSERT_TRUE(f.ok()) << f.status();
  const std::vector<double> x = {2, 0.5, 4};
  ExpectNear(Gradient(*f, x, how()), {4 * std::sin(0.5), 4 * std::cos(0.5), 0.25});
  ExpectNear(Hessian(*f, x, how()), 3,
             {2 * std::sin(0.5), 4 * std::cos(0.5), 0, 4 * std::cos(0.5), -4 * std::sin(0.5), 0, 0,
              0, -1.0 / 16});
}

TEST_P(EveryMode, RefusesWrongSizes) {
  const std::vector<double> three = {1, 2, 3}, none;
  EXPECT_EQ(Gradient(kTextbook, kPoint, how()).status().message(),
            "Gradient is of a function with one result; this one has 2: ask for its Jacobian, or "
            "weigh its results");
  EXPECT_EQ(Jvp(kTextbook, kPoint, three, how()).status().message(),
            "direction: found 3 entries, expected 2, as many as there are inputs");
  EXPECT_EQ(Vjp(kTextbook, kPoint, three, how()).status().message(),
            "weights: found 3 entries, expected 2, as many as there are results");
  EXPECT_TRUE(absl::IsInvalidArgument(Gradient(kFirst, none, how()).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Gradient(kFirst, std::vector<double>{1, NAN}, how()).status()));
}

TEST_P(EveryMode, SaysWhereTheFunctionOrItsDerivativeIsNotFinite) {
  const auto logarithm = [](auto x) {
    using std::log;
    return x[1] * log(x[0]);
  };
  const absl::Status outside = Gradient(logarithm, std::vector<double>{-1, 2}, how()).status();
  EXPECT_TRUE(absl::IsOutOfRange(outside));
  EXPECT_EQ(outside.message(), "the function is not finite at (x0 = -1, x1 = 2): log(-1) is nan");
  if (GetParam() == Mode::kNumeric) return;  // only the other modes must name the operation
  const auto root = [](auto x) {
    using std::sqrt;
    return sqrt(x[0]);
  };
  const absl::Status edge = Gradient(root, std::vector<double>{0}, how()).status();
  EXPECT_TRUE(absl::IsOutOfRange(edge));
  EXPECT_EQ(edge.message(),
            "derivative (0, 0) is not finite at (x0 = 0): sqrt(0) has derivative inf");
}

TEST_P(EveryMode, TellsTheSideTakenAtAKink) {
  const auto f = [](auto x) {
    using std::abs;
    return abs(x[0]) + x[0];
  };
  std::vector<std::string> kinks;
  Method method = how();
  method.kinks = &kinks;
  ExpectNear(Gradient(f, std::vector<double>{0}, method), {1});
  EXPECT_THAT(kinks, testing::ElementsAre("abs at 0: derivative 0 is taken, between -1 and 1"));
  ExpectNear(Gradient(f, std::vector<double>{2}, method), {2});
  EXPECT_THAT(kinks, IsEmpty());
}

TEST(DifferentiateTest, TheGammaFunctionHasNoSymbolicForm) {
  const auto f = [](auto x) {
    using std::lgamma;
    return lgamma(x[0]);
  };
  EXPECT_TRUE(Gradient(f, std::vector<double>{2.5}, Mode::kReverse).ok());
  EXPECT_THAT(
      std::string(Gradient(f, std::vector<double>{2.5}, Mode::kSymbolic).status().message()),
      HasSubstr("lgamma has no symbolic form"));
}

TEST(DifferentiateTest, ReverseHessiansOfManyInputs) {
  const auto rosenbrock = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    S total = 0.0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const S valley = x[i + 1] - x[i] * x[i], offset = 1.0 - x[i];
      total = total + 100.0 * valley * valley + offset * offset;
    }
    return total;
  };
  std::vector<double> x(11);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.1 * static_cast<double>(i);
  const auto forward = Hessian(rosenbrock, x, Mode::kForward),
             reverse = Hessian(rosenbrock, x, Mode::kReverse);
  ASSERT_TRUE(forward.ok() && reverse.ok());
  for (std::size_t k = 0; k < forward->values.size(); ++k)
    EXPECT_NEAR(forward->values[k], reverse->values[k], 1e-11);
}

TEST(DifferentiateTest, TheValueWithTheGradient) {
  const auto f = [](auto x) { return x[0] * x[0] * x[1]; };
  for (const Mode mode : kAllModes) {
    const auto both = ValueAndGradient(f, std::vector<double>{2, 3}, mode);
    ASSERT_TRUE(both.ok()) << both.status();
    EXPECT_EQ(both->value, 12);
    EXPECT_THAT(both->gradient,
                testing::ElementsAre(testing::DoubleNear(12, 1e-8), testing::DoubleNear(4, 1e-8)));
  }
  const auto two = [](auto x) { return std::vector{x[0], x[1]}; };
  EXPECT_THAT(
      std::string(
          ValueAndGradient(two, std::vector<double>{2, 3}, Mode::kForward).status().message()),
      HasSubstr("ValueAndGradient is of a function with one result"));
}

// Derivatives inside a function that is differentiated, in every mode: d/dv (v d/dw (v + w)) = 1
// and d/dv (v d/dw (v w)) = 2 v. The inner derivative uses dual numbers built on the outer
// function's numbers.
TEST_P(EveryMode, DifferentiatesDerivatives) {
  const auto f = [](auto v) {
    using S = std::decay_t<decltype(v[0])>;
    const auto sum = [&](auto w) { return v[0] + w[0]; };
    const auto product = [&](auto w) { return v[0] * w[0]; };
    const std::vector<S> one = {S(1)};
    return std::vector<S>{S(v[0] * forward::Gradient(sum, one)[0]),
                          S(v[0] * forward::Gradient(product, one)[0])};
  };
  const auto jacobian = Jacobian(f, std::vector{1.5}, GetParam());
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  EXPECT_NEAR((*jacobian)(0, 0), 1, 1e-9);
  EXPECT_NEAR((*jacobian)(1, 0), 3, 1e-9);
}

// Two functions use the same names for their variables, so the traces of a formula that mixes their
// variables must be marked as unsupported.
TEST(DifferentiateTest, FormulasOfTwoFunctionsDoNotMix) {
  SymbolicTrace outer, inner;
  const SymbolicScalar v(1, outer.pool.Variable("x"), &outer);
  const SymbolicScalar w(2, inner.pool.Variable("x"), &inner);
  EXPECT_TRUE((v * w).value() == 2 && (w * w).value() == 4);
  EXPECT_EQ(outer.unsupported, "a variable of another function");
  EXPECT_EQ(inner.unsupported, "a variable of another function");
}

// Where an infinite slope meets a slope of 0, symbolic mode takes the limit of the derivative.
TEST(DifferentiateTest, SymbolicDerivativesWhereTheChainRuleFails) {
  const auto f = [](auto x) {
    using namespace functions;
    using S = std::decay_t<decltype(x[0])>;
    const S root = sqrt(x[1]);
    return std::vector<S>{S(sqrt(x[0] * x[0] * x[0] * x[0])), S(root * root * x[0] + x[1])};
  };
  const auto jacobian = Jacobian(f, std::vector<double>{0, 0}, Mode::kSymbolic);
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  EXPECT_EQ(jacobian->values, (std::vector<double>{0, 0, 0, 1}));
  const auto kink = [](auto x) {
    using namespace functions;
    return sqrt(x[0] * x[0]);
  };
  EXPECT_FALSE(Gradient(kink, std::vector<double>{0}, Mode::kSymbolic).ok());
  const auto power = [](auto x) {
    using namespace functions;
    using S = std::decay_t<decltype(x[0])>;
    return S(x[0] * (1.0 - pow(x[0], 1.1)) + x[0] * x[1]);
  };
  const auto hessian = Hessian(power, std::vector<double>{0, 3}, Mode::kSymbolic);
  ASSERT_TRUE(hessian.ok()) << hessian.status();
  EXPECT_EQ(hessian->values, (std::vector<double>{0, 1, 1, 0}));
}

TEST(DifferentiateTest, WhatDoesNotMoveHasNoSay) {
  const auto f = [](auto x) {
    using namespace functions;
    using S = std::decay_t<decltype(x[0])>;
    return S(log(1.0 / max(S(1e-200), x[0])) + acos(S(-1.0)) * x[0]);
  };
  for (const Mode mode : {Mode::kForward, Mode::kReverse}) {
    const auto gradient = Gradient(f, std::vector<double>{0}, mode);
    ASSERT_TRUE(gradient.ok()) << gradient.status();
    EXPECT_EQ(gradient->front(), std::acos(-1.0));
  }
}

}  // namespace
}  // namespace cotangent::autodiff
