#include "autodiff/symbolic/limits.h"

#include <string>

#include "autodiff/symbolic/differentiability.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

std::string AtInfinity(const std::string& text, bool positive = true) {
  Pool pool;
  return ToText(LimitAtInfinity(*Parse(text, pool), pool.Variable("x"), positive));
}

std::string At(const std::string& text, const std::string& point, Side side) {
  Pool pool;
  return ToText(Limit(*Parse(text, pool), pool.Variable("x"), *Parse(point, pool), side));
}

TEST(LimitTest, AtInfinity) {
  EXPECT_EQ(AtInfinity("x/(1 + abs(x))"), "1");
  EXPECT_EQ(AtInfinity("x/(1 + abs(x))", false), "-1");
  EXPECT_EQ(AtInfinity("1/(1 + abs(x))^2"), "0");
  EXPECT_EQ(AtInfinity("tanh(x)"), "1");
  EXPECT_EQ(AtInfinity("tanh(x)", false), "-1");
  EXPECT_EQ(AtInfinity("sigmoid(x)"), "1");
  EXPECT_EQ(AtInfinity("sigmoid(x)", false), "0");
  EXPECT_EQ(AtInfinity("relu(x)"), "+inf");
  EXPECT_EQ(AtInfinity("relu(x)", false), "0");
  EXPECT_EQ(AtInfinity("gelu(x)"), "+inf");
  EXPECT_EQ(AtInfinity("gelu(x)", false), "0");
  EXPECT_EQ(AtInfinity("gelu_tanh(x)", false), "0");
  EXPECT_EQ(AtInfinity("silu(x)"), "+inf");
  EXPECT_EQ(AtInfinity("silu(x)", false), "0");
  EXPECT_EQ(AtInfinity("softplus(x)"), "+inf");
  EXPECT_EQ(AtInfinity("softplus(x)", false), "0");
  EXPECT_EQ(AtInfinity("softplus(x) - x"), "0");
  EXPECT_EQ(AtInfinity("elu(x)", false), "-1");
  EXPECT_EQ(AtInfinity("elu(x)"), "+inf");
  EXPECT_EQ(AtInfinity("x^5*exp(-x)"), "0");
  EXPECT_EQ(AtInfinity("ln(x)/x"), "0");
  EXPECT_EQ(AtInfinity("ln(x)/sqrt(x)"), "0");
  EXPECT_EQ(AtInfinity("(1 + 1/x)^x"), "e");
  EXPECT_EQ(AtInfinity("(1 + 2/x)^x"), "exp(2)");
  EXPECT_EQ(AtInfinity("sqrt(x^2 + x) - x"), "1/2");
  EXPECT_EQ(AtInfinity("(2*x^2 + x)/(3*x^2 - 1)"), "2/3");
  EXPECT_EQ(AtInfinity("exp(x)/x^100"), "+inf");
  EXPECT_EQ(AtInfinity("exp(x + exp(-x)) - exp(x)"), "1");
  EXPECT_EQ(AtInfinity("atan(x)"), "pi/2");
  EXPECT_EQ(AtInfinity("erf(x)", false), "-1");
  EXPECT_EQ(AtInfinity("x*(1 - erf(x))"), "0");
  EXPECT_EQ(AtInfinity("x^(1/x)"), "1");
}

TEST(LimitTest, SlopesOfActivations) {
  const struct {
    const char* text;
    const char* minus;
    const char* plus;
  } cases[] = {
      {"x/(1 + abs(x))", "0", "0"}, {"tanh(x)", "0", "0"},         {"sigmoid(x)", "0", "0"},
      {"relu(x)", "0", "1"},        {"gelu(x)", "0", "1"},         {"silu(x)", "0", "1"},
      {"softplus(x)", "0", "1"},    {"elu(x)", "0", "1"},          {"gelu_tanh(x)", "0", "1"},
      {"mish(x)", "0", "1"},        {"leaky_relu(x)", "0.01", "1"}};
  for (const auto& c : cases) {
    Pool pool;
    const Expr x = pool.Variable("x");
    const Expr slope = Differentiate(*Parse(c.text, pool), x);
    EXPECT_EQ(ToText(LimitAtInfinity(slope, x, false)), c.minus) << c.text;
    EXPECT_EQ(ToText(LimitAtInfinity(slope, x, true)), c.plus) << c.text;
  }
}

