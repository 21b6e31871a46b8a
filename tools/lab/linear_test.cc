#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Linear, Holds) { EXPECT_THAT(Failing(RunLinear({.functions = 60})), IsEmpty()); }

TEST(Linear, AnotherSlopeFails) {
  EXPECT_THAT(Failing(RunLinear({.gradient_factor = 1.1, .functions = 24})),
              ElementsAre("linear.first_order", "linear.lower_bound"));
}

TEST(Linear, AConvexFunctionIsNoCounterexample) {
  EXPECT_THAT(Failing(RunLinear({.functions = 12, .counterexample = "w^2"})),
              ElementsAre("linear.counterexample"));
}

}  // namespace
}  // namespace cotangent::tools::lab
