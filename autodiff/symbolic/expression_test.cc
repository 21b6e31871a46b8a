#include "autodiff/symbolic/expression.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/rewrite.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

TEST(NumberTest, StaysExactUntilItCannot) {
  EXPECT_EQ(Number::Ratio(2, 6) + Number::Ratio(1, 6), Number::Ratio(1, 2));
  EXPECT_EQ(Number::FromDouble(0.1), Number::Ratio(1, 10));
  EXPECT_EQ(Number::FromText("0.044715"), Number::Ratio(8943, 200000));
  EXPECT_EQ(Number::FromText("1e-3"), Number::Ratio(1, 1000));
  EXPECT_FALSE(Number::FromText("nan").has_value());
  EXPECT_EQ(Number::FromDouble(1e300).exact(), false);
  const Number big = Power(Number(10), 18);
  EXPECT_TRUE(big.exact());
  EXPECT_FALSE((big * big).exact());
  EXPECT_DOUBLE_EQ((big * big).ToDouble(), 1e36);
  EXPECT_EQ(ExactRoot(Number::Ratio(8, 27), 3), Number::Ratio(2, 3));
  EXPECT_FALSE(ExactRoot(Number(2), 2).has_value());
  EXPECT_EQ(Floor(Number::Ratio(-1, 2)), Number(-1));
  EXPECT_EQ(Factorial(0), Number(1));
  EXPECT_EQ(Factorial(20), Number(2432902008176640000));
  EXPECT_EQ(Factorial(21).ToDouble(), 51090942171709440000.0);
  EXPECT_EQ(Number::FromText("0.044715")->ToText(), "0.044715");
  EXPECT_EQ(Number::Ratio(-1, 3).ToText(), "-1/3");
}

TEST(ExpressionTest, EqualStructureIsOneNode) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr y = pool.Variable("y");
  EXPECT_EQ(x + y, y + x);
  EXPECT_EQ(Sin(x * y), Sin(y * x));
  EXPECT_NE(x - y, y - x);
  const size_t before = pool.size();
  (void)Sin(x * y);
  EXPECT_EQ(pool.size(), before);
}

TEST(ExpressionTest, FoldsWhatIsFree) {
  Pool pool;
  const Expr x = pool.Variable("x");
  EXPECT_TRUE((0 * x).IsZero());
  EXPECT_EQ(1 * x + 0, x);
  EXPECT_EQ(x * x, Pow(x, Number(2)));
  EXPECT_EQ(-(-x), x);
  EXPECT_EQ(x + x, 2 * x);
  EXPECT_TRUE((x - x).IsZero());
  EXPECT_EQ(2 * (3 * x), 6 * x);
  EXPECT_TRUE(Sqrt(pool.Constant(4)).IsNumber(2));
  EXPECT_EQ(Pow(Pow(x, Number(3)), Number(-1)), Pow(x, Number(-3)));
  EXPECT_TRUE(Max(pool.Constant(1), pool.Constant(2)).IsNumber(2));
  const Expr pi = pool.Pi();
  EXPECT_TRUE(Sin(pi).IsZero());
  EXPECT_TRUE(Sin(-pi / 2).IsNumber(-1));
  EXPECT_TRUE(Sin(5 * pi / 2).IsOne());
  EXPECT_TRUE(Cos(3 * pi).IsNumber(-1));
  EXPECT_TRUE(Cos(-pi / 2).IsZero());
  EXPECT_TRUE(Tan(-2 * pi).IsZero());
  EXPECT_EQ(Tan(pi / 2).op(), Op::kTan);  // a pole
  EXPECT_EQ(Sin(pi * x).op(), Op::kSin);
  EXPECT_EQ(Cos(pi / 3).op(), Op::kCos);
  EXPECT_TRUE(Cos(pool.Constant(0)).IsOne());
}

TEST(ExpressionTest, MixesPools) {
  Pool left, right;
  const Expr sum = left.Variable("x") + Sin(right.Variable("y"));
  EXPECT_EQ(sum, left.Variable("x") + Sin(left.Variable("y")));
}

TEST(ExpressionTest, SubstitutesAllAtOnce) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr y = pool.Variable("y");
  EXPECT_EQ(Substitute(x - y, {{x, y}, {y, x}}), y - x);
  EXPECT_EQ(Substitute(Abs(x) + 1, x, pool.Constant(-2)), pool.Constant(3));
}

TEST(RewriteTest, AppliesTheRuleOnceToEachNodeFromTheVariablesUp) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr shared = Sin(x), unchanged = Cos(pool.Variable("y"));
  std::vector<Op> seen;
  const std::vector<Expr> rewritten = Rewrite(
      {Exp(shared), shared * shared, unchanged}, [&](Expr node, absl::Span<const Expr> args) {
        seen.push_back(node.op());
        // The sines that the rule builds are not rewritten again.
        return node.op() == Op::kSin ? Sin(2 * args[0]) : Expr();
      });
  EXPECT_EQ(rewritten, std::vector<Expr>({Exp(Sin(2 * x)), Square(Sin(2 * x)), unchanged}));
  EXPECT_EQ(absl::c_count(seen, Op::kSin), 1);
  EXPECT_EQ(seen.size(), TopologicalOrder({Exp(shared), shared * shared, unchanged}).size());
}