TEST(LimitTest, OneSided) {
  EXPECT_EQ(At("1/(1 + abs(x))^2", "0", Side::kBoth), "1");
  EXPECT_EQ(At("abs(x)/x", "0", Side::kLeft), "-1");
  EXPECT_EQ(At("abs(x)/x", "0", Side::kRight), "1");
  EXPECT_EQ(At("abs(x)/x", "0", Side::kBoth), "cannot tell");
  EXPECT_EQ(At("1/x", "0", Side::kLeft), "-inf");
  EXPECT_EQ(At("1/x^2", "0", Side::kBoth), "+inf");
  EXPECT_EQ(At("sin(x)/x", "0", Side::kBoth), "1");
  EXPECT_EQ(At("(1 - cos(x))/x^2", "0", Side::kBoth), "1/2");
  EXPECT_EQ(At("x*ln(x)", "0", Side::kRight), "0");
  EXPECT_EQ(At("x^x", "0", Side::kRight), "1");
  EXPECT_EQ(At("(x^2 - 1)/(x - 1)", "1", Side::kBoth), "2");
  EXPECT_EQ(At("exp(-1/x^2)/x^7", "0", Side::kBoth), "0");
  EXPECT_EQ(At("floor(x)", "2", Side::kLeft), "1");
  EXPECT_EQ(At("floor(x)", "2", Side::kRight), "2");
  EXPECT_EQ(At("tan(x)", "pi/2", Side::kLeft), "+inf");
  EXPECT_EQ(At("asin(x)", "1", Side::kLeft), "pi/2");
}

TEST(LimitTest, RootsOfEvenPowers) {
  EXPECT_EQ(At("sqrt(x^2)", "0", Side::kBoth), "0");
  EXPECT_EQ(At("x/sqrt(x^2)", "0", Side::kLeft), "-1");
  EXPECT_EQ(At("x/sqrt(x^2)", "0", Side::kRight), "1");
  EXPECT_EQ(At("x^3/sqrt(x^4)", "0", Side::kBoth), "0");
  EXPECT_EQ(At("sqrt(sin(x)^2)/x", "0", Side::kLeft), "-1");
  EXPECT_EQ(At("(x^4)^(3/4)/x^3", "0", Side::kLeft), "-1");
  EXPECT_EQ(At("sqrt(x^2 + x^4)/x", "0", Side::kRight), "1");
  EXPECT_EQ(At("sqrt((x - 1)^2*(x + 3))/(x - 1)", "1", Side::kLeft), "-2");
  EXPECT_EQ(AtInfinity("sqrt(x^2)/x"), "1");
  EXPECT_EQ(At("sqrt(-x^2)", "0", Side::kBoth), "cannot tell");
}

