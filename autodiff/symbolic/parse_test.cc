#include "autodiff/symbolic/parse.h"

#include <cmath>
#include <string>

#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/print.h"
#include "base/comma_locale_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::string& text, const ParseOptions& options = {}) {
  Pool pool;
  const auto result = Parse(text, pool, options);
  return result.ok() ? "parsed" : std::string(result.status().message());
}

double ValueOf(const std::string& text, const Bindings& point = {}) {
  Pool pool;
  const auto e = Parse(text, pool);
  if (!e.ok()) {
    ADD_FAILURE() << e.status();
    return std::nan("");
  }
  const auto value = Evaluate(*e, point);
  if (!value.ok()) {
    ADD_FAILURE() << value.status();
    return std::nan("");
  }
  return *value;
}

TEST(ParseTest, Grammar) {
  EXPECT_DOUBLE_EQ(ValueOf("x^2*sin(y) + ln(z)", {{"x", 2}, {"y", 1}, {"z", 3}}),
                   4 * std::sin(1) + std::log(3));
  EXPECT_DOUBLE_EQ(ValueOf("-2^2"), -4);
  EXPECT_DOUBLE_EQ(ValueOf("2^3^2"), 512);
  EXPECT_DOUBLE_EQ(ValueOf("2**-1"), 0.5);
  EXPECT_DOUBLE_EQ(ValueOf("8/4/2"), 1);
  EXPECT_DOUBLE_EQ(ValueOf("1 - 2 - 3"), -4);
  EXPECT_DOUBLE_EQ(ValueOf("let u = x + y; u*(y + 1)", {{"x", 1}, {"y", 2}}), 9);
  EXPECT_DOUBLE_EQ(ValueOf("u = x + 1;\nv = u^2;\nu*v", {{"x", 1}}), 8);
  EXPECT_DOUBLE_EQ(ValueOf("if(x >= 0, x, -x)", {{"x", -3}}), 3);
  EXPECT_DOUBLE_EQ(ValueOf("max(1, 5, 2) + e - e + 1.5e1"), 20);
  EXPECT_DOUBLE_EQ(ValueOf("gelu_tanh(1)"), gelu_tanh(1.0));
  EXPECT_NEAR(ValueOf("gelu(-6)") / gelu(-6.0), 1, 1e-13);
  EXPECT_DOUBLE_EQ(ValueOf("hard_swish(1)"), hard_swish(1.0));
  EXPECT_DOUBLE_EQ(ValueOf("logsumexp(1, 2)"), logsumexp(1.0, 2.0));
}

TEST(ParseTest, ErrorsNameThePlace) {
  EXPECT_EQ(ErrorOf("x + )"), "formula:1:5: found ')', expected a number, a name, '(' or '-'");
  EXPECT_EQ(ErrorOf("x +\n  sn(x)"), "formula:2:3: unknown function 'sn'; did you mean sin?");
  EXPECT_THAT(ErrorOf("(x + 1"),
              HasSubstr("formula:1:7: found the end of the formula, expected ')'"));
  EXPECT_THAT(ErrorOf("2 x"), HasSubstr("1:3: found 'x', expected an operator"));
  EXPECT_THAT(ErrorOf("2 x"), HasSubstr("write * for a product"));
  EXPECT_EQ(ErrorOf("sin(x, y)"), "formula:1:1: sin takes 1 argument, found 2");
  EXPECT_EQ(ErrorOf("min(x)"), "formula:1:1: min takes 2 or more arguments, found 1");
  EXPECT_EQ(ErrorOf("sin()"), "formula:1:1: sin takes 1 argument, found 0");
  EXPECT_THAT(ErrorOf("sin + 1"), HasSubstr("'sin' is a function"));
  EXPECT_THAT(ErrorOf("x $ 2"), HasSubstr("1:3: found '$'"));
  EXPECT_EQ(ErrorOf("x × y"), "formula:1:3: found the multiplication sign × (U+00D7); expected *");
  EXPECT_THAT(ErrorOf(""), HasSubstr("found the end of the formula"));
  EXPECT_THAT(ErrorOf("u = x"), HasSubstr("expected ';'"));
  EXPECT_THAT(ErrorOf("u = x; u = y; u"), HasSubstr("1:8: 'u' is defined twice"));
  EXPECT_THAT(ErrorOf("1/0"), HasSubstr("1:2: division by zero"));
  EXPECT_EQ(ErrorOf("x + q", {.variables = {{"x", "y"}}}),
            "formula:1:5: unknown variable 'q'; expected x, y");
  EXPECT_EQ(ErrorOf("x(x + 1)", {.variables = {{"x", "y"}}}),
            "formula:1:1: unknown function 'x'; it is a variable: write * for a product");
  EXPECT_THAT(ErrorOf("y", {.variables = {{"x"}}, .source = "net.textproto"}),
              HasSubstr("net.textproto:1:1: "));
}

