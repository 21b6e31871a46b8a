// Compares values and first derivatives of 500 random formulas in every mode with those that mpmath
// computed with 50 digits (testdata/make_mpmath_cases.py). The formulas have a depth of up to 5 and
// use every function that formula text may call. Errors of derivatives are relative to the
// magnitude of the derivative: the sum, over all paths from the input to the result, of the
// products of the magnitudes of the derivatives along the path. Errors of values are relative to
// |value| plus, for each input x, the magnitude of the derivative by x times |x|.

#include <cctype>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "autodiff/differentiate.h"
#include "autodiff/symbolic/parse.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::autodiff {
namespace {

TEST(MpmathTest, ValuesAndDerivatives) {
  std::ifstream file("autodiff/testdata/mpmath_cases.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 500u);
  for (const nlohmann::json& json : cases) {
    const std::string text = json["formula"];
    const std::vector<double> point = json["point"], gradient = json["gradient"],
                              magnitude = json["magnitude"];
    symbolic::Pool pool;
    const auto formula = symbolic::Parse(text, pool);
    ASSERT_TRUE(formula.ok()) << formula.status();
    const auto function = ExpressionFunction::Create(
        {*formula}, {pool.Variable("x"), pool.Variable("y"), pool.Variable("z")});
    ASSERT_TRUE(function.ok()) << function.status();
    const auto value = Value(*function, point);
    ASSERT_TRUE(value.ok()) << text << ": " << value.status();
    double scale = std::abs(json["value"].get<double>());
    for (size_t i = 0; i < 3; ++i) scale += magnitude[i] * std::abs(point[i]);
    EXPECT_NEAR((*value)[0], json["value"].get<double>(), 1e-12 * scale) << text;
    for (const Mode mode : {Mode::kForward, Mode::kReverse, Mode::kSymbolic}) {
      const auto derivatives = Gradient(*function, point, mode);
      ASSERT_TRUE(derivatives.ok())
          << text << ", " << ModeName(mode) << ": " << derivatives.status();
      for (size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR((*derivatives)[i], gradient[i], 1e-12 * magnitude[i])
            << text << " by "
            << "xyz"[i] << ", " << ModeName(mode);
      }
    }
    const std::vector<numeric::Estimate> numeric =
        numeric::Gradient([&](std::span<const double> x) { return (*function)(x)[0]; }, point);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(numeric[i].value, gradient[i], numeric[i].error + 1e-12 * magnitude[i])
          << text << " by "
          << "xyz"[i] << ", numeric";
    }
  }
}

TEST(MpmathTest, NamesEveryFunction) {
  std::ifstream file("autodiff/testdata/mpmath_cases.json");
  std::string all;
  for (const nlohmann::json& json : nlohmann::json::parse(file)) {
    all += " " + json["formula"].get<std::string>();
  }
  for (const std::string& name : symbolic::FunctionNames()) {
    int used = 0;
    for (size_t at = all.find(name + "("); at != std::string::npos;
         at = all.find(name + "(", at + 1))
      used += !std::isalnum(static_cast<unsigned char>(all[at - 1])) && all[at - 1] != '_';
    EXPECT_GE(used, 2) << name;
  }
}

}  // namespace
}  // namespace cotangent::autodiff
