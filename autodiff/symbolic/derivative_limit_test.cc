#include "autodiff/symbolic/derivative_limit.h"

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/symbolic/limits.h"
#include "autodiff/symbolic/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

absl::StatusOr<double> ByX(const std::string& text, const Bindings& point) {
  Pool pool;
  Budget budget(kLimitWork);
  return DerivativeByLimit(*Parse(text, pool), pool.Variable("x"), point, &budget);
}

// The expected derivatives follow from the functions' series at the point.
TEST(DerivativeLimitTest, WhereAnInfiniteSlopeMeetsZero) {
  struct Case {
    const char* text;
    Bindings point;
    double derivative;
  };
  for (const Case& c : std::vector<Case>{{"sqrt(x^4)", {{"x", 0}}, 0},
                                         {"sqrt(x^2 + y^2)^2", {{"x", 0}, {"y", 0}}, 0},
                                         {"sqrt(x^2 + y^2)*(x + y)", {{"x", 0}, {"y", 0}}, 0},
                                         {"sqrt(x^2*y)*x", {{"x", 0}, {"y", 3}}, 0},
                                         {"sqrt(x)^2", {{"x", 0}}, 1},
                                         {"x*sqrt(x)", {{"x", 0}}, 0},
                                         {"cbrt(x^3)", {{"x", 0}}, 1},
                                         {"cbrt(x)^3", {{"x", 0}}, 1},
                                         {"sin(sqrt(x))^2", {{"x", 0}}, 1},
                                         {"cos(sqrt(x))", {{"x", 0}}, -0.5},
                                         {"cosh(sqrt(x))", {{"x", 0}}, 0.5},
                                         {"acos(1 - x^4)", {{"x", 0}}, 0},
                                         {"acosh(1 + x^4)", {{"x", 0}}, 0},
                                         {"sqrt((x - 0.1)^4)", {{"x", 0.1}}, 0},
                                         {"sqrt(abs(x)^3)", {{"x", 0}}, 0}}) {
    const absl::StatusOr<double> derivative = ByX(c.text, c.point);
    ASSERT_TRUE(derivative.ok()) << c.text << ": " << derivative.status();
    EXPECT_NEAR(*derivative, c.derivative, 1e-15) << c.text;
  }
}

// The expected derivatives follow from the functions' series at the point.
TEST(DerivativeLimitTest, OfSecondDerivatives) {
  const auto second = [](const std::string& text, const char* by, const Bindings& point) {
    Pool pool;
    Budget budget(kLimitWork);
    return SecondDerivativeByLimit(*Parse(text, pool), pool.Variable("x"), pool.Variable(by), point,
                                   &budget);
  };
  for (const auto& [text, derivative] :
       std::vector<std::pair<const char*, double>>{{"x*(1 - x^1.1)", 0},
                                                   {"x*abs(x)^1.5", 0},
                                                   {"x^1.5*x", 0},
                                                   {"(x^2)^1.3", 0},
                                                   {"sqrt(x^4)", 2},
                                                   {"sqrt(x^2)*x^2", 0},
                                                   {"cos(sqrt(x))", 1.0 / 12},
                                                   {"abs(-x^2)", 2},
                                                   {"max(x^2, -x^2)", 2},
                                                   {"relu(x^4) + 3*x^2", 6},
                                                   {"sign(x)^2*0 + abs(sin(x)^2)", 2}}) {
    const absl::StatusOr<double> found = second(text, "x", {{"x", 0}});
    ASSERT_TRUE(found.ok()) << text << ": " << found.status();
    EXPECT_NEAR(*found, derivative, 1e-15) << text;
  }
  EXPECT_DOUBLE_EQ(*second("y^3*abs(x^2)*x + 5*x*y", "y", {{"x", 0}, {"y", 2}}), 5);
  // Beside 0, the second derivatives of the first two are -2 and 2, and 0 and 2; that of the third
  // is infinite. The first derivative of abs(x) jumps at 0.
  for (const char* const text : {"x*abs(x)", "relu(x)^2", "x^1.5", "abs(x)"})
    EXPECT_FALSE(second(text, "x", {{"x", 0}}).ok()) << text;
}

TEST(DerivativeLimitTest, SaysWhyThereIsNone) {
  const auto error = [](const std::string& text) {
    return std::string(ByX(text, {{"x", 0}}).status().message());
  };
  EXPECT_EQ(error("sqrt(x^2)"), "its slope is -1 from the left, 1 from the right");
  EXPECT_EQ(error("sqrt(sin(x)^2)"), "its slope is -1 from the left, 1 from the right");
  EXPECT_EQ(error("cbrt(x)"), "its slope is infinite there");
  EXPECT_EQ(error("sqrt(x)"), "its slope is infinite there");
  EXPECT_EQ(error("if(x < 0, 1, sqrt(x^4))"), "it jumps there");
  EXPECT_EQ(error("sqrt(-x^2)"), "it is not defined beside the point");
  EXPECT_THAT(error("x^2*sin(1/x)"), testing::HasSubstr("is not defined"));
  EXPECT_THAT(error("exp(-1/x^2)"), testing::HasSubstr("is not defined"));
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
