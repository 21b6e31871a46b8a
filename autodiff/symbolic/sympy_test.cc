// Compares derivatives and equality with SymPy's answers. These are stored in
// testdata/sympy_cases.json, which testdata/make_sympy_cases.py writes.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::autodiff::symbolic {
namespace {

nlohmann::json Cases() {
  std::ifstream file("autodiff/symbolic/testdata/sympy_cases.json");
  return nlohmann::json::parse(file);
}

TEST(SympyTest, DerivativesAgreeAtTwentyPointsEach) {
  const nlohmann::json cases = Cases()["derivatives"];
  ASSERT_GE(cases.size(), 200u);
  size_t points = 0;
  double worst = 0;
  for (const auto& item : cases) {
    Pool pool;
    const std::string formula = item["formula"];
    const auto e = Parse(formula, pool);
    ASSERT_TRUE(e.ok()) << e.status();
    const Expr x = pool.Variable("x");
    const Expr derivative = Differentiate(*e, x);
    const Expr simplified = Simplify(derivative);
    for (const auto& point : item["points"]) {
      const Bindings at = {{"x", point[0]}, {"y", point[1]}};
      const double expected = point[2];
      for (Expr form : {derivative, simplified, Gradient(*e, {x})[0]}) {
        const auto value = Evaluate(form, at);
        ASSERT_TRUE(value.ok()) << formula << ": " << value.status();
        const double error = std::abs(*value - expected) / (1 + std::abs(expected));
        EXPECT_LT(error, 1e-9) << formula << " at " << point;
        worst = std::max(worst, error);
      }
      ++points;
    }
  }
  std::cout << points << " derivatives, largest relative error " << worst << "\n";
}

TEST(SympyTest, FindsEqualWhatSympyCallsEqual) {
  const nlohmann::json pairs = Cases()["pairs"];
  ASSERT_GE(pairs.size(), 200u);
  size_t equal = 0;
  for (const auto& pair : pairs) {
    Pool pool;
    const auto a = Parse(std::string(pair[0]), pool);
    const auto b = Parse(std::string(pair[1]), pool);
    ASSERT_TRUE(a.ok() && b.ok()) << pair;
    const Verdict verdict = Equal(*a, *b);
    EXPECT_NE(verdict, Verdict::kDifferent) << pair;
    equal += verdict == Verdict::kEqual;
    if (verdict != Verdict::kEqual) std::cout << "not decided: " << pair << "\n";
  }
  std::cout << equal << " of " << pairs.size() << " pairs found equal\n";
  EXPECT_GE(equal, pairs.size() * 95 / 100);
}

// Simplify() keeps the value at every point where the expression has one.
TEST(SympyTest, SimplifyKeepsValues) {
  const nlohmann::json pairs = Cases()["pairs"];
  for (const auto& item : pairs) {
    Pool pool;
    const Expr e = *Parse(std::string(item[0]), pool);
    const Expr simplified = Simplify(e);
    for (double x : {-1.3, 0.4, 0.9}) {
      const Bindings at = {{"x", x}, {"y", 0.7}, {"p", 1.6}, {"q", 0.3}};
      const auto before = Evaluate(e, at);
      if (!before.ok()) continue;
      const auto after = Evaluate(simplified, at);
      ASSERT_TRUE(after.ok()) << item[0] << " -> " << ToText(simplified) << ": " << after.status();
      EXPECT_NEAR(*after, *before, 1e-9 * (1 + std::abs(*before)))
          << item[0] << " -> " << ToText(simplified);
    }
  }
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
