#include "tools/formula_report.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::tools {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(FormulaReportTest, Constants) {
  EXPECT_DOUBLE_EQ(*ConstantFromText("pi/2", "--at: x"), std::acos(-1) / 2);
  EXPECT_DOUBLE_EQ(*ConstantFromText("-1e-3", "--at: x"), -1e-3);
  EXPECT_THAT(std::string(ConstantFromText("1/y", "--at: x").status().message()),
              HasSubstr("--at: x:1:3: unknown variable 'y'"));
  EXPECT_THAT(std::string(ConstantFromText("ln(0)", "--at: x").status().message()),
              HasSubstr("ln(0) is not defined"));
}

TEST(FormulaReportTest, ShortForms) {
  EXPECT_EQ(*SimplifiedAsText({"x/x + sin(x)^2 + cos(x)^2"}), "f = 2\n");
  EXPECT_EQ(*SimplifiedAsText({"sin(pi)*x + tan(pi/4)"}), "f = 1\n");
  EXPECT_EQ(*SimplifiedAsText({"1 + x + x", "x*y*x"}), "f1 = 1 + 2*x\nf2 = x^2*y\n");
}

TEST(FormulaReportTest, Equality) {
  bool all;
  EXPECT_EQ(*EqualityAsText({"tanh(x)", "2*sigmoid(2*x) - 1"}, &all),
            "f1 and f2 are equal wherever both are defined (proved)\n");
  EXPECT_TRUE(all);
  EXPECT_THAT(*EqualityAsText({"sqrt(x^2)", "x"}, &all), HasSubstr("differ"));
  EXPECT_FALSE(all);
  EXPECT_FALSE(EqualityAsText({"x"}, &all).ok());
  // This formula is defined nowhere, so nothing can be proved.
  EXPECT_THAT(*EqualityAsText({"sqrt(-1 - x^2)", "7"}, &all), HasSubstr("cannot tell"));
}

TEST(FormulaReportTest, Parity) {
  EXPECT_THAT(*ParityAsText({"x/(1 + abs(x))"}, ""), StartsWith("f is odd in x (proved)\n"));
  EXPECT_THAT(*ParityAsText({"ln(x)"}, ""), StartsWith("f is neither even nor odd in x"));
  EXPECT_FALSE(ParityAsText({"x*y"}, "").ok());
  EXPECT_THAT(*ParityAsText({"x*y"}, "y"), StartsWith("f is odd in y"));
}

// The steps of a long proof are not all printed.
TEST(FormulaReportTest, LongProof) {
  std::string sum = "cos(x)";
  for (int i = 2; i <= 60; ++i) sum += " + cos(" + std::to_string(i) + "*x)";
  const std::string text = *ParityAsText({sum}, "");
  EXPECT_THAT(text, StartsWith("f is even in x (proved)\n"));
  EXPECT_THAT(text, HasSubstr("more steps\n"));
}

TEST(FormulaReportTest, Limits) {
  EXPECT_EQ(*LimitAsText({"sin(x)/x"}, "x=0"), "limit of f as x -> 0: 1\n");
  EXPECT_EQ(*LimitAsText({"(1 + 1/x)^x"}, "x=inf"), "limit of f as x -> inf: e\n");
  EXPECT_EQ(*LimitAsText({"abs(x)/x"}, "x=0-"), "limit of f as x -> 0-: -1\n");
  EXPECT_THAT(*LimitAsText({"1/x"}, "x=0"), HasSubstr("  from 0+: +inf\n"));
  EXPECT_FALSE(LimitAsText({"x"}, "0").ok());
  std::string nested;
  for (int i = 0; i < 60; ++i) {
    nested += "; u" + std::to_string(i + 1) + " = gelu(u" + std::to_string(i) + ")";
  }
  // A continuous function has its value as its limit, however deeply it is nested.
  EXPECT_EQ(*LimitAsText({"u0 = x" + nested + "; u60"}, "x=0+"), "limit of f as x -> 0+: 0\n");
  EXPECT_THAT(*LimitAsText({"u0 = sin(x)/x" + nested + "; u60"}, "x=0+"),
              HasSubstr("(stopped: it would take long)"));
}

}  // namespace
}  // namespace cotangent::tools
