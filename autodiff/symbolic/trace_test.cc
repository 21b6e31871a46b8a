#include "autodiff/symbolic/trace.h"

#include <cmath>

#include "autodiff/symbolic/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

using testing::HasSubstr;

TEST(TraceTest, QuestionFour) {
  Pool pool;
  const Expr w1 = pool.Variable("w1");
  const Expr w2 = pool.Variable("w2");
  const std::vector<Expr> f = {*Parse("cos(w1)*cos(w2) + sigmoid(w2)", pool),
                               *Parse("ln(w1 + w2) + w1^2*w2", pool)};
  const auto trace = MakeTrace(f, {w1, w2}, {1, 2});
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::vector<std::string> lines;
  for (const TraceRow& row : trace->rows) lines.push_back(row.name + " = " + row.formula);
  EXPECT_THAT(lines,
              testing::ElementsAre("w1 = w1", "w2 = w2", "v1 = cos(w1)", "v2 = cos(w2)",
                                   "v3 = v1*v2", "v4 = sigmoid(w2)", "v5 = v3 + v4", "v6 = w1 + w2",
                                   "v7 = ln(v6)", "v8 = w1^2", "v9 = v8*w2", "v10 = v7 + v9"));
  const TraceRow& f2 = trace->rows[trace->outputs[1]];
  EXPECT_NEAR(f2.value, std::log(3) + 2, 1e-15);
  EXPECT_NEAR(f2.tangents[0], 1.0 / 3 + 4, 1e-14);
  EXPECT_NEAR(f2.tangents[1], 1.0 / 3 + 1, 1e-14);
  EXPECT_NEAR(trace->rows[0].adjoints[1], 1.0 / 3 + 4, 1e-14);
  EXPECT_NEAR(trace->rows[0].adjoints[0], -std::sin(1) * std::cos(2), 1e-15);
}

TEST(TraceTest, QuotientsAndDifferencesAreOneStep) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const auto trace = MakeTrace({*Parse("(x - exp(x))/(1 + abs(x))", pool)}, {x}, {2});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->rows[2].formula, "x - v1");
  EXPECT_EQ(trace->rows.back().formula, "v2/v4");
}

// Of w_1 and w1, which look alike with a subscript, the first in the formula keeps its looks in all
// rows, whatever the order of the variables; so does an input v_1, before the row v1.
TEST(TraceTest, NamesThatLookAlikeAreToldApart) {
  Pool pool;
  const Expr f = *Parse("w_1*v_1 + w1", pool);
  const auto trace =
      MakeTrace({f}, {pool.Variable("v_1"), pool.Variable("w1"), pool.Variable("w_1")}, {2, 3, 5});
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::vector<std::string> lines;
  for (const TraceRow& row : trace->rows) lines.push_back(row.latex_name + " = " + row.latex);
  EXPECT_THAT(lines, testing::ElementsAre("v_{1} = v_{1}", "\\mathtt{w1} = \\mathtt{w1}",
                                          "w_{1} = w_{1}", "\\mathtt{v1} = v_{1} \\cdot w_{1}",
                                          "v_{2} = \\mathtt{v1} + \\mathtt{w1}"));
  EXPECT_EQ(trace->rows[4].mathml, "<mrow><mtext>v1</mtext><mo>+</mo><mtext>w1</mtext></mrow>");
}

TEST(TraceTest, NonFiniteDerivativeIsAnError) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const auto trace = MakeTrace({Sqrt(x)}, {x}, {0});
  EXPECT_EQ(trace.status().message(), "the derivative of sqrt(x) by x is not finite where x = 0");
  EXPECT_THAT(std::string(MakeTrace({Ln(x)}, {x}, {-1}).status().message()),
              HasSubstr("ln(x) is not defined"));
}

TEST(TraceTest, Graph) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const std::string dot = ToDot(*MakeTrace({Sin(x) * x}, {x}, {0.5}), {{"f"}});
  EXPECT_THAT(dot, HasSubstr("n1 [label=\"v1 = sin(x)\\n= 0.479426"));
  EXPECT_THAT(dot, HasSubstr("n0 -> n2 [label=\"0.479426\"]"));
}

TEST(KinksTest, SaysWhichSide) {
  Pool pool;
  const Expr x = pool.Variable("x");
  EXPECT_THAT(KinksAt({Abs(x)}, {x}, {0}),
              testing::ElementsAre(
                  "abs(x) has a kink at x = 0: the derivative taken there is sign(0) = 0"));
  EXPECT_THAT(KinksAt({Relu(x)}, {x}, {0}),
              testing::ElementsAre(HasSubstr("that of the first argument, 0")));
  EXPECT_TRUE(KinksAt({Abs(x)}, {x}, {1}).empty());
  const Expr y = pool.Variable("y");
  EXPECT_THAT(KinksAt({Hypot(x, y)}, {x, y}, {0, 0}),
              testing::ElementsAre(
                  "hypot(x, y) has a kink at x = 0, y = 0: the derivatives taken there are 0"));
  EXPECT_TRUE(KinksAt({Hypot(x, y)}, {x, y}, {0, 1}).empty());
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