// The parser's messages name the characters that editors, word processors and web pages put into
// formulas in place of plain ones.
TEST(ParseTest, CharactersOfEditorsAreNamed) {
  EXPECT_EQ(ErrorOf("\xef\xbb\xbfx^2\r+ 1"), "parsed");  // a byte-order mark, an old Mac's line end
  for (const auto& [formula, error] : std::vector<std::pair<const char*, const char*>>{
           {"x\u00a0+ 1", "1:2: found a no-break space (U+00A0); expected a plain space"},
           {"x \u2212 1",
            "1:3: found the typographic dash \u2212 (U+2212); expected a plain one, -"},
           {"2\u00b7x", "1:2: found the multiplication sign \u00b7 (U+00B7); expected *"},
           {"x\u00f72", "1:2: found the division sign \u00f7 (U+00F7); expected /"},
           {"\u201cx\u201d",
            "1:1: found the typographic quote \u201c (U+201C); expected a plain one"},
           {"x\u00b2", "1:2: found the superscript \u00b2 (U+00B2); expected a power, such as ^2"},
           {"\u221a(x)", "1:1: found the root sign \u221a (U+221A); expected sqrt(..)"},
           {"sin(\u03c0)", "1:5: found the letter \u03c0 (U+03C0); expected pi"},
           {"x +\n\u200b1", "2:1: found an invisible character (U+200B); remove it"},
           {"x + \u00e4", "1:5: found the character '\u00e4' (U+00E4)"},
           {"x + \xff", "1:5: found the byte 0xff, which is no UTF-8; save the text as UTF-8"},
           {"\xff\xfex", "1:1: the text is in UTF-16; save it as UTF-8"}}) {
    EXPECT_THAT(ErrorOf(formula), HasSubstr(error)) << formula;
  }
}

TEST(ParseTest, ConstantsBeyondTheRangeOfNumbers) {
  const auto error = [](const char* text) {
    Pool pool;
    return std::string(Parse(text, pool).status().message());
  };
  const std::string beyond = " is beyond the range of numbers (4.9e-324 to 1.8e308)";
  EXPECT_EQ(error("x + 1e400"), "formula:1:5: '1e400'" + beyond);
  EXPECT_EQ(error("1e-400*x"), "formula:1:1: '1e-400'" + beyond);
  EXPECT_EQ(error("1e200*x*1e200"), "formula:1:8: the product of the constants" + beyond);
  EXPECT_EQ(error("1e-200*x*1e-200"), "formula:1:9: the product of the constants" + beyond);
  EXPECT_EQ(error("1e308 + 1e308 + x"), "formula:1:7: the sum of the constants" + beyond);
  EXPECT_EQ(error("0*1e-300*1e-300*x + 0e5 + 1e300*x/1e300"), "");
}

// A program with a graphical interface usually takes the user's locale.
TEST(ParseTest, NumbersHavePointsInALocaleOfCommas) {
  const CommaLocale locale;
  EXPECT_EQ(ValueOf("2.5*x", {{"x", 2}}), 5);
  EXPECT_EQ(ValueOf("0.1"), 0.1);
  Pool pool;
  const Expr tiny = *Parse("2.5e-300", pool);
  EXPECT_EQ(ToText(tiny), "2.5e-300");
  EXPECT_THAT(ToCpp("f", {tiny}, {}), HasSubstr("2.5e-300"));
}

