#include "autodiff/symbolic/compiled_function.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/functions.h"
#include "autodiff/symbolic/lower.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
using namespace codegen;  // NOLINT

namespace {

using testing::HasSubstr;

// Compares compiled formulas of x and their derivatives, which compute in f32, with an evaluation
// in double.
TEST(CompiledFunction, AgreesWithDouble) {
  const char* formulas[] = {"x / (1 + abs(x))",
                            "gelu(x)",
                            "gelu_tanh(x)",
                            "silu(x)",
                            "mish(x)",
                            "softplus(x)",
                            "relu(x)",
                            "leaky_relu(x, 0.1)",
                            "elu(x)",
                            "hard_swish(x)",
                            "tanh(x)^3 - x^2 / 7",
                            "x^2 * sin(x) + ln(x^2 + 1)",
                            "sqrt(x^2 + 2) / (x^2 + 2)^1.5",
                            "2^x + abs(x)^0.3",
                            "exp(-x^2 / 2) / sqrt(2 * pi)",
                            "atan(x) + asin(x / 9) + acos(x / 9)",
                            "sinh(x) / cosh(x)",
                            "asinh(x) + atanh(x / 9) + acosh(x + 9)",
                            "erf(x) + erfc(x)",
                            "log1p(x^2) + expm1(x / 4)",
                            "min(x, 1) * max(x, -2)",
                            "select(x, 1, x^2, x^3)",
                            "sign(x) * step(x - 1) + floor(x * 3)",
                            "1 / x^2 + 1 / x + x^(-3)"};
  std::vector<float> x;
  for (int i = 0; i < 400; ++i) x.push_back(-7.98f + 0.04013f * i);
  for (const InstructionSet isa : {InstructionSet::kPortable, WidestInstructionSet()}) {
    for (const char* text : formulas) {
      SCOPED_TRACE(std::string(text) + " " + Name(isa));
      Pool pool;
      const Expr variable = pool.Variable("x");
      const auto f = Parse(text, pool);
      ASSERT_TRUE(f.ok()) << f.status();
      const std::vector<Expr> outputs = {*f, Differentiate(*f, variable)};
      const auto program = Program::Create(outputs, {variable});
      ASSERT_TRUE(program.ok());
      const auto compiled = CompiledFunction::Compile(outputs, {variable}, isa);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      std::vector<float> y(x.size()), slope(x.size());
      (*compiled)({x.data()}, {y.data(), slope.data()}, x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        const std::vector<double> want = program->Evaluate<double>(std::vector<double>{x[i]});
        EXPECT_NEAR(y[i], want[0], 1e-6 + 3e-6 * std::fabs(want[0])) << "at " << x[i];
        EXPECT_NEAR(slope[i], want[1], 1e-6 + 3e-6 * std::fabs(want[1])) << "at " << x[i];
      }
    }
  }
}

// If an operand is NaN, max and min are NaN, in formulas that are evaluated as in those that are
// compiled. numpy's and PyTorch's maximum and minimum give the same values.
TEST(CompiledFunction, MaxAndMinKeepNaN) {
  Pool pool;
  const Expr x = pool.Variable("x"), y = pool.Variable("y");
  std::vector<Expr> formulas;
  for (const char* text :
       {"max(0, x)", "max(x, 0)", "min(0, x)", "min(x, 0)", "max(x, y)", "max(y, x)", "min(x, y)",
        "min(y, x)", "relu(x)", "min(max(x, 0), 6)", "max(y, max(x, 1))"}) {
    formulas.push_back(*Parse(text, pool));
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> xs(37, nan), ys(37, 2);
  const auto program = Program::Create(formulas, {x, y});
  ASSERT_TRUE(program.ok());
  const std::vector<double> interpreted = program->Evaluate<double>(std::vector<double>{nan, 2});
  for (const InstructionSet isa : {InstructionSet::kPortable, WidestInstructionSet()}) {
    for (size_t i = 0; i < formulas.size(); ++i) {
      std::vector<float> result(37, 1);
      const auto compiled = CompiledFunction::Compile({formulas[i]}, {x, y}, isa);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      (*compiled)({xs.data(), ys.data()}, {result.data()}, result.size());
      EXPECT_TRUE(std::isnan(result[0]) && std::isnan(result[36])) << ToText(formulas[i]);
      EXPECT_TRUE(std::isnan(interpreted[i])) << ToText(formulas[i]);
    }
  }
}

TEST(CompiledFunction, TakesSeveralVariables) {
  Pool pool;
  const Expr x = pool.Variable("x"), y = pool.Variable("y");
  const Expr f = x * y + Sin(x);
  const auto compiled =
      CompiledFunction::Compile({f, Differentiate(f, x), Differentiate(f, y)}, {x, y});
  ASSERT_TRUE(compiled.ok());
  const std::vector<float> xs = {1, 2, 3}, ys = {4, 5, 6};
  std::vector<float> value(3), by_x(3), by_y(3);
  (*compiled)({xs.data(), ys.data()}, {value.data(), by_x.data(), by_y.data()}, 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FLOAT_EQ(value[i], xs[i] * ys[i] + std::sin(xs[i]));
    EXPECT_FLOAT_EQ(by_x[i], ys[i] + std::cos(xs[i]));
    EXPECT_FLOAT_EQ(by_y[i], xs[i]);
  }
}

// The array is larger than the size from which stores bypass the caches. Its address is aligned
// only for floats.
TEST(CompiledFunction, StreamsLargeArrays) {
  Pool pool;
  const Expr x = pool.Variable("x");
  const auto compiled = CompiledFunction::Compile({2 * x + 1}, {x});
  ASSERT_TRUE(compiled.ok());
  const size_t size = (4 << 20) + 37;
  std::vector<float> from(size + 3), to(size + 3, -1);
  for (size_t i = 0; i < from.size(); ++i) from[i] = i % 1000;
  (*compiled)({from.data() + 1}, {to.data() + 1}, size);
  EXPECT_EQ(to[0], -1);
  EXPECT_EQ(to[size + 1], -1);
  for (size_t i = 1; i <= size; ++i) ASSERT_EQ(to[i], 2 * from[i] + 1) << i;
}

TEST(CompiledFunction, NamesTheVariableThatIsMissing) {
  Pool pool;
  const Expr x = pool.Variable("x"), y = pool.Variable("y");
  const auto compiled = CompiledFunction::Compile({x + y}, {x});
  ASSERT_FALSE(compiled.ok());
  EXPECT_THAT(std::string(compiled.status().message()), HasSubstr("uses y"));
}

int Count(const VectorProgram& program, Opcode opcode) {
  int count = 0;
  for (const Value v : program.Schedule()) count += program.instructions()[v].opcode == opcode;
  return count;
}

TEST(Lower, SharesWorkBetweenAFormulaAndItsDerivative) {
  Pool pool;
  const Expr x = pool.Variable("x");
  for (const auto& [f, divisions] : {std::pair{Softsign(x), 1}, std::pair{Silu(x), 1},
                                     std::pair{GeluTanh(x), 1}, std::pair{Tanh(x), 1}}) {
    VectorProgram program;
    const std::vector<Expr> roots = {f, Differentiate(f, x)};
    const auto values = Lower(roots, {{"x", program.Load(ElementType::kF32)}}, program);
    ASSERT_TRUE(values.ok());
    for (const Value value : *values) program.Store(value, ElementType::kF32);
    EXPECT_EQ(Count(program, Opcode::kDiv), divisions) << program.DebugString();
    EXPECT_LE(Count(program, Opcode::kScale), 1) << program.DebugString();
  }
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