TEST(LimitTest, CannotTellRatherThanWrong) {
  EXPECT_EQ(AtInfinity("sin(x)"), "cannot tell");
  EXPECT_EQ(AtInfinity("sin(x)/x"), "0");
  EXPECT_EQ(AtInfinity("x + sin(x)"), "+inf");
  EXPECT_EQ(AtInfinity("x*sin(x)"), "cannot tell");
  EXPECT_EQ(AtInfinity("x/sin(x)"), "cannot tell");
  EXPECT_EQ(AtInfinity("x*(2 + sin(x))"), "+inf");
  EXPECT_EQ(AtInfinity("x*(cos(x) - 3)"), "-inf");
  EXPECT_EQ(AtInfinity("x^2*(cos(x)*sin(x) - sin(x)^2 - 3)"), "-inf");
  EXPECT_EQ(AtInfinity("1/(x*(2 + sin(x)))"), "0");
  EXPECT_EQ(AtInfinity("x/(2 + sin(x))"), "+inf");
  EXPECT_EQ(AtInfinity("sqrt(2 + sin(x))/x"), "0");
  EXPECT_EQ(AtInfinity("ln(x + sin(x)) - ln(x)"), "0");
  EXPECT_EQ(AtInfinity("ln(2 + sin(x))/x"), "0");
  EXPECT_EQ(AtInfinity("x*exp(sin(x))"), "+inf");
  EXPECT_EQ(AtInfinity("abs(x*(2 + sin(x)))/x - sin(x)"), "2");
  EXPECT_EQ(AtInfinity("exp(-x*(2 + sin(x)))"), "0");
  EXPECT_EQ(AtInfinity("x*(2 + sin(x))/(2 + sin(x)) - x"), "0");
  EXPECT_EQ(At("(2 + cos(1/x))/x", "0", Side::kLeft), "-inf");
  EXPECT_EQ(AtInfinity("x*(1 + sin(x))"), "cannot tell");
  EXPECT_EQ(AtInfinity("1/(x*(1 + sin(x)))"), "cannot tell");
  EXPECT_EQ(AtInfinity("2 + sin(x)"), "cannot tell");
  EXPECT_EQ(AtInfinity("1/(2 + sin(x))"), "cannot tell");
  for (const char* undefined :
       {"ln(1 + sin(x))/x", "ln(sin(x))/x", "ln(-2 - sin(x))/x", "log10(sin(x)^2)/x",
        "sqrt(sin(x))/x", "sqrt(-1 - sin(x)^2)/x", "asin(2 + sin(x))/x", "acosh(sin(x))/x",
        "atanh(sin(x))/x", "log1p(cos(x))/x", "gamma(sin(x))/x", "sin(x)^(-2)/x", "sin(x)^0.5/x",
        "mod(1, sin(x))/x", "cos(x)^sin(x)/x"}) {
    EXPECT_EQ(AtInfinity(undefined), "cannot tell") << undefined;
  }
  for (const char* vanishing : {"abs(sin(x))/x", "sign(sin(x))/x", "floor(sin(x))/x",
                                "exp(sin(x))/x", "sin(x)^2/x", "2^sin(x)/x", "(3 + sin(x))^-2/x"}) {
    EXPECT_EQ(AtInfinity(vanishing), "0") << vanishing;
  }
  EXPECT_EQ(AtInfinity("x*(erf(x) - 1 + sin(x))"), "cannot tell");
  EXPECT_EQ(AtInfinity("exp(a*x)"), "cannot tell");
  EXPECT_EQ(At("ln(x)", "0", Side::kLeft), "cannot tell");
  EXPECT_EQ(At("sqrt(x)", "0", Side::kLeft), "cannot tell");
  EXPECT_EQ(At("sin(1/x)", "0", Side::kRight), "cannot tell");
  EXPECT_EQ(At("x*sin(1/x)", "0", Side::kRight), "0");
  EXPECT_EQ(
      AtInfinity("x^6*exp(x^2)*(sqrt(pi)*x*(1 - erf(x)) - exp(-x^2)*(1 - 1/(2*x^2) + 3/(4*x^4)))"),
      "cannot tell");
}

std::string Points(const std::string& text) {
  Pool pool;
  const Differentiability d = NonDifferentiablePoints(*Parse(text, pool), pool.Variable("x"));
  std::string result;
  for (const NonDifferentiablePoint& p : d.points) {
    result += ToText(p.point) + ": " + ToText(p.kind) + " " + ToText(p.left_slope) + " " +
              ToText(p.right_slope) + "; ";
  }
  return result + (d.complete ? "all" : "more");
}

TEST(NonDifferentiableTest, FindsKinks) {
  EXPECT_EQ(Points("x/(1 + abs(x))"), "all");
  EXPECT_EQ(Points("abs(x)"), "0: kink -1 1; all");
  EXPECT_EQ(Points("relu(2*x - 1)"), "1/2: kink 0 2; all");
  EXPECT_EQ(Points("elu(x)"), "all");
  EXPECT_EQ(Points("elu(x, 2)"), "0: kink 2 1; all");
  EXPECT_EQ(Points("x*abs(x)"), "all");
  EXPECT_EQ(Points("hard_swish(x)"), "-3: kink 0 -1/2; 3: kink 3/2 1; all");
  EXPECT_EQ(Points("abs(x^2 - 1)"), "-1: kink -2 2; 1: kink -2 2; all");
  EXPECT_EQ(Points("sign(x)"), "0: jump 0 0; all");
  EXPECT_EQ(Points("1/x"), "0: pole -inf -inf; all");
  EXPECT_EQ(Points("sqrt(x)"), "0: edge of the domain cannot tell +inf; all");
  EXPECT_EQ(Points("sqrt(abs(x))"), "0: vertical tangent -inf +inf; all");
  EXPECT_EQ(Points("tanh(x)"), "all");
  EXPECT_EQ(Points("gelu(x)"), "all");
  EXPECT_EQ(Points("abs(sin(x))"), "more");
  for (const char* function : {"gamma(x)", "lgamma(x)", "polygamma(0, x)"})  // 0, -1, -2, ...
    EXPECT_TRUE(Points(function).ends_with("; more")) << Points(function);
}