TEST(ParseTest, ConstantsWhoseProductComesBackIntoTheRangeOfNumbers) {
  EXPECT_DOUBLE_EQ(ValueOf("1e-200*x*1e-200*1e300", {{"x", 3}}), 3e-100);
  EXPECT_DOUBLE_EQ(ValueOf("x*1e200*1e200*1e200/1e300/1e200", {{"x", 3}}), 3e100);
  EXPECT_DOUBLE_EQ(ValueOf("x/1e-200/1e-200*y*1e-300", {{"x", 3}, {"y", 2}}), 6e100);
  EXPECT_EQ(ValueOf("1e300*1e300*0*x", {{"x", 3}}), 0);
}

TEST(ParseTest, DeepNestingIsAnError) {
  EXPECT_THAT(ErrorOf(std::string(100000, '(') + "x" + std::string(100000, ')')),
              HasSubstr("formula:1:251: nested more than 250 deep"));
  std::string powers = "x", calls = "x";
  for (int i = 0; i < 100000; ++i) powers += "^x";
  EXPECT_THAT(ErrorOf(powers), HasSubstr("nested more than"));
  EXPECT_EQ(ErrorOf(std::string(100000, '-') + "x"), "parsed");
  std::string sum = "x";
  for (int i = 0; i < 20000; ++i) sum += "+sin(x)";
  EXPECT_EQ(ErrorOf(sum), "parsed");
}

TEST(ParseTest, PrintedTextParsesBack) {
  for (const char* text :
       {"x/(1 + abs(x))", "x^2*sin(y) + ln(z)", "-x^2/(3*y*(1 + z)^2)", "sqrt(x)/2 - 0.044715*x^3",
        "if(x < y, x, -y)", "exp(-x^2/2)/sqrt(2*pi)", "(x + y)^(-3/2)", "2^x*x^y", "1/x/y",
        "(-x)^2", "tanh(softplus(x))*x - 1/3", "max(0, min(x, y))", "-(x + y)", "x - (y - z)",
        "(x^y)^z", "x^y^z", "e^x*(-1/2)^3", "x*(-y)", "1/sqrt(x + 1)"}) {
    Pool pool;
    const auto e = Parse(text, pool);
    ASSERT_TRUE(e.ok()) << e.status();
    const std::string printed = ToText(*e);
    const auto back = Parse(printed, pool);
    ASSERT_TRUE(back.ok()) << printed << ": " << back.status();
    const Bindings point = {{"x", 0.7}, {"y", 1.3}, {"z", 2.1}};
    EXPECT_NEAR(*Evaluate(*e, point), *Evaluate(*back, point), 1e-14) << text << " -> " << printed;
    EXPECT_EQ(ToText(*back), printed);
  }
  // Shared subexpressions are named, so that the text is not exponentially long.
  Pool pool;
  Expr e = pool.Variable("x");
  for (int i = 0; i < 60; ++i) e = Sin(e) * e + 1;
  const std::string printed = ToText(e);
  EXPECT_LT(printed.size(), 4000u);
  EXPECT_EQ(*Parse(printed, pool), e);
}

TEST(EvaluateTest, DomainErrorsNameTheSubexpression) {
  Pool pool;
  const auto error = [&](const char* text, const Bindings& point) {
    const auto value = Evaluate(*Parse(text, pool), point);
    return value.ok() ? "fine" : std::string(value.status().message());
  };
  EXPECT_EQ(error("1 + ln(x - 3)", {{"x", 2}}),
            "ln(x - 3) is not defined (over the real numbers) at x - 3 = -1");
  EXPECT_EQ(error("1/x", {{"x", 0}}), "1/x is not defined (it has a pole) at x = 0");
  EXPECT_THAT(error("tanh(1/x)", {{"x", 0}}), HasSubstr("has a pole"));
  EXPECT_EQ(error("exp(x)", {{"x", 1000}}), "exp(x) overflows at x = 1000");
  EXPECT_EQ(error("exp(-exp(x))", {{"x", 1000}}), "fine");
  EXPECT_EQ(error("if(0 < x, ln(x), 0)", {{"x", -1}}), "fine");
  EXPECT_EQ(error("x + y", {{"x", 1}}), "the variable y has no value; there are values for: x");
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