TEST(RewriteTest, FoldsTheOperationOfRewrittenArguments) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr zero = pool.Constant(0);
  const auto to_zero = [&](Expr node, absl::Span<const Expr>) { return node == x ? zero : Expr(); };
  EXPECT_EQ(Rewrite(Exp(Sin(x)), to_zero), pool.Constant(1));
}

TEST(ExpressionTest, DepthCostsNoStack) {
  Pool pool;
  Expr e = pool.Variable("x");
  for (int i = 0; i < 100000; ++i) e = Sin(e);
  EXPECT_EQ(TopologicalOrder(e).size(), 100001u);
  EXPECT_EQ(Variables(e).size(), 1u);
  EXPECT_EQ(Substitute(e, pool.Variable("x"), pool.Variable("y")).op(), Op::kSin);
  EXPECT_GT(ToText(e).size(), 100000u);
}

TEST(PrintTest, AConstantIsNotTakenForAVariable) {
  Pool pool;
  const Expr e = pool.Variable("e"), pi = pool.Variable("pi");
  EXPECT_EQ(ToText(e * pool.E()), "exp(1)*e");
  EXPECT_EQ(ToText(pi + pool.Pi()), "pi + acos(-1)");
  EXPECT_EQ(ToText(pool.Variable("x") * pool.E()), "e*x");
}

TEST(PrintTest, Styles) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr w1 = pool.Variable("w1");
  EXPECT_EQ(ToText(x / (1 + Abs(x))), "x/(1 + abs(x))");
  EXPECT_EQ(ToText(-x * Pow(1 + x, Number(-2)) / 3), "-x/(3*(1 + x)^2)");
  EXPECT_EQ(ToText(x - 2 * w1 - 0.5), "x - 2*w1 - 1/2");
  EXPECT_EQ(ToText(Select(pool.Constant(0), x, x, Exp(x))), "if(0 < x, x, exp(x))");
  EXPECT_EQ(ToLatex(x / (1 + Abs(x))), "\\frac{x}{1 + \\left|x\\right|}");
  EXPECT_EQ(ToLatex(Sqrt(w1) * Exp(-x)), "\\sqrt{w_{1}} \\cdot e^{-x}");
  EXPECT_THAT(ToMathMl(x / w1), testing::HasSubstr("<mfrac><mrow><mi>x</mi></mrow><mrow><msub>"));
  EXPECT_EQ(ToCpp("f", {Square(x + w1)}, {x, w1}),
            "double f(double x, double w1) {\n"
            "  const double v1 = x + w1;\n"
            "  const double v2 = v1 * v1;\n"
            "  return v2;\n}\n");
}

// The order of factors is numbers, variables by name, sums, exponentials, other functions. The
// variable w2 comes before w10.
TEST(PrintTest, FactorsStandInTheOrderInWhichPeopleWriteThem) {
  Pool pool;
  const Expr x = pool.Variable("x"), y = pool.Variable("y"), w2 = pool.Variable("w2"),
             w10 = pool.Variable("w10"), one = pool.Constant(1);
  EXPECT_EQ(ToText(y * Square(x)), "x^2*y");
  EXPECT_EQ(ToText(3 * (y * Square(x))), "3*x^2*y");
  EXPECT_EQ(ToText(y * x * w10 * w2), "w2*w10*x*y");
  EXPECT_EQ(ToText(Sin(x) * Exp(y) * (x + 1) * y * pool.Pi() * -2),
            "-2*pi*y*(x + 1)*exp(y)*sin(x)");
  EXPECT_EQ(ToText(Sin(x) * (y / x) * w2), "w2*y*sin(x)/x");
  EXPECT_EQ(ToText(one / (y * x)), "1/(x*y)");
  EXPECT_EQ(ToText(y * Pow(x, y) * Sqrt(pool.Constant(2))), "sqrt(2)*y*x^y");
  EXPECT_EQ(ToLatex(y * x), "x \\cdot y");
}

// Returns whether a superscript directly follows another superscript, which is an error in LaTeX.
bool HasDoubleSuperscript(const std::string& latex) {
  std::vector<bool> raised;  // for each open brace, whether it opens a superscript
  for (size_t i = 0; i < latex.size(); ++i) {
    if (latex[i] == '{') {
      raised.push_back(i > 0 && latex[i - 1] == '^');
    } else if (latex[i] == '}') {
      if (raised.back() && i + 1 < latex.size() && latex[i + 1] == '^') return true;
      raised.pop_back();
    }
  }
  return false;
}

