// Tests, on random compositions of all operations, properties that hold for every expression.

#include <cmath>
#include <iostream>
#include <random>

#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/limits.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::symbolic {
namespace {

constexpr uint64_t kSeed = 20240501;

// Returns a random operation applied to random expressions of less depth, or for depth 0 a variable
// or a constant.
Expr Random(Pool& pool, std::mt19937_64& random, int depth) {
  const auto pick = [&](int n) { return static_cast<int>(random() % n); };
  if (depth == 0) {
    const int kind = pick(5);
    if (kind < 3) return pool.Variable("x");
    if (kind == 3) return pool.Variable("y");
    return pool.Constant(Number::Ratio(pick(7) - 3, 1 + pick(3)));
  }
  const Expr a = Random(pool, random, depth - 1);
  const Expr b = Random(pool, random, pick(depth));
  const int op = static_cast<int>(Op::kAdd) + pick(kOpCount - static_cast<int>(Op::kAdd));
  switch (static_cast<Op>(op)) {
    case Op::kAdd:
      return pick(2) ? a + b : a - b;
    case Op::kMul:
      return pick(2) ? a * b : a / (1 + Abs(b));
    case Op::kPow:
      return Pow(a, Number(pick(3) + 1));
    case Op::kSelect:
      return Select(a, b, Sin(a), b);
    case Op::kPolygamma:
      return Polygamma(pick(3), a);
    case Op::kStrongMul:  // printed as a product, so it reads back as one
      return a * b;
    default:
      break;
  }
  if (Info(static_cast<Op>(op)).arguments == 2) return Apply(static_cast<Op>(op), {a, b});
  return Apply(static_cast<Op>(op), {a});
}

TEST(PropertyTest, SimplifyAndPrintingKeepValues) {
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  int compared = 0;
  for (int i = 0; i < 1500; ++i) {
    Pool pool;
    const Expr e = Random(pool, random, 1 + i % 4);
    const Expr simplified = Simplify(e);
    const std::string text = ToText(e);
    const auto back = Parse(text, pool);
    ASSERT_TRUE(back.ok()) << text << ": " << back.status();
    for (double x : {-1.37, -0.41, 0.0, 0.29, 0.83, 2.6}) {
      const Bindings at = {{"x", x}, {"y", 0.61}};
      const auto value = Evaluate(e, at);
      if (!value.ok() || std::abs(*value) > 1e6) continue;
      const auto reread = Evaluate(*back, at);
      ASSERT_TRUE(reread.ok()) << text << ": " << reread.status();
      EXPECT_NEAR(*reread, *value, 1e-7 * (1 + std::abs(*value))) << text;
      const auto after = Evaluate(simplified, at);
      ASSERT_TRUE(after.ok()) << text << " -> " << ToText(simplified) << ": " << after.status();
      EXPECT_NEAR(*after, *value, 1e-7 * (1 + std::abs(*value)))
          << text << " -> " << ToText(simplified) << " at x = " << x;
      ++compared;
    }
    EXPECT_NE(Equal(e, simplified), Verdict::kDifferent) << text << " -> " << ToText(simplified);
  }
  EXPECT_GT(compared, 4000);
}

// If Limit() returns a limit, the values of the function approach it.
TEST(PropertyTest, LimitsAreWhereValuesGo) {
  std::mt19937_64 random(kSeed);
  int known = 0, tried = 0;
  for (int i = 0; i < 400; ++i) {
    Pool pool;
    const Expr x = pool.Variable("x");
    const Expr e = Substitute(Random(pool, random, 1 + i % 3), pool.Variable("y"),
                              pool.Constant(Number::Ratio(2, 3)));
    if (!Contains(e, x)) continue;
    ++tried;
    const LimitValue limit = Limit(e, x, pool.Constant(0), Side::kRight);
    if (!limit.known()) continue;
    ++known;
    // At these points, terms that vanish like a power of x are small. At the last point, terms that
    // vanish like 1 / ln(x) are small too.
    bool approached = false, evaluated = false;
    for (double at : {1e-7, 1e-40, 1e-300}) {
      const auto near = Evaluate(e, {{"x", at}});
      if (!near.ok()) continue;
      evaluated = true;
      if (limit.finite()) {
        const auto value = Evaluate(limit.value, Bindings());
        ASSERT_TRUE(value.ok()) << ToText(e);
        approached |= std::abs(*near - *value) < 1e-2 * (1 + std::abs(*value));
      } else {
        approached |= (*near > 0) == (limit.kind == LimitValue::Kind::kPlusInfinity);
      }
    }
    EXPECT_TRUE(approached || !evaluated) << ToText(e) << " -> " << ToText(limit);
  }
  std::cout << known << " of " << tried << " limits told\n";
  EXPECT_GT(known, tried / 2);
}

// Forward and reverse accumulation give the same derivative.
TEST(PropertyTest, AccumulationsAgree) {
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 1500; ++i) {
    Pool pool;
    const Expr e = Random(pool, random, 1 + i % 5);
    const Expr x = pool.Variable("x");
    const Bindings at = {{"x", 0.37}, {"y", 0.61}};
    const auto forward = Evaluate(Differentiate(e, x), at);
    const auto reverse = Evaluate(Gradient(e, {x})[0], at);
    if (!forward.ok() || !reverse.ok()) continue;
    EXPECT_NEAR(*forward, *reverse, 1e-10 * (1 + std::abs(*forward))) << ToText(e);
  }
}

}  // namespace
}  // namespace cotangent::autodiff::symbolic
