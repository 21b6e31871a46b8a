#include "autodiff/symbolic/uncancelled.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

struct Case {
  const char* text;
  double x;      // where the text loses digits
  double value;  // by mpmath, 50 digits
};

const std::vector<Case> kCases = {
    {"sqrt(1-tanh(x)^2)", 30, 1.8715245937680349e-13},
    {"ln(1-tanh(x)^2)", 20, -38.613705638880109},
    {"1-tanh(x)", 20, 8.496708510583178e-18},
    {"1+tanh(x)", -20, 8.496708510583178e-18},
    {"1-sin(x)^2", 1.5707963, 7.1796648300237912e-16},
    {"1-cos(x)^2", 1e-9, 1.0000000000000001e-18},
    {"cosh(x)^2-1", 1e-6, 1.0000000000003332e-12},
    {"1-sech(x)^2", 1e-9, 1.0000000000000001e-18},
    {"exp(x)-1", 1e-10, 1.00000000005e-10},
    {"3*exp(x)-3", 1e-10, 3.0000000001500001e-10},
    {"ln(1+x)", 1e-15, 9.9999999999999958e-16},
    {"ln(1+exp(x))", -40, 4.248354255291589e-18},
    {"ln(sigmoid(x))", 40, -4.248354255291589e-18},
    {"ln(cosh(x))", 1e-5, 4.9999999999166675e-11},
    {"1-cos(x)", 1e-6, 4.9999999999995829e-13},
    {"cosh(x)-1", 1e-6, 5.0000000000004162e-13},
    {"sqrt(1+x)-1", 1e-14, 4.9999999999999875e-15},
    {"1-sqrt(1-x^2)", 1e-7, 5.000000000000012e-15},
    {"cosh(x)-sinh(x)", 15, 3.0590232050182579e-7},
    {"ln(x+sqrt(x^2+1))", -1e6, -14.508657738524469},
    {"1-1/(1+exp(-x))", 40, 4.248354255291589e-18},
    {"sigmoid(x)*(1-sigmoid(x))", 40, 4.248354255291589e-18},
    {"1-erf(x)", 6, 2.1519736712498913e-17},
    {"1-erfc(x)", 1e-20, 1.1283791670955125e-20},
    {"atanh(tanh(x))", 15, 15},
    {"acosh(cosh(x))", 1e-4, 0.0001},
    {"sqrt(x+1)-sqrt(x)", 1e12, 4.99999999999875e-7},
    {"1/x-1/(x+1)", 1e8, 9.999999900000001e-17},
    {"ln(x+1)-ln(x)", 1e9, 9.999999995e-10},
    {"exp(x)-exp(-x)", 1e-8, 2.0000000000000001e-8},
    {"exp(x+1e-9)-exp(x)", 2, 7.3890561026251783e-9},
    {"1-x^2", 0.99999999, 2.0000000000495185e-8},
    {"1-2*sin(x)^2", 0.7853981, 1.2679489664341501e-7},
    {"x-sqrt(x^2-1)", 1e10, 5e-11},
    {"3*sqrt(x^2+x)-3*x", 1e10, 1.4999999999625},
    {"2*x-sqrt(4*x^2+1)", 1e6, -2.4999999999998437e-7},
    {"(1+1/x)^x", 1e12, 2.7182818284576861},
    {"(1+x)^(1/x)", -1e-9, 2.7182818298181862},
    {"ln(1-exp(-x))", 40, -4.248354255291589e-18},
    {"ln(1-exp(x))", -1e-12, -27.631021115929048},
};

TEST(UncancelledTest, KeepsAllDigits) {
  for (const Case& c : kCases) {
    Pool pool;
    const Expr e = *Parse(c.text, pool), form = Uncancelled(e);
    const Bindings at = {{"x", c.x}};
    const absl::StatusOr<double> value = Evaluate(form, at);
    ASSERT_TRUE(value.ok()) << c.text << ": " << value.status();
    EXPECT_NEAR(*value, c.value, 2e-15 * std::abs(c.value)) << c.text << ": " << ToText(form);
    // Elsewhere the form must have the values of the text, and at c.x the text must lose digits.
    for (const double x : {0.3, 0.7, 1.1}) {
      const absl::StatusOr<double> there = Evaluate(e, Bindings{{"x", x}});
      if (!there.ok()) continue;  // 1 - x^2 under a root
      EXPECT_NEAR(*Evaluate(form, Bindings{{"x", x}}), *there, 1e-14) << c.text;
    }
    const absl::StatusOr<double> plain = Evaluate(e, at);
    EXPECT_FALSE(plain.ok() && std::abs(*plain - c.value) < 1e-12 * std::abs(c.value)) << c.text;
  }
}

TEST(UncancelledTest, PowersOfNegativeNumbersStay) {
  Pool pool;
  const Expr form = Uncancelled(*Parse("(1 + x)^y", pool));
  EXPECT_EQ(*Evaluate(form, Bindings{{"x", -3}, {"y", 3}}), -8);
  EXPECT_EQ(*Evaluate(form, Bindings{{"x", -1}, {"y", 3}}), 0);
}

TEST(UncancelledTest, LeavesOtherSumsAlone) {
  for (const char* text :
       {"x + 1", "3 - tanh(x)^2", "1 - tanh(x)^3", "1 + exp(x)", "sqrt(x) + sqrt(x + 1)",
        "sqrt(x) - sqrt(y)", "1 + sqrt(1 + x)", "cosh(x) - sinh(y)", "2*cos(x)^2 - sin(x)^2",
        "1/x - 2/(x + 1)", "ln(2 + x)", "x^2 + 1"}) {
    Pool pool;
    const Expr e = *Parse(text, pool);
    EXPECT_TRUE(Uncancelled(e) == e) << text << ": " << ToText(Uncancelled(e));
  }
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
