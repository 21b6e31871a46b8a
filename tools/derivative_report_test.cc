#include "tools/derivative_report.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/graph_picture.h"

namespace cotangent::tools {
namespace {

using testing::HasSubstr;

// The problem set's question 4.
const std::vector<std::string> kFormulas = {"cos(w1)*cos(w2) + sigmoid(w2)",
                                            "ln(w1 + w2) + w1^2*w2"};
const std::vector<std::pair<std::string, double>> kPoint = {{"w1", 1}, {"w2", 2}};

TEST(DerivativeReportTest, FourModesAgree) {
  ReportOptions options;
  options.step = 0.01;
  options.hessian = true;
  const auto report = MakeReport(kFormulas, kPoint, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LT(report->exact_disagreement, 1e-14);
  EXPECT_LT(report->numeric_disagreement, 1e-3);
  EXPECT_GT(report->numeric_disagreement, 0);
  const FunctionReport& f2 = report->functions[1];
  for (int mode = 1; mode < 4; ++mode) {
    EXPECT_NEAR(f2.gradient[0].by_mode[mode], 1.0 / 3 + 4, 1e-13);
    EXPECT_NEAR(f2.hessian[0][1].by_mode[mode], 2 - 1.0 / 9, 1e-13);
  }
}

TEST(DerivativeReportTest, ChosenStepIsAccurate) {
  const auto report = MakeReport(kFormulas, kPoint, {});
  ASSERT_TRUE(report.ok());
  EXPECT_LT(report->numeric_disagreement, 1e-9);
  EXPECT_TRUE(report->numeric_within_estimate);
}

TEST(DerivativeReportTest, EveryFunctionInEveryMode) {
  for (const char* formula :
       {"sin(x)",   "tan(x)",  "asin(x)",       "acos(x)",    "atan(x)",     "sinh(x)",
        "cosh(x)",  "tanh(x)", "asinh(x)",      "acosh(x+2)", "atanh(x)",    "log1p(x)",
        "expm1(x)", "erf(x)",  "erfc(x)",       "sigmoid(x)", "softplus(x)", "abs(x)",
        "sign(x)",  "step(x)", "floor(x)",      "min(x, y)",  "max(x, y)",   "if(x < y, x^3, y)",
        "x^y",      "x^-3",    "x^0.3",         "sqrt(x)",    "gelu(x)",     "gelu_tanh(x)",
        "silu(x)",  "mish(x)", "hard_swish(x)", "elu(-x)",    "cbrt(x)",     "hypot(x, y)",
        "(-x)^3*2"}) {
    ReportOptions options;
    options.hessian = true;
    const auto report = MakeReport({formula}, {{"x", 0.4}, {"y", 0.7}}, options);
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    EXPECT_LT(report->exact_disagreement, 1e-12) << formula;
    EXPECT_LT(report->numeric_disagreement, 1e-5) << formula;
  }
}

TEST(DerivativeReportTest, Formats) {
  ReportOptions options;
  options.trace = true;
  const auto report = MakeReport(kFormulas, kPoint, options);
  const std::string text = ReportAsText(*report);
  EXPECT_THAT(text, HasSubstr("df1/dw1"));
  EXPECT_THAT(text, HasSubstr("= cos(w1)"));
  EXPECT_THAT(ReportAsLatex(*report), HasSubstr("\\frac{\\partial f_{2}}{\\partial w_{1}} &= "));
  const auto json = nlohmann::json::parse(ReportAsJson(*report));
  EXPECT_NEAR(json["functions"][1]["gradient"]["w1"]["forward"].get<double>(), 1.0 / 3 + 4, 1e-13);
  EXPECT_EQ(json["trace"].size(), 12u);
}

TEST(DerivativeReportTest, BadInput) {
  const auto error = [](const std::string& formula, double x) {
    const auto report = MakeReport({formula}, {{"x", x}}, {});
    return report.ok() ? "fine" : std::string(report.status().message());
  };
  EXPECT_EQ(error("x +* 2", 1), "f:1:4: found '*', expected a number, a name, '(' or '-'");
  EXPECT_EQ(error("x + y", 1), "f:1:5: unknown variable 'y'; expected x");
  EXPECT_EQ(error("2*ln(x)", -1), "ln(x) is not defined (over the real numbers) at x = -1");
  EXPECT_THAT(error("sqrt(x)", 0), HasSubstr("the derivative of sqrt(x) by x is not finite"));
  EXPECT_EQ(MakeReport({"abs(x)"}, {{"x", 0}}, {})->notes.size(), 1u);
}

TEST(GraphPictureTest, DrawsSvgAndPng) {
  const auto svg = DrawGraph("digraph { a -> b }", "svg");
  ASSERT_TRUE(svg.ok()) << svg.status();
  EXPECT_THAT(*svg, HasSubstr("<svg"));
  const auto png = DrawGraph("digraph { a -> b }", "png");
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_EQ(png->substr(1, 3), "PNG");
  EXPECT_FALSE(WriteGraph("digraph { a -> b }", "picture.gif").ok());
}

}  // namespace
}  // namespace cotangent::tools
