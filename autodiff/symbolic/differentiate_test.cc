#include "autodiff/symbolic/differentiate.h"

#include <cmath>

#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

double At(Expr e, const Bindings& point) {
  const auto value = Evaluate(e, point);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : std::nan("");
}

// Compares the derivative of every function, by forward and by reverse accumulation, with a central
// difference.
TEST(DifferentiateTest, AgreesWithDifferences) {
  for (const char* text : {"x^3",
                           "x^y",
                           "2^x",
                           "exp(x)",
                           "ln(x)",
                           "log2(x)",
                           "sin(x)",
                           "cos(x)",
                           "tan(x)",
                           "asin(x)",
                           "acos(x)",
                           "atan(x)",
                           "sinh(x)",
                           "cosh(x)",
                           "tanh(x)",
                           "asinh(x)",
                           "acosh(x + 2)",
                           "atanh(x)",
                           "log1p(x)",
                           "expm1(x)",
                           "erf(x)",
                           "erfc(x)",
                           "sigmoid(x)",
                           "softplus(x)",
                           "abs(x)",
                           "sign(x)",
                           "step(x)",
                           "floor(x)",
                           "min(x, y)",
                           "max(x, y)",
                           "relu(-x)",
                           "gelu(x)",
                           "silu(x)",
                           "gelu_tanh(x)",
                           "softsign(x)",
                           "hard_swish(x)",
                           "mish(x)",
                           "selu(-x)",
                           "elu(-x)",
                           "leaky_relu(-x)",
                           "cbrt(x)",
                           "hypot(x, y)",
                           "sqrt(x)*y/(x + y)",
                           "u = x*y; u*sin(u)/(1 + u^2)",
                           "if(x < y, x^2, y^2)",
                           "logsumexp(x, y, 1)"}) {
    Pool pool;
    const Expr e = *Parse(text, pool);
    const Expr x = pool.Variable("x");
    const Expr y = pool.Variable("y");
    const double x0 = 0.37, y0 = 1.21, h = 1e-5;
    const double by_x =
        (At(e, {{"x", x0 + h}, {"y", y0}}) - At(e, {{"x", x0 - h}, {"y", y0}})) / (2 * h);
    const double by_y =
        (At(e, {{"x", x0}, {"y", y0 + h}}) - At(e, {{"x", x0}, {"y", y0 - h}})) / (2 * h);
    const Bindings point = {{"x", x0}, {"y", y0}};
    EXPECT_NEAR(At(Differentiate(e, x), point), by_x, 1e-8 * (1 + std::abs(by_x))) << text;
    const std::vector<Expr> gradient = Gradient(e, {x, y});
    EXPECT_NEAR(At(gradient[0], point), by_x, 1e-8 * (1 + std::abs(by_x))) << text;
    EXPECT_NEAR(At(gradient[1], point), by_y, 1e-8 * (1 + std::abs(by_y))) << text;
  }
}

TEST(DifferentiateTest, KinksTakeTheStatedSide) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const auto slope = [&](const char* text, double at) {
    return At(Differentiate(*Parse(text, pool), x), {{"x", at}});
  };
  EXPECT_EQ(slope("abs(x)", 0), 0);
  EXPECT_EQ(slope("relu(x)", 0), 0);
  EXPECT_EQ(slope("elu(x, 2)", 0), 2);
  EXPECT_EQ(slope("leaky_relu(x, 0.1)", 0), 0.1);
  EXPECT_EQ(slope("hard_swish(x)", -3), 0);
  EXPECT_EQ(slope("hard_swish(x)", 3), 1);
  EXPECT_EQ(slope("max(2*x, x)", 0), 2);
}

TEST(DifferentiateTest, BranchesNotTakenMayBeUndefined) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr e = *Parse("if(0 < x, sqrt(x)*ln(x), 2*x)", pool);
  EXPECT_EQ(At(Differentiate(e, x), {{"x", -1}}), 2);
  EXPECT_EQ(At(Gradient(e, {x})[0], {{"x", -1}}), 2);
}

TEST(DifferentiateTest, QuestionFour) {
  Pool pool;
  const Expr w1 = pool.Variable("w1");
  const Expr w2 = pool.Variable("w2");
  const auto jacobian = Jacobian(
      {*Parse("cos(w1)*cos(w2) + sigmoid(w2)", pool), *Parse("ln(w1 + w2) + w1^2*w2", pool)},
      {w1, w2});
  const Bindings point = {{"w1", 1}, {"w2", 2}};
  const double s = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(At(jacobian[0][0], point), -std::sin(1) * std::cos(2), 1e-15);
  EXPECT_NEAR(At(jacobian[0][1], point), -std::cos(1) * std::sin(2) + s * (1 - s), 1e-15);
  EXPECT_NEAR(At(jacobian[1][0], point), 1.0 / 3 + 4, 1e-14);
  EXPECT_NEAR(At(jacobian[1][1], point), 1.0 / 3 + 1, 1e-14);
}

TEST(DifferentiateTest, GradientSharesItsWork) {
  // A chain of 200 products, each inside a sine. Alone, each of the 200 derivatives would be about
  // as long as the chain, or longer. Reverse accumulation shares their parts, so all of them
  // together cost only a small multiple of the chain.
  Pool pool;
  std::vector<Expr> variables;
  Expr product = pool.Constant(1);
  for (int i = 0; i < 200; ++i) {
    variables.push_back(pool.Variable("x" + std::to_string(i)));
    product = Sin(product * variables.back());
  }
  const size_t nodes = TopologicalOrder(product).size();
  const std::vector<Expr> gradient = Gradient(product, variables);
  EXPECT_LT(TopologicalOrder(gradient).size(), 5 * nodes);
}

TEST(DifferentiateTest, HessianIsSymmetric) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const Expr y = pool.Variable("y");
  const auto hessian = Hessian(*Parse("x^2*sin(y) + exp(x*y)", pool), {x, y});
  EXPECT_EQ(hessian[0][1], hessian[1][0]);
  const double exy = std::exp(0.06);
  const Bindings point = {{"x", 0.2}, {"y", 0.3}};
  EXPECT_NEAR(At(hessian[0][0], point), 2 * std::sin(0.3) + 0.09 * exy, 1e-14);
  EXPECT_NEAR(At(hessian[0][1], point), 0.4 * std::cos(0.3) + exy * 1.06, 1e-14);
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
