// Tests every entry of the table of operations (operations.inc): the entry is complete and its
// fields agree with each other.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/symbolic/compiled_function.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Returns the operation applied to as many of the variables a, b, c, d as it takes, or to three if
// it takes any number. Polygamma gets order 1 and a.
Expr Example(Pool& pool, Op op) {
  if (op == Op::kPolygamma) return Polygamma(1, pool.Variable("a"));
  const int count = Info(op).arguments;
  std::vector<Expr> args;
  for (int i = 0; i < (count < 0 ? 3 : count); ++i) {
    args.push_back(pool.Variable(std::string(1, static_cast<char>('a' + i))));
  }
  return pool.Make(op, args);
}

class OperationTest : public testing::TestWithParam<int> {
 protected:
  OperationTest()
      : op_(static_cast<Op>(GetParam())), operation_(Info(op_)), e_(Example(pool_, op_)) {}

  // Points for a, b, c, d such that every operation is defined and smooth at some of them.
  // Functions whose domain lies around 0, such as asin, are undefined at the last two.
  std::vector<Bindings> Points() const {
    return {{{"a", 0.31}, {"b", 0.73}, {"c", 0.4}, {"d", 0.9}},
            {{"a", -0.42}, {"b", 0.23}, {"c", 1.3}, {"d", -0.2}},
            {{"a", 1.7}, {"b", 1.2}, {"c", -0.7}, {"d", 0.6}},
            {{"a", 2.6}, {"b", -1.2}, {"c", 2.1}, {"d", 1.1}}};
  }

  Pool pool_;
  const Op op_;
  const Operation& operation_;
  const Expr e_;
};

// The field `ends` names a function's limits at minus and plus infinity; NaN means none and is not
// checked. If a limit is finite, the function must equal it at -60 or 60, up to rounding. If a
// limit is infinite, the value at -1e6 or 1e6 must have its sign and a magnitude above 10, and the
// value at -1e12 or 1e12 must be larger still in magnitude, or infinite.
TEST_P(OperationTest, EndsAreLimits) {
  if (!operation_.ends.has_value()) return;
  ASSERT_EQ(operation_.arguments, 1);
  const auto program = Program::Create({e_}, {pool_.Variable("a")});
  ASSERT_TRUE(program.ok());
  const auto value = [&](double at) {
    return program->Evaluate<double>(std::vector<double>{at})[0];
  };
  for (const auto& [end, sign] :
       {std::pair(operation_.ends->low, -1), std::pair(operation_.ends->high, 1)}) {
    if (std::isnan(end)) continue;
    if (std::isfinite(end)) {
      EXPECT_NEAR(value(60.0 * sign), end, 1e-15) << sign;
    } else {
      const double far = std::copysign(1, end) * value(1e6 * sign),
                   further = std::copysign(1, end) * value(1e12 * sign);
      EXPECT_TRUE(far > 10 && (further > far || std::isinf(further))) << sign;
    }
  }
}

TEST_P(OperationTest, DerivativesAreSlopes) {
  ASSERT_NE(operation_.derivative, nullptr);
  int compared = 0;
  for (const Bindings& point : Points()) {
    for (const Expr variable : Variables(e_)) {
      const double h = 1e-5;
      Bindings low = point, high = point;
      low[variable.name()] -= h;
      high[variable.name()] += h;
      const auto below = Evaluate(e_, low), above = Evaluate(e_, high);
      const auto slope = Evaluate(Differentiate(e_, variable), point);
      if (!below.ok() || !above.ok() || !slope.ok()) continue;
      ++compared;
      const double difference = (*above - *below) / (2 * h);
      EXPECT_NEAR(*slope, difference, 1e-6 * (1 + std::abs(*slope))) << ToText(e_);
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(OperationTest, IsPrinted) {
  EXPECT_FALSE(ToText(e_).empty());
  EXPECT_FALSE(ToLatex(e_).empty());
  EXPECT_FALSE(ToMathMl(e_).empty());
  const bool structural = op_ == Op::kAdd || op_ == Op::kMul || op_ == Op::kPow ||
                          op_ == Op::kStrongMul;  // these are printed by code of their own
  EXPECT_EQ(operation_.latex == nullptr, structural);
  EXPECT_EQ(operation_.cpp == nullptr, structural);
  const std::vector<Expr> variables = Variables(e_);
  EXPECT_EQ(ToCpp("f", {e_}, variables).find('{' + std::string("0}")), std::string::npos);
}

TEST_P(OperationTest, SymmetryAndRangeHold) {
  for (const Bindings& point : Points()) {
    const auto value = Evaluate(e_, point);
    if (!value.ok()) continue;
    if (operation_.range == Range::kPositive) {
      EXPECT_GT(*value, 0);
    } else if (operation_.range == Range::kNotNegative) {
      EXPECT_GE(*value, 0);
    }
    if (operation_.symmetry == Symmetry::kNone) continue;
    Bindings reflected = point;
    reflected["a"] = -point.at("a");
    const auto other = Evaluate(e_, reflected);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(*other, operation_.symmetry == Symmetry::kEven ? *value : -*value);
  }
}

TEST_P(OperationTest, SimplerFormsAreEqual) {
  if (operation_.normal == nullptr) return;
  const Expr normal = operation_.normal(e_.args());
  for (const Bindings& point : Points()) {
    const auto value = Evaluate(e_, point), other = Evaluate(normal, point);
    if (!value.ok() || !other.ok()) continue;
    EXPECT_NEAR(*value, *other, 1e-12) << ToText(normal);
  }
}

TEST_P(OperationTest, CompiledCodeComputesTheSame) {
  const std::vector<Expr> variables = Variables(e_);
  const auto compiled = CompiledFunction::Compile({e_}, variables);
  if (operation_.lower == nullptr && !compiled.ok()) return;  // the gamma functions
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  for (const Bindings& point : Points()) {
    const auto value = Evaluate(e_, point);
    if (!value.ok()) continue;
    std::vector<float> inputs;
    for (const Expr variable : variables) {
      inputs.push_back(static_cast<float>(point.at(variable.name())));
    }
    std::vector<const float*> pointers;
    for (const float& input : inputs) pointers.push_back(&input);
    float result;
    float* const results[] = {&result};
    (*compiled)(pointers, results, 1);
    EXPECT_NEAR(result, *value, 1e-5 * (1 + std::abs(*value))) << ToText(e_);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, OperationTest, testing::Range(static_cast<int>(Op::kAdd), kOpCount),
                         [](const auto& info) { return Info(static_cast<Op>(info.param)).name; });

}  // namespace
}  // namespace cotangent::autodiff::symbolic