TEST(LimitTest, OfStepsAndAngles) {
  EXPECT_EQ(AtInfinity("floor(x)/x"), "1");
  EXPECT_EQ(AtInfinity("floor(x/2)"), "+inf");
  EXPECT_EQ(AtInfinity("x - floor(x)"), "cannot tell");
  EXPECT_EQ(At("x/2*floor(3/x)", "0", Side::kRight), "3/2");
  EXPECT_EQ(At("floor(sin(x)/x)", "0", Side::kBoth), "0");
  EXPECT_EQ(At("mod(x, 3)", "3", Side::kLeft), "3");
  EXPECT_EQ(At("mod(x, 3)", "3", Side::kRight), "0");
  EXPECT_EQ(At("fmod(x, 3)", "4", Side::kBoth), "1");
  EXPECT_EQ(At("atan2(1, x)", "0", Side::kBoth), "pi/2");
  EXPECT_EQ(At("atan2(x, -1)", "0", Side::kLeft), "-pi");
  EXPECT_EQ(At("atan2(x, -1)", "0", Side::kRight), "pi");
  EXPECT_EQ(At("atan2(x, x)", "0", Side::kLeft), "-3*pi/4");
  EXPECT_EQ(At("tan(x)/tan(3*x)", "pi/2", Side::kBoth), "3");
}

TEST(LimitTest, OfTheBranchThatIsTaken) {
  EXPECT_EQ(At("if(x < 0, ln(-x), x)", "0", Side::kRight), "0");
  EXPECT_EQ(At("if(x < 0, ln(-x), x)", "0", Side::kLeft), "-inf");
  EXPECT_EQ(AtInfinity("if(x > 3, 1/x, sqrt(-x))"), "0");
  EXPECT_EQ(AtInfinity("if(x > 3, sqrt(-x), 1/x)"), "cannot tell");
}

// The limits of functions nested sixty times take more than the budget. Limit() must then give up,
// and not claim a limit that it did not prove. (Without a common budget for all simplifications,
// some of these limits would take 20 seconds to more than a minute.)
TEST(LimitsTest, NestedDefinitionsKeepTheBudget) {
  for (const char* step : {"tanh(u)", "sqrt(1 + u)", "gelu(u)", "sigmoid(u)*u", "u + sin(u)"}) {
    Pool pool;
    const Expr x = pool.Variable("x"), u = pool.Variable("u"), f = *Parse(step, pool);
    Expr nested = *Parse("sin(x)/x", pool);
    for (int i = 0; i < 60; ++i) nested = Substitute(f, u, nested);
    Budget budget(20000);
    const LimitValue limit = Limit(nested, x, pool.Constant(0), Side::kRight, &budget);
    EXPECT_FALSE(limit.known()) << step << ": " << ToText(limit);
    EXPECT_TRUE(budget.exhausted()) << step;
  }
}