TEST(PrintTest, LatexPowersOfPowers) {
  Pool pool;
  const Expr x = pool.Variable("x"), y = pool.Variable("y"),
             tiny = pool.Constant(Number::FromDouble(1e-20)),
             huge = pool.Constant(Number::FromDouble(3e25));
  for (const Expr base : {tiny, huge, Exp(x), Square(x), Pow(x, y), Pow(tiny, x), x + 1, -x,
                          Sqrt(x), Hypot(Square(x), tiny), Sin(x), pool.Constant(-2),
                          pool.Constant(Number::Ratio(1, 3)), Abs(x), Exp(pool.Constant(1))}) {
    const Expr powers[] = {Pow(base, x),          Pow(base, Number::Ratio(5, 3)),
                           Pow(base, Number(-3)), Hypot(base, x + y),
                           Pow(Pow(base, x), y),  Exp(Pow(base, x))};
    for (const Expr power : powers) {
      EXPECT_FALSE(HasDoubleSuperscript(ToLatex(power))) << ToLatex(power);
    }
  }
  EXPECT_EQ(ToLatex(Pow(tiny, x)), "\\left(1 \\cdot 10^{-20}\\right)^{x}");
  EXPECT_EQ(ToLatex(huge), "3 \\cdot 10^{25}");
  EXPECT_THAT(ToMathMl(huge), testing::HasSubstr("<msup><mn>10</mn><mn>25</mn></msup>"));
  EXPECT_EQ(ToLatex(Hypot(x + 1, Square(y))),
            "\\sqrt{\\left(x + 1\\right)^{2} + \\left(y^{2}\\right)^{2}}");
  EXPECT_THAT(ToMathMl(Hypot(x + 1, y)), testing::HasSubstr("<msup><mrow><mrow><mo>(</mo>"));
}

// Names that C++ does not allow, or that the generated code uses, are changed.
TEST(PrintTest, CppNames) {
  Pool pool;
  const std::pair<const char*, const char*> names[] = {
      {"int", "int_"}, {"double", "double_"}, {"std", "std_"},    {"x__y", "x_x_y"},
      {"_x", "x_x"},   {"NAN", "NAN_"},       {"M_PI", "x_M_PI"}, {"Polygamma", "Polygamma_"},
      {"v1", "v1"},    {"int_", "int_"}};
  for (const auto& [name, in_cpp] : names) {
    const Expr variable = pool.Variable(name);
    EXPECT_THAT(ToCpp("f", {Sin(variable)}, {variable}),
                testing::StartsWith(absl::StrCat("double f(double ", in_cpp, ") {\n")));
  }
  const Expr taken = pool.Variable("int_"), word = pool.Variable("int"), v1 = pool.Variable("v1");
  EXPECT_EQ(ToCpp("f", {taken * Sin(word)}, {taken, word, v1}),
            "double f(double int_, double int_x, [[maybe_unused]] double v1) {\n"
            "  const double v2 = std::sin(int_x);\n"
            "  const double v3 = int_ * v2;\n"
            "  return v3;\n}\n");
}

// What is printed has one reading.
TEST(PrintTest, LatexIsUnambiguous) {
  Pool pool;
  const auto latex = [&](const char* text) { return ToLatex(*Parse(text, pool)); };
  EXPECT_EQ(latex("mod(a + b, c*d)"),
            "\\left(\\left(a + b\\right) \\bmod \\left(c \\cdot d\\right)\\right)");
  EXPECT_EQ(latex("log1p(-x)"), "\\ln\\left(1 + \\left(-x\\right)\\right)");
  EXPECT_EQ(latex("lgamma(x)^2"), "\\left(\\ln\\left|\\Gamma\\left(x\\right)\\right|\\right)^{2}");
  EXPECT_THAT(latex("if(x < 1, x, 2) + y"), testing::StartsWith("\\left(\\begin{cases}"));
  EXPECT_THAT(latex("y*if(x < 1, x, 2)"), testing::EndsWith("\\end{cases}\\right)"));
  EXPECT_EQ(latex("w1 + w_1"), "w_{1} + \\mathtt{w\\_1}");
  EXPECT_EQ(latex("x + x_"), "x + \\mathtt{x\\_}");
  EXPECT_EQ(latex("omicron"), "\\mathit{omicron}");
  Pool other;
  EXPECT_EQ(ToLatex(other.Variable("e") * Exp(other.Variable("pi"))),
            "\\mathtt{e} \\cdot e^{\\mathit{pi}}");
  EXPECT_EQ(
      ToMathMl(other.Variable("e")),
      "<math xmlns=\"http://www.w3.org/1998/Math/MathML\"><mrow><mtext>e</mtext></mrow></math>");
  EXPECT_THAT(ToMathMl(*Parse("(1e-20)^x", pool)),
              testing::HasSubstr("<mn>&#x2212;20</mn></msup><mo>)</mo>"));
}

// Each step uses the result of the step before twice: written out, each of the two formulas
// contains x 2^60 times.
TEST(PrintTest, SharedPartsGetNames) {
  Pool pool;
  Expr product = pool.Variable("x"), sum = product;
  const Expr y = pool.Variable("y");
  for (int i = 0; i < 60; ++i) {
    product = product * (product * y);
    sum = Sin(sum + (sum + y));
  }
  for (const Expr e : {product, sum}) {
    EXPECT_LT(ToLatex(e).size(), 20000u);
    EXPECT_LT(ToMathMl(e).size(), 100000u);
    EXPECT_THAT(ToLatex(e), testing::HasSubstr("u_{2}"));
  }
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
