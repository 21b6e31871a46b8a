#include "tools/derivative_report.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "autodiff/symbolic/print.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/graph_picture.h"

namespace cotangent::tools {
namespace {

using testing::Contains;
using testing::HasSubstr;

// The two formulas of question 4 of the problem set (tools/lab/README.md).
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

// LaTeX would write both w1 and w_1 as w with the subscript 1. So the report writes w_1 as it
// stands, in typewriter type, in the derivatives and in the trace.
TEST(DerivativeReportTest, LatexTellsNamesThatLookAlikeApart) {
  ReportOptions options;
  options.trace = true;
  const auto report = MakeReport({"w_1*exp(w1)"}, {{"w1", 0}, {"w_1", 2}}, options);
  const std::string latex = ReportAsLatex(*report);
  EXPECT_THAT(latex, HasSubstr("f &= \\mathtt{w\\_1} \\cdot e^{w_{1}} = 2 "));
  EXPECT_THAT(latex, HasSubstr("\nw_{1} &= w_{1} = 0 "));
  EXPECT_THAT(latex, HasSubstr("\n\\mathtt{w\\_1} &= \\mathtt{w\\_1} = 2 "));
  EXPECT_THAT(latex, HasSubstr("\nv_{2} &= v_{1} \\cdot \\mathtt{w\\_1} = 2 "));
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

struct Reported {
  const char* formula;
  std::vector<std::pair<std::string, double>> point;
  std::vector<double> gradient;
};

void ExpectInEveryMode(const Reported& reported, double tolerance) {
  ReportOptions options;
  const bool exact_only = tolerance < 1e-9;
  if (exact_only) {
    options.modes = {DerivativeMode::kForward, DerivativeMode::kReverse, DerivativeMode::kSymbolic};
  }
  const auto report = MakeReport({reported.formula}, reported.point, options);
  ASSERT_TRUE(report.ok()) << reported.formula << ": " << report.status();
  for (size_t j = 0; j < reported.gradient.size(); ++j) {
    const Entry& entry = report->functions[0].gradient[j];
    for (int mode = 1; mode < 4; ++mode) {
      EXPECT_NEAR(entry.by_mode[mode], reported.gradient[j],
                  tolerance * std::abs(reported.gradient[j]))
          << reported.formula << " by " << reported.point[j].first << ", mode " << mode;
    }
  }
  EXPECT_TRUE(report->agrees()) << reported.formula;
}

// The tests named ReportedTest use inputs on which other tools were reported to fail. The expected
// values follow from mathematics, or were computed by mpmath with 50 digits.
TEST(ReportedTest, BranchesThatAreNotTakenMayBeUndefined) {
  const double e1 = std::exp(1.0);
  for (const Reported& reported : std::vector<Reported>{
           {"if(x>0, x*ln(x), 0)", {{"x", 0}}, {0}},
           {"if(x>0, 1/x, 0)", {{"x", 0}}, {0}},
           {"if(x<1, x, sqrt(x))", {{"x", 0}}, {1}},
           {"elu(x)", {{"x", 800}}, {1}},
           {"selu(x)*y", {{"x", 800}, {"y", 0}}, {0, 800 * 1.0507009873554805}},
           {"ln(1/max(1e-200,x))", {{"x", 0}}, {0}},
           {"if(x<0, sqrt(x), if(x<5, y, ln(x - 9)))", {{"x", 1}, {"y", 2}}, {0, 1}},
           {"exp(if(x > 0, ln(x), 1))*x", {{"x", -1}}, {e1}},
           {"sqrt(max(x, 0))", {{"x", -1}}, {0}},
           {"max(sqrt(x) - 1, 0)", {{"x", 0}}, {0}},
           {"clamp(x, 0, 1)^0.5", {{"x", -3}}, {0}},
           {"acos(-1)*x", {{"x", 2}}, {3.141592653589793}}}) {
    ExpectInEveryMode(reported, 1e-14);
  }
}

// At these points a function has an infinite slope, but its argument is constant around the point,
// or does not change with one of the variables: the derivative is 0.
TEST(ReportedTest, WhatDoesNotMoveStaysSoBelowAnInfiniteSlope) {
  for (const Reported& reported :
       std::vector<Reported>{{"asin(sign(x))*y", {{"x", 2}, {"y", 3}}, {0, 1.5707963267948966}},
                             {"cbrt(trunc(x))*y", {{"x", -0.5}, {"y", 3}}, {0, 0}},
                             {"sqrt(floor(x)*y)", {{"x", 0.5}, {"y", 2}}, {0, 0}},
                             {"acosh(round(x))", {{"x", 1.2}}, {0}},
                             {"sqrt(sqrt(relu(x)))", {{"x", -1}}, {0}}}) {
    ExpectInEveryMode(reported, 1e-14);
  }
}

TEST(ReportedTest, SumsOfExponentials) {
  for (const Reported& reported :
       std::vector<Reported>{{"logsumexp(a,b)", {{"a", -1e30}, {"b", 1}}, {0, 1}},
                             {"logsumexp(a,b)", {{"a", 0}, {"b", 40}}, {4.248354255291589e-18, 1}},
                             {"logsumexp(a,b)", {{"a", 40}, {"b", 0}}, {1, 4.248354255291589e-18}},
                             {"logsumexp(a,b,c)",
                              {{"a", 1}, {"b", 2}, {"c", 3}},
                              {0.09003057317038046, 0.24472847105479764, 0.6652409557748219}}}) {
    ExpectInEveryMode(reported, 1e-14);
  }
}

TEST(ReportedTest, ValuesAreThePlainFunctions) {
  for (const Reported& reported :
       std::vector<Reported>{{"floor(log10(x))*x", {{"x", 1000}}, {3}},
                             {"floor(log2(x))*x", {{"x", 8}}, {3}},
                             {"floor(cbrt(x))*x", {{"x", 64}}, {4}},
                             {"floor(hypot(x,y))*x", {{"x", 3}, {"y", 4}}, {5, 0}},
                             {"floor(exp2(x))*x", {{"x", 10}}, {1024}},
                             {"round(x)*x", {{"x", 0.49999999999999994}}, {0}},
                             {"floor(x/49)*x", {{"x", 49}}, {1}},
                             {"floor(x/y)*x", {{"x", 49}, {"y", 49}}, {1, 0}},
                             {"ceil(x/10)*x", {{"x", 70}}, {7}},
                             {"floor(x/y^2)*y", {{"x", 98}, {"y", 7}}, {0, 2}},
                             {"mod(x,3)", {{"x", 7}}, {1}},
                             {"mod(x,y)", {{"x", -7}, {"y", 3}}, {1, 3}},
                             {"fmod(x,y)", {{"x", -7}, {"y", 3}}, {1, 2}}}) {
    ExpectInEveryMode(reported, 1e-15);
  }
  // The values must equal those of std::log10 to the last digit. (ln(x) / ln(10) in doubles is
  // 14.999999999999998 at 1e15.)
  for (double x = 1; x < 1e16; x *= 10) {
    const auto report = MakeReport({"log10(x)"}, {{"x", x}}, {});
    EXPECT_EQ(report->functions[0].value, std::log10(x));
  }
}

TEST(ReportedTest, RulesNeitherOverflowNorCancel) {
  for (const Reported& reported :
       std::vector<Reported>{{"tanh(x)", {{"x", 19}}, {1.2556531168192117e-16}},
                             {"tanh(x)", {{"x", 20}}, {1.6993417021166356e-17}},
                             {"tanh(x)", {{"x", 300}}, {1.0601586212017243e-260}},
                             {"asinh(x)", {{"x", 1e200}}, {1e-200}},
                             {"asinh(sinh(x))", {{"x", 400}}, {1}},
                             {"asin(x)", {{"x", 0.9999999999}}, {70710.6751951088304}},
                             {"acos(x)", {{"x", 0.9999999999}}, {-70710.6751951088304}},
                             {"atanh(x)", {{"x", 0.9999999999}}, {4999999586.548179234}},
                             {"hypot(x,y)", {{"x", 3e200}, {"y", 4e200}}, {0.6, 0.8}},
                             {"hypot(x,y)", {{"x", 3e-200}, {"y", 4e-200}}, {0.6, 0.8}},
                             {"atan2(y,x)", {{"x", 2e155}, {"y", 1e155}}, {-2e-156, 4e-156}},
                             {"atan2(y,x)", {{"x", 2e-155}, {"y", 1e-155}}, {-2e154, 4e154}}}) {
    ExpectInEveryMode(reported, 1e-14);
  }
}

// Intermediate results overflow or underflow in doubles. The functions' values and derivatives do
// not overflow. The expected numbers follow from mathematics (the derivative of exp(-x) exp(700) at
// 750 is -e^-50, for example), with 0 for numbers below 1e-308 in magnitude.
TEST(ReportedTest, IntermediateResultsMayLeaveTheRangeOfDoubles) {
  const double e50 = std::exp(-50.0), e708 = std::exp(-708.0);
  for (const auto& [reported, value] : std::vector<std::pair<Reported, double>>{
           {{"1/(1+exp(-x))", {{"x", -800}}, {0}}, 0},
           {{"1/(1+exp(-x))", {{"x", -708}}, {e708}}, e708},
           {{"1/(1+exp(-x))", {{"x", 800}}, {0}}, 1},
           {{"x/sqrt(1+x^2)", {{"x", 1e200}}, {0}}, 1},
           {{"x/sqrt(1+x^2)", {{"x", 1e100}}, {1e-300}}, 1},
           {{"tanh(x^3)", {{"x", 1e160}}, {0}}, 1},
           {{"exp(x)/(1+exp(x))", {{"x", 800}}, {0}}, 1},
           {{"(exp(x)-1)/(exp(x)+1)", {{"x", 750}}, {0}}, 1},
           {{"ln(1+exp(x))", {{"x", 800}}, {1}}, 800},
           {{"ln(exp(x)+exp(y))", {{"x", 1000}, {"y", 0}}, {1, 0}}, 1000},
           {{"ln(exp(x))", {{"x", -800}}, {1}}, -800},
           {{"sqrt(x^2+y^2)", {{"x", 3e200}, {"y", 4e200}}, {0.6, 0.8}}, 5e200},
           {{"sqrt(x^2+y^2)", {{"x", 3e-200}, {"y", 4e-200}}, {0.6, 0.8}}, 5e-200},
           {{"exp(-x)*exp(700)", {{"x", 750}}, {-e50}}, e50},
           {{"exp(x)*exp(-750)", {{"x", 700}}, {e50}}, e50},
           {{"(x*y)/x", {{"x", 1e-320}, {"y", 3}}, {0, 1}}, 3},
           {{"x^2/(1+x^2)", {{"x", 1e200}}, {0}}, 1},
           {{"atan(x^2)*y", {{"x", 1e200}, {"y", 2}}, {0, std::acos(0)}}, std::acos(-1)},
           {{"(x^200)^(1/200)", {{"x", 100}}, {1}}, 100}}) {
    const auto report = MakeReport({reported.formula}, reported.point, {});
    ASSERT_TRUE(report.ok()) << reported.formula << ": " << report.status();
    EXPECT_TRUE(report->agrees()) << reported.formula;
    EXPECT_NEAR(report->functions[0].value, value, 1e-14 * std::abs(value)) << reported.formula;
    for (size_t j = 0; j < reported.gradient.size(); ++j) {
      const Entry& entry = report->functions[0].gradient[j];
      const double expected = reported.gradient[j];
      for (int mode = 1; mode < 4; ++mode) {
        EXPECT_NEAR(entry.by_mode[mode], expected,
                    1e-13 * std::max(std::abs(expected), entry.magnitude))
            << reported.formula << " by " << reported.point[j].first << ", mode " << mode;
      }
    }
  }
  // Beyond the range of long double, the error says so.
  const auto beyond = MakeReport({"exp(x)/(1+exp(x))"}, {{"x", 1e5}}, {});
  EXPECT_THAT(std::string(beyond.status().message()), HasSubstr("overflows"));
  ReportOptions hessian;
  hessian.hessian = true;
  const auto second = MakeReport({"1/(1+exp(-x))"}, {{"x", -708}}, hessian);
  ASSERT_TRUE(second.ok()) << second.status();
  for (int mode = 1; mode < 4; ++mode)
    EXPECT_NEAR(second->functions[0].hessian[0][0].by_mode[mode], e708, 1e-13 * e708);
}

TEST(ReportedTest, TheTableOfMathHAtItsKinks) {
  for (const Reported& reported :
       std::vector<Reported>{{"x^y", {{"x", 0}, {"y", 2}}, {0, 0}},
                             {"x^y", {{"x", 0}, {"y", 1}}, {1, 0}},
                             {"0^x", {{"x", 2}}, {0}},
                             {"x/x", {{"x", 1e-320}}, {0}},
                             {"hypot(x,y)", {{"x", 0}, {"y", 0}}, {0, 0}},
                             {"abs(x)", {{"x", 0}}, {0}},
                             {"clamp(x,0,1)", {{"x", 1}}, {1}},
                             {"max(x,y)", {{"x", 1}, {"y", 1}}, {1, 0}}}) {
    ExpectInEveryMode(reported, 0);
  }
}

// At x = 0, for y > 1: the second derivative of x^y by x is y (y - 1) x^(y-2), and terms with a
// factor ln x are 0.
TEST(ReportedTest, SecondDerivativesAtTheEdge) {
  ReportOptions options;
  options.hessian = true;
  options.modes = {DerivativeMode::kForward, DerivativeMode::kReverse, DerivativeMode::kSymbolic};
  for (const auto& [formula, y, second] : std::vector<std::tuple<std::string, double, double>>{
           {"x^y", 2, 2}, {"x^y", 3, 0}, {"x^y*exp(y)", 2, 2 * std::exp(2.0)}, {"x^2*y", 3, 6}}) {
    const auto report = MakeReport({formula}, {{"x", 0}, {"y", y}}, options);
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    EXPECT_TRUE(report->agrees()) << formula;
    for (int mode = 1; mode < 4; ++mode) {
      const auto& hessian = report->functions[0].hessian;
      EXPECT_NEAR(hessian[0][0].by_mode[mode], second, 1e-14 * second) << formula;
      EXPECT_EQ(hessian[0][1].by_mode[mode], 0) << formula;
      EXPECT_EQ(hessian[1][1].by_mode[mode], 0) << formula;
    }
  }
}

TEST(ReportedTest, NotANumberIsNoAgreement) {
  auto report = MakeReport({"x*y"}, {{"x", 2}, {"y", 1e-30}}, {});
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->agrees());
  EXPECT_LT(report->exact_disagreement, 1e-15);
  EXPECT_EQ(report->functions[0].gradient[0].magnitude, 1e-30);
  // CompareModes() must notice a mode whose derivative is NaN, infinite or wrong, even if the error
  // is only a small part of the derivative's own small value.
  const Report right = *report;
  for (const int mode : {1, 2, 3}) {
    for (const double wrong : {std::nan(""), HUGE_VAL, 1e-30 * (1 + 1e-6), 0.0, -1e-30}) {
      report = right;
      report->functions[0].gradient[0].by_mode[mode] = wrong;
      CompareModes(*report);
      EXPECT_FALSE(report->agrees()) << mode << ": " << wrong;
      EXPECT_EQ(ReportAsText(*report).find("by at most 0 "), std::string::npos);
    }
    report = right;
    report->functions[0].gradient[0].by_mode[mode] *= 1 + 1e-15;
    CompareModes(*report);
    EXPECT_TRUE(report->agrees());
  }
  report = right;
  report->functions[0].gradient[0].by_mode[0] = std::nan("");
  CompareModes(*report);
  EXPECT_FALSE(report->numeric_within_estimate);
}

// Entry::magnitude adds the terms of a derivative path by path, even if the paths meet in one step:
// the terms of y/y by y are 1/y and -1/y, so the magnitude is 2/y. If terms cancel, the rounding
// errors that remain count as no disagreement of the modes.
TEST(ReportedTest, PathsThatCancelInOneStep) {
  for (const auto& [formula, magnitude] : std::vector<std::pair<std::string, double>>{
           {"y/y", 2 / 0.552}, {"x/log(logsumexp(y/y, z))", 0}}) {
    const auto report =
        MakeReport({formula}, {{"x", -0.375}, {"y", 0.552}, {"z", -0.419}}, ReportOptions());
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    EXPECT_TRUE(report->agrees()) << formula << ": " << report->exact_disagreement;
    if (magnitude > 0) {
      EXPECT_NEAR(report->functions[0].gradient[1].magnitude, magnitude, 1e-13) << formula;
    }
  }
}

// Reports on a formula of 1,000 variables and on one of 200 factors. (Simplifying each derivative
// by itself, and looking at all nodes below each node, would take hours.)
TEST(ReportedTest, LargeFormulasTakeNoTime) {
  std::string sum = "ln(", product;
  std::vector<std::pair<std::string, double>> point;
  for (int i = 0; i < 1000; ++i) {
    sum += (i > 0 ? "+exp(x" : "exp(x") + std::to_string(i) + ")";
    point.emplace_back("x" + std::to_string(i), i / 1000.0);
  }
  const auto report = MakeReport({sum + ")"}, point, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->agrees());
  EXPECT_LT(ReportAsText(*report).size(), 1000000u);
  EXPECT_LT(ReportAsJson(*report).size(), 2000000u);
  for (int i = 0; i < 200; ++i) {
    product += (i > 0 ? "*(x" : "(x") + std::to_string(i) + "/9 + x" + std::to_string(i + 1) + ")";
  }
  point.resize(201);
  for (auto& [name, value] : point) value += 0.9;
  const auto factors = MakeReport({product}, point, {});
  ASSERT_TRUE(factors.ok()) << factors.status();
  EXPECT_TRUE(factors->agrees());
  EXPECT_LT(ReportAsText(*factors).size(), 1000000u);
}

TEST(ReportedTest, LikeTermsAreJoined) {
  const auto derivative = [](const std::string& formula) {
    const auto report = MakeReport({formula}, {{"x", 1}, {"y", 2}}, {});
    return autodiff::symbolic::ToText(report->functions[0].gradient[0].formula);
  };
  EXPECT_EQ(derivative("x*(1+x)"), "1 + 2*x");
  EXPECT_EQ(derivative("x*(x+y)"), "2*x + y");
  EXPECT_EQ(derivative("x*x*x*y"), "3*x^2*y");
  EXPECT_EQ(derivative("tanh(x)"), "1 - tanh(x)^2");
  EXPECT_EQ(derivative("x^y"), "y*x^(y - 1)");
}

// Where an infinite slope meets a slope of 0, the derivative is the limit of those beside the
// point. The expected values follow from the functions' series. If the limits from both sides
// differ or are infinite, or the formula is not defined at the point, MakeReport() fails.
TEST(ReportedTest, AnInfiniteSlopeThatMeetsZero) {
  for (const Reported& reported :
       std::vector<Reported>{{"sqrt(x^4)", {{"x", 0}}, {0}},
                             {"sqrt(x^2+y^2)^2", {{"x", 0}, {"y", 0}}, {0, 0}},
                             {"n = x^2 + y^2; sqrt(n)^3", {{"x", 0}, {"y", 0}}, {0, 0}},
                             {"(x^4)^(3/4)", {{"x", 0}}, {0}},
                             {"sqrt((x-0.1)^4)", {{"x", 0.1}}, {0}},
                             {"x*sqrt(x)", {{"x", 0}}, {0}},
                             {"sqrt(x)*sqrt(x)", {{"x", 0}}, {1}},
                             {"cbrt(x^3)*y", {{"x", 0}, {"y", 2}}, {2, 0}},
                             {"cbrt(x)^3", {{"x", 0}}, {1}},
                             {"cos(sqrt(x))", {{"x", 0}}, {-0.5}},
                             {"abs(x)+sqrt(y^4)", {{"x", 0}, {"y", 0}}, {0, 0}},
                             {"acos(1-x^4)", {{"x", 0}}, {0}},
                             {"sqrt(max(x, 0))", {{"x", -1}}, {0}}}) {
    ExpectInEveryMode(reported, 1e-14);
    for (const DerivativeMode mode :
         {DerivativeMode::kForward, DerivativeMode::kReverse, DerivativeMode::kSymbolic}) {
      ReportOptions options;
      options.modes = {mode};
      const auto report = MakeReport({reported.formula}, reported.point, options);
      ASSERT_TRUE(report.ok()) << reported.formula << ": " << report.status();
      EXPECT_NEAR(report->functions[0].gradient[0].by_mode[static_cast<int>(mode)],
                  reported.gradient[0], 1e-14)
          << reported.formula;
    }
  }
  EXPECT_EQ(MakeReport({"sqrt(x^4)"}, {{"x", 0}}, {})->notes.size(), 1u);
  for (const auto& [formula, why] : std::vector<std::pair<std::string, std::string>>{
           {"sqrt(x^2)", "its slope is -1 from the left, 1 from the right"},
           {"x^2/x", "is not defined"},
           {"(exp(x) - 1)/x", "is not defined"},
           {"sqrt(x)", "is not finite"},
           {"cbrt(x)", "is not finite"},
           {"sqrt(x)+x^2", "is not finite"}}) {
    for (const DerivativeMode mode : ReportOptions().modes) {
      if (mode == DerivativeMode::kNumeric) continue;
      ReportOptions options;
      options.modes = {mode};
      const auto report = MakeReport({formula}, {{"x", 0}}, options);
      EXPECT_THAT(std::string(report.status().message()), HasSubstr(why)) << formula;
    }
  }
}

// Both derivatives are near 0 and differences of numbers near 1e200: no digit can be right.
TEST(ReportedTest, SaysWhenLongDoubleHasNoDigitEither) {
  for (const char* const formula : {"x*sqrt(1+1/x^2)", "sin(x)/x"}) {
    const auto report = MakeReport({formula}, {{"x", 1e-200}}, {});
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    EXPECT_THAT(report->notes, Contains(HasSubstr("perhaps none of the digits of df/dx")))
        << formula;
  }
}

// Where a kink or an infinite slope meets a slope of 0, a second derivative is the limit of those
// beside the point. The expected values follow from the functions' series. Where the limits from
// both sides differ, it has the value that the table of kinks gives it.
TEST(ReportedTest, SecondDerivativesWhereTheChainRuleFails) {
  ReportOptions options;
  options.hessian = true;
  for (const auto& [formula, expected, notes] :
       std::vector<std::tuple<std::string, double, size_t>>{{"x*(1-x^1.1)", 0, 1},
                                                            {"x*abs(x)^1.5", 0, 2},
                                                            {"(x^2)^1.3", 0, 1},
                                                            {"abs(-x^2)", 2, 2},
                                                            {"hypot(x, 2*x)^2", 10, 2},
                                                            {"cosh(hypot(x, x^2))", 1, 2},
                                                            {"x*abs(x)", 0, 1}}) {
    const auto report = MakeReport({formula}, {{"x", 0}}, options);
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    for (size_t mode = 1; mode < 4; ++mode) {
      EXPECT_NEAR(report->functions[0].hessian[0][0].by_mode[mode], expected, 1e-14) << formula;
    }
    EXPECT_EQ(report->notes.size(), notes) << formula;
  }
  const auto mixed = MakeReport({"abs(x^2)*y + x*sqrt(y)*y^2"}, {{"x", 0}, {"y", 0}}, options);
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_EQ(mixed->functions[0].hessian[0][1].by_mode[3], 0);
  EXPECT_THAT(std::string(MakeReport({"x^1.5"}, {{"x", 0}}, options).status().message()),
              HasSubstr("d2f/dx^2: its slope is infinite there"));
}

// Formulas that subtract nearly equal numbers must not lose digits, and a note must say how they
// are computed. The expected values and derivatives were computed by mpmath with 50 digits.
TEST(ReportedTest, WhatCancelsKeepsItsDigits) {
  for (const auto& [reported, value] : std::vector<std::pair<Reported, double>>{
           {{"sqrt(1-tanh(x)^2)", {{"x", 30}}, {-1.8715245937680349e-13}}, 1.8715245937680349e-13},
           {{"1/sqrt(1-tanh(x)^2)", {{"x", 15}}, {1634508.6862359024}}, 1634508.6862362083},
           {{"ln(1-tanh(x)^2)", {{"x", 20}}, {-2.0}}, -38.613705638880109},
           {{"1-tanh(x)", {{"x", 20}}, {-1.6993417021166356e-17}}, 8.496708510583178e-18},
           {{"sqrt(1-sin(x)^2)", {{"x", 1.5707}}, {-0.9999999953605743}}, 9.632679474766715e-5},
           {{"cosh(x)^2-1", {{"x", 1e-6}}, {2.0000000000013332e-6}}, 1.0000000000003332e-12},
           {{"exp(x)-1", {{"x", 1e-10}}, {1.0000000001}}, 1.00000000005e-10},
           {{"ln(1+x)", {{"x", 1e-15}}, {0.999999999999999}}, 9.9999999999999958e-16},
           {{"ln(1+exp(x))", {{"x", -40}}, {4.248354255291589e-18}}, 4.248354255291589e-18},
           {{"ln(cosh(x))", {{"x", 1e-5}}, {9.9999999996666675e-6}}, 4.9999999999166675e-11},
           {{"1-sqrt(1-x^2)", {{"x", 1e-7}}, {1.000000000000005e-7}}, 5.000000000000012e-15},
           {{"cosh(x)-sinh(x)", {{"x", 15}}, {-3.0590232050182579e-7}}, 3.0590232050182579e-7},
           {{"ln(x+sqrt(x^2+1))", {{"x", -1e6}}, {9.999999999995e-7}}, -14.508657738524469},
           {{"1-1/(1+exp(-x))", {{"x", 40}}, {-4.248354255291589e-18}}, 4.248354255291589e-18},
           {{"atanh(tanh(x))", {{"x", 15}}, {1.0}}, 15.0},
           {{"sqrt(x+1)-sqrt(x)", {{"x", 1e12}}, {-2.499999999998125e-19}}, 4.99999999999875e-7},
           {{"x-sqrt(x^2-1)", {{"x", 1e10}}, {-5e-21}}, 5e-11},
           {{"ln(1-exp(-x))", {{"x", 40}}, {4.248354255291589e-18}}, -4.248354255291589e-18},
           {{"1/x-1/(x+1)", {{"x", 1e8}}, {-1.9999999700000004e-24}}, 9.999999900000001e-17},
           {{"(x^2-1)/(x-1)", {{"x", 1.00000001}}, {1.0}}, 2.0000000099999999}}) {
    const auto report = MakeReport({reported.formula}, reported.point, {});
    ASSERT_TRUE(report.ok()) << reported.formula << ": " << report.status();
    EXPECT_TRUE(report->agrees()) << reported.formula;
    const double slope = reported.gradient[0];
    EXPECT_NEAR(report->functions[0].value, value, 1e-14 * std::abs(value)) << reported.formula;
    for (int mode = 1; mode < 4; ++mode) {
      EXPECT_NEAR(report->functions[0].gradient[0].by_mode[mode], slope, 1e-14 * std::abs(slope))
          << reported.formula << ", mode " << mode;
    }
    EXPECT_FALSE(report->notes.empty()) << reported.formula;
  }
}

// Formulas that rounding takes out of their domain, or to its edge, are computed from another form.
// The expected values and derivatives were computed by mpmath with 60 digits. Formulas that are not
// defined at the point stay errors, even if another form of them is.
TEST(ReportedTest, RoundingIsNoPole) {
  for (const auto& [reported, value] : std::vector<std::pair<Reported, double>>{
           {{"ln(1-tanh(x))", {{"x", 30}}, {-2}}, -59.306852819440055},
           {{"ln(1-tanh(x)^2)", {{"x", 400}}, {-2}}, -798.61370563888011},
           {{"ln(1-sigmoid(x))", {{"x", 50}}, {-1}}, -50},
           {{"ln(1-1/(1+exp(-x)))", {{"x", 50}}, {-1}}, -50},
           {{"ln(exp(x)-1)", {{"x", 1e-20}}, {1e20}}, -46.051701859880914},
           {{"ln(1-exp(-x))", {{"x", 1e-20}}, {1e20}}, -46.051701859880914},
           {{"1/(exp(x)-1)", {{"x", 1e-20}}, {-1e40}}, 1e20},
           {{"1/(1-tanh(x))", {{"x", 40}}, {5.5406223843935101e34}}, 2.7703111921967551e34},
           {{"ln(1-erf(x))", {{"x", 10}}, {-20.09902411673460423}}, -102.87988902484488},
           {{"1/(1-cos(x))", {{"x", 1e-10}}, {-4e30}}, 2e20},
           {{"1/(sqrt(1+x)-1)", {{"x", 1e-20}}, {-2e40}}, 2e20},
           {{"acosh(1+x)", {{"x", 1e-20}}, {7071067811.8654752}}, 1.4142135623730950e-10},
           {{"acos(1-x)", {{"x", 1e-20}}, {7071067811.8654752}}, 1.4142135623730950e-10},
           {{"asin(1-x)", {{"x", 1e-20}}, {-7071067811.8654752}}, 1.5707963266534752},
           {{"atanh(1-x)", {{"x", 1e-20}}, {-5e19}}, 23.372424520220430},
           {{"ln(1+exp(x))-ln(exp(x))", {{"x", 50}}, {-1.9287498479639178e-22}},
            1.9287498479639178e-22},
           {{"logsumexp(x,0)-x", {{"x", 50}}, {-1.9287498479639178e-22}},
            1.9287498479639178e-22}}) {
    const auto report = MakeReport({reported.formula}, reported.point, {});
    ASSERT_TRUE(report.ok()) << reported.formula << ": " << report.status();
    const double slope = reported.gradient[0];
    EXPECT_NEAR(report->functions[0].value, value, 1e-13 * std::abs(value)) << reported.formula;
    for (int mode = 1; mode < 4; ++mode) {
      EXPECT_NEAR(report->functions[0].gradient[0].by_mode[mode], slope, 1e-13 * std::abs(slope))
          << reported.formula << ", mode " << mode;
    }
  }
  for (const char* formula : {"ln(x)-ln(x-1)", "ln(1-exp(-x^2))", "acosh(1+x)", "asin(2+x^2)",
                              "atanh(1+x^2)", "1/(1-cos(x*0))"}) {
    EXPECT_FALSE(MakeReport({formula}, {{"x", formula[3] == 'x' ? -2.0 : 0.0}}, {}).ok())
        << formula;
  }
}

// If no form of a formula is known that keeps its digits, a note says how many digits are right,
// and claims no more than are. Formulas that lose no digits get no note.
TEST(ReportedTest, LostDigitsAreNoted) {
  for (const auto& [formula, x, value] : std::vector<std::tuple<std::string, double, double>>{
           {"x-sin(x)", 1e-5, 1.66666666665833374e-16},
           {"tan(x)-x", 1e-6, 3.33333333333466621e-19},
           {"(exp(x)-1-x)/x^2", 1e-6, 0.500000166666708333}}) {
    const auto report = MakeReport({formula}, {{"x", x}}, {});
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    const double error = std::abs(report->functions[0].value / value - 1);
    int digits = 11;  // all that a report shows
    for (const std::string& note : report->notes) {
      if (note.find("digits of f are right") == std::string::npos) continue;
      digits = std::stoi(note.substr(note.find("about ") + 6));
    }
    EXPECT_GE(digits, 3) << formula;
    EXPECT_LT(error, 3 * std::pow(10, -digits)) << formula;
  }
  for (const char* formula :
       {"x*sin(x)", "x^2 - 1.44", "exp(x)/(1 + x^2)", "x - floor(x)", "cos(x)^2 - 0.5", "1 - x"}) {
    EXPECT_EQ(MakeReport({formula}, {{"x", 1.2}}, {})->notes.size(), 0u) << formula;
  }
}

// Second derivatives keep their digits as the first do, or a note says how many are right. The
// expected numbers were computed by mpmath with 60 digits.
TEST(ReportedTest, SecondDerivativesKeepTheirDigits) {
  ReportOptions options;
  options.hessian = true;
  for (const auto& [formula, x, second] : std::vector<std::tuple<std::string, double, double>>{
           {"sqrt(1-tanh(x)^2)", 30, 1.871524593768034921e-13},
           {"1/sqrt(1-tanh(x)^2)", 15, 1634508.6862362082708},
           {"1-1/(1+exp(-x))", 40, 4.2483542552915889231e-18}}) {
    const auto report = MakeReport({formula}, {{"x", x}}, options);
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    for (int mode = 1; mode < 4; ++mode) {
      EXPECT_NEAR(report->functions[0].hessian[0][0].by_mode[mode], second,
                  1e-13 * std::abs(second))
          << formula << ", mode " << mode;
    }
  }
  for (const auto& [formula, x, second] : std::vector<std::tuple<std::string, double, double>>{
           {"(exp(x)-1-x)/x^2", 1e-3, 0.083383350003968998133},
           {"(x-sin(x))/x^3", 1e-3, -0.016666664285714368386},
           {"ln(1-tanh(x)^2)", 20, -3.3986834042332711674e-17},
           {"(1-cos(x))/x^2", 1e-4, -0.083333333166666666741}}) {
    const auto report = MakeReport({formula}, {{"x", x}}, options);
    ASSERT_TRUE(report.ok()) << formula << ": " << report.status();
    int digits = 11;  // all that a report shows
    for (const std::string& note : report->notes) {
      if (note.find("digits of d2f/dx^2 ") == std::string::npos) continue;
      const size_t about = note.find("about ");
      digits = about == std::string::npos ? 0 : std::stoi(note.substr(about + 6));
    }
    for (int mode = 1; mode < 4; ++mode) {
      const double found = report->functions[0].hessian[0][0].by_mode[mode];
      EXPECT_LT(std::abs(found / second - 1), 3 * std::pow(10, -digits))
          << formula << ", mode " << mode;
    }
  }
}

// Constants of the chain rule overflow if they are multiplied; the derivatives do not.
TEST(ReportedTest, ProductsOfHugeConstants) {
  for (const Reported& reported :
       std::vector<Reported>{{"atan2(x*1e200, 1e200)", {{"x", 1}}, {0.5}},
                             {"ln(1e200*(1e200*x + 1))", {{"x", 1}}, {1}},
                             {"ln(1+1e-200*sinh(1e-200*x)*exp(x))", {{"x", 1000}}, {1.001}}}) {
    ExpectInEveryMode(reported, 1e-14);
  }
}

TEST(ReportedTest, ADefinitionDoesNotHideThePoint) {
  const auto report = MakeReport({"x = 2; x^2"}, {{"x", 3}}, {});
  EXPECT_THAT(std::string(report.status().message()),
              HasSubstr("f:1:1: 'x' is a variable with a value of its own"));
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