// Functions of functions: the limit is that of the outer function at the inner one's. The last four
// limits need further terms of the series, since the leading ones cancel.
TEST(LimitsTest, FunctionsOfFunctions) {
  const auto nested = [](const std::string& step, int times) {
    std::string text = "x";
    for (int i = 0; i < times; ++i) {
      std::string next;
      for (const char c : step) next += c == 'u' ? "(" + text + ")" : std::string(1, c);
      text = next;
    }
    return text;
  };
  EXPECT_EQ(AtInfinity(nested("tanh(u)", 5)), "tanh(tanh(tanh(tanh(1))))");
  EXPECT_EQ(AtInfinity(nested("tanh(u)", 5), false), "-tanh(tanh(tanh(tanh(1))))");
  EXPECT_EQ(AtInfinity(nested("erf(u)", 4)), "erf(erf(erf(1)))");
  EXPECT_EQ(AtInfinity(nested("atan(u)", 4)), "atan(atan(atan(pi/2)))");
  EXPECT_EQ(AtInfinity(nested("u/(1+abs(u))", 8)), "1/8");
  EXPECT_EQ(AtInfinity(nested("sigmoid(u)", 3), false), "sigmoid(1/2)");
  EXPECT_EQ(At(nested("tanh(u)", 8), "0", Side::kBoth), "0");
  EXPECT_EQ(At("((x + 1)^(1/x) - exp(1))/x", "0", Side::kBoth), "-e/2");
  EXPECT_EQ(At("(exp(x) - exp(-x) - 2*x)/(x - sin(x))", "0", Side::kBoth), "2");
  EXPECT_EQ(AtInfinity("(1 + 1/x)^(x^2)/exp(x)"), "exp(-1/2)");
  EXPECT_EQ(AtInfinity("(tanh(tanh(x)) - tanh(1))*exp(2*x)"), "2*tanh(1)^2 - 2");
}

// Where each function is continuous at the limit of its argument, the limit takes little work,
// however deep the functions are nested.
TEST(LimitsTest, DeeplyNestedFunctions) {
  const auto nested = [](const std::string& function, int depth, const std::string& inside) {
    std::string text = inside;
    for (int i = 0; i < depth; ++i) text = function + "(" + text + ")";
    return text;
  };
  for (const char* function : {"asinh", "gelu", "softplus", "silu", "sinh", "cbrt", "expm1"}) {
    EXPECT_EQ(AtInfinity(nested(function, 8, "x")), "+inf") << function;
  }
  for (const char* function : {"asinh", "gelu", "tanh", "sin", "silu", "expm1"}) {
    EXPECT_EQ(At(nested(function, 8, "x"), "0", Side::kBoth), "0") << function;
  }
  EXPECT_EQ(AtInfinity(nested("asinh", 8, "-x")), "-inf");
  EXPECT_EQ(AtInfinity("1 - 2*tanh(asinh(asinh(x)))^3"), "-1");
  EXPECT_EQ(AtInfinity("sin(asinh(x))"), "cannot tell");
  EXPECT_EQ(AtInfinity("erfc(asinh(x))*asinh(x)"), "0");
}

// Values and expansions of Abramowitz and Stegun, chapter 6; the problems with numbers are those of
// Gruntz's thesis, section 8.
TEST(LimitsTest, GammaFunctions) {
  EXPECT_EQ(At("gamma(x)", "0", Side::kRight), "+inf");
  EXPECT_EQ(At("gamma(x)", "0", Side::kLeft), "-inf");
  EXPECT_EQ(At("gamma(x)", "0", Side::kBoth), "cannot tell");
  EXPECT_EQ(At("gamma(x)", "-1", Side::kRight), "-inf");
  EXPECT_EQ(At("x*gamma(x)", "0", Side::kBoth), "1");
  EXPECT_EQ(At("(x + 3)*gamma(x)", "-3", Side::kBoth), "-1/6");
  EXPECT_EQ(At("1/gamma(x)", "0", Side::kBoth), "0");
  EXPECT_EQ(At("lgamma(x)", "-2", Side::kBoth), "+inf");
  EXPECT_EQ(At("lgamma(x) + ln(abs(x + 2))", "-2", Side::kBoth), "-ln(2)");
  EXPECT_EQ(At("digamma(x)", "0", Side::kRight), "-inf");
  EXPECT_EQ(At("x*digamma(x)", "0", Side::kBoth), "-1");
  EXPECT_EQ(At("x^2*polygamma(1, x)", "0", Side::kBoth), "1");
  EXPECT_EQ(At("(x + 1)^3*polygamma(2, x)", "-1", Side::kBoth), "-2");
  EXPECT_EQ(At("(gamma(1 + x) - 1)/x", "0", Side::kBoth), "polygamma(0, 1)");
  EXPECT_EQ(At("gamma(x)/gamma(2*x)", "0", Side::kBoth), "2");
  EXPECT_EQ(AtInfinity("gamma(x)"), "+inf");
  EXPECT_EQ(AtInfinity("gamma(x)", false), "cannot tell");
  EXPECT_EQ(AtInfinity("gamma(x)/exp(x)"), "+inf");
  EXPECT_EQ(AtInfinity("gamma(x)/x^x"), "0");
  EXPECT_EQ(AtInfinity("gamma(x + 1)/gamma(x)/x"), "1");
  EXPECT_EQ(AtInfinity("lgamma(x)/(x*ln(x))"), "1");
  EXPECT_EQ(AtInfinity("ln(gamma(x)) - lgamma(x)"), "0");
  EXPECT_EQ(AtInfinity("gamma(1/x)/x"), "1");
  EXPECT_EQ(AtInfinity("x*polygamma(1, x)"), "1");
  EXPECT_EQ(AtInfinity("x*(digamma(x) - ln(x))"), "-1/2");           // 8.24
  EXPECT_EQ(AtInfinity("exp(exp(digamma(ln(x))))/x"), "exp(-1/2)");  // 8.26
  EXPECT_EQ(AtInfinity("lgamma(lgamma(x))"), "+inf");                // 8.28
}

