// Compares the derivatives of functions in formulas, in every exact mode (all but the numeric one)
// and up to both ends of their domains, with those that mpmath computed (testdata/rules.inc). Also
// checks that quotients have the values of plain divisions, bit for bit.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/differentiate.h"
#include "autodiff/symbolic/parse.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr Mode kExactModes[] = {Mode::kForward, Mode::kReverse, Mode::kSymbolic};

struct Row {
  const char* name;
  double x;
  double expected[3];  // value, first and second derivative
};
struct BinaryRow {
  const char* name;
  double x, y;
  double expected[3];  // value, derivative by x, by y
};
#include "autodiff/testdata/rules.inc"

std::string NameInFormulas(const std::string& name) { return name == "tgamma" ? "gamma" : name; }

ExpressionFunction Function(const std::string& text, symbolic::Pool& pool) {
  const auto formula = symbolic::Parse(text, pool);
  EXPECT_TRUE(formula.ok()) << formula.status();
  return *ExpressionFunction::Create({*formula}, {pool.Variable("x"), pool.Variable("y")});
}

bool Finite(double expected) {
  return std::abs(expected) < std::numeric_limits<double>::max() * (1 - 1e-5);
}

// Expects an error of at most `units` times the precision of double, relative to the larger of
// |expected| and `size`. The smallest normal number is allowed in addition, so that a result below
// it may be 0.
void ExpectClose(double found, double expected, double units, const std::string& what,
                 double size = 0) {
  using Limits = std::numeric_limits<double>;
  size = std::max(std::abs(expected), size);
  EXPECT_NEAR(found, expected, units * Limits::epsilon() * size + Limits::min()) << what;
}

TEST(FormulaRulesTest, FromOneEndOfTheDomainToTheOther) {
  for (const Row& row : kDoubles) {
    if (!Finite(row.expected[0]) || !Finite(row.expected[1])) continue;
    symbolic::Pool pool;
    const std::string text = NameInFormulas(row.name) + "(x)";
    const ExpressionFunction f = Function(text, pool);
    // gelu and gelu_tanh contain an exponential, which multiplies the rounding error of its
    // argument.
    const double units = text.compare(0, 4, "gelu") == 0 ? 4096 : 64;
    for (const Mode mode : kExactModes) {
      const std::string what = text + " at " + std::to_string(row.x) + ", " + ModeName(mode);
      const auto gradient = Gradient(f, std::vector{row.x, 0.0}, mode);
      ASSERT_TRUE(gradient.ok()) << what << ": " << gradient.status();
      ExpectClose((*gradient)[0], row.expected[1], units, what);
      if (!Finite(row.expected[2])) continue;
      const auto hessian = Hessian(f, std::vector{row.x, 0.0}, mode);
      ASSERT_TRUE(hessian.ok()) << what << ": " << hessian.status();
      // A second derivative is a sum of terms about as large as the first derivative, divided by
      // |x| if |x| > 1. Rounding errors are relative to these terms.
      const double size = std::abs(row.expected[1]) / std::max(1.0, std::abs(row.x));
      ExpectClose((*hessian)(0, 0), row.expected[2], 16 * units, what + ", second", size);
    }
  }
}

TEST(FormulaRulesTest, OfTwoOperands) {
  for (const BinaryRow& row : kBinaries) {
    symbolic::Pool pool;
    const std::string text = std::string(row.name) + "(x, y)";
    const ExpressionFunction f = Function(text, pool);
    const double units = text[0] == 'p' ? 4096 : 64;  // ln x amplifies roundings
    for (const Mode mode : kExactModes) {
      const std::string what = text + " at " + std::to_string(row.x) + ", " +
                               std::to_string(row.y) + ", " + ModeName(mode);
      const auto gradient = Gradient(f, std::vector{row.x, row.y}, mode);
      ASSERT_TRUE(gradient.ok()) << what << ": " << gradient.status();
      for (int i = 0; i < 2; ++i) ExpectClose((*gradient)[i], row.expected[1 + i], units, what);
    }
  }
}

// A product with a rounded reciprocal differs from the quotient: 49 * (1 / 49) is below 1, and 70 *
// 0.1 is above 7.
TEST(FormulaRulesTest, QuotientsAreThePlainOnes) {
  symbolic::Pool pool;
  const ExpressionFunction by_variable = Function("x/y", pool);
  const ExpressionFunction by_power = Function("3*x/(y*x^2)", pool);
  for (int i = 1; i <= 300; ++i) {
    const std::string number = std::to_string(i);
    const ExpressionFunction by_constant = Function("x/" + number, pool);
    const ExpressionFunction of_constant = Function(number + "/x", pool);
    for (const double x : {1.0 * i, 7.0 * i, 0.1 * i, 1e300 / i, 3.0, 1e-320, -1e-310}) {
      const std::vector<double> at = {x, 1.0 * i};
      EXPECT_EQ((*Value(by_constant, at))[0], x / i) << x << "/" << i;
      EXPECT_EQ((*Value(by_variable, at))[0], x / i) << x << "/" << i;
      if (std::abs(x) > 1e-300) {
        EXPECT_EQ((*Value(of_constant, at))[0], i / x) << i << "/" << x;
      }
    }
    const std::vector<double> at = {2.0 * i, 1.0 * i};
    EXPECT_EQ((*Value(by_power, at))[0], (3 * at[0]) / (at[1] * (at[0] * at[0])));
  }
}

// In most of these cases an intermediate result, such as the square or the reciprocal of a divisor,
// overflows or underflows, but the derivative does not. The expected values are those of
// mathematics.
TEST(FormulaRulesTest, QuotientsNeitherOverflowNorVanish) {
  const struct {
    const char* text;
    double x, y;
    double expected[2];
  } cases[] = {
      {"x/y", 1e300, 1e200, {1e-200, -1e-100}},
      {"x/y^2", 1e300, 1e200, {0, -2e-300}},
      {"x/y", 1e-320, 1, {1, -1e-320}},
      {"x/x", 1e-320, 1, {0, 0}},

      {"hypot(x, y)", 1e-320, 0, {1, 0}},
      {"hypot(x, y)", 0, -1e-310, {0, -1}},
      {"1/sqrt(x)", 1e-200, 1, {-5e299, 0}},
      {"0.7*x", 1e308, 1, {0.7, 0}},
      {"1.0507009873554805*x*y", 1e300, 1, {1.0507009873554805, 1.0507009873554805e300}},
      {"sech(x)", 1e-30, 1, {-1e-30, 0}},
      {"sech(x)", -1e-8, 1, {1e-8, 0}},
      {"3*x/(7*sqrt(2)*y)", 1e308, 1e300, {3e-300 / 7 / std::sqrt(2), -3e-292 / 7 / std::sqrt(2)}},
  };
  for (const auto& c : cases) {
    symbolic::Pool pool;
    const ExpressionFunction f = Function(c.text, pool);
    for (const Mode mode : kExactModes) {
      const auto gradient = Gradient(f, std::vector{c.x, c.y}, mode);
      ASSERT_TRUE(gradient.ok()) << c.text << ", " << ModeName(mode) << ": " << gradient.status();
      for (int i = 0; i < 2; ++i) {
        ExpectClose((*gradient)[i], c.expected[i], 64, std::string(c.text) + ", " + ModeName(mode));
      }
    }
  }
}

}  // namespace
}  // namespace cotangent::autodiff