// The quotients of the logarithms are irrational.
TEST(LimitsTest, PowersOfSeveralNumbers) {
  EXPECT_EQ(AtInfinity("(3^x + 5^x)^(1/x)"), "5");
  EXPECT_EQ(AtInfinity("(2^x + 3^x + 7^x)^(1/x)"), "7");
  EXPECT_EQ(AtInfinity("(x + 2^x)/3^x"), "0");
  EXPECT_EQ(AtInfinity("(2^x + 3^x)/(3^x - 2^x)"), "1");
  EXPECT_EQ(AtInfinity("(2^x + 3^x)/2^x"), "+inf");
  EXPECT_EQ(AtInfinity("3^x - 2^x - x^2"), "+inf");
  EXPECT_EQ(AtInfinity("2^x - 3^x"), "-inf");
  EXPECT_EQ(AtInfinity("3^x/(2^x*x)"), "+inf");
  // exp(x (ln(5) + 1e-20 pi)) outgrows 5^x.
  EXPECT_NE(AtInfinity("(exp(x*(ln(5) + pi*1e-20)) - 5^x)/5^x + 3^x/5^x"), "0");
}

// Long formulas end in an answer or without one, but soon.
TEST(LimitsTest, LongFormulas) {
  std::string sum = "sin(x)/x";
  for (int i = 2; i < 5000; ++i) sum += "+sin(" + std::to_string(i) + "/x)*x";
  Budget budget(kLimitWork);
  Pool pool;
  EXPECT_FALSE(LimitAtInfinity(*Parse(sum, pool), pool.Variable("x"), true, &budget).known());
  EXPECT_TRUE(budget.exhausted());
}

// A function that is not defined near a point has no limit there. The last two functions are
// defined where the limit is taken.
TEST(LimitsTest, NoLimitWhereNothingIsDefined) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const auto formula = [&](const char* text) { return *Parse(text, pool); };
  EXPECT_FALSE(Limit(formula("2/sqrt(tanh(1/x)^2-1)"), x, pool.Constant(0), Side::kBoth).known());
  EXPECT_FALSE(LimitAtInfinity(formula("sqrt(-exp(-x))"), x, true).known());
  EXPECT_FALSE(LimitAtInfinity(formula("sqrt(-exp(-x))"), x, false).known());
  EXPECT_FALSE(Limit(formula("sqrt(-x^4)/x^2"), x, pool.Constant(0), Side::kBoth).known());
  EXPECT_FALSE(LimitAtInfinity(formula("x^(1/ln(x))"), x, false).known());
  EXPECT_FALSE(LimitAtInfinity(formula("exp(-x)*ln(-1)"), x, true).known());
  EXPECT_FALSE(LimitAtInfinity(formula("acosh(-x)/x"), x, true).known());
  EXPECT_FALSE(LimitAtInfinity(formula("log10(1 - x)/x"), x, true).known());
  EXPECT_EQ(ToText(LimitAtInfinity(formula("x^(1/ln(x))"), x, true)), "e");
  EXPECT_EQ(ToText(LimitAtInfinity(formula("hypot(x, 1)/x"), x, true)), "1");
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
