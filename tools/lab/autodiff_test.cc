#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Autodiff, Holds) { EXPECT_THAT(Failing(RunAutodiff()), IsEmpty()); }

TEST(Autodiff, AWrongGradientFails) {
  EXPECT_THAT(Failing(RunAutodiff({.product_gradient = {"y + 1", "x + y + 1"}})),
              ElementsAre("autodiff.product_jacobian"));
}

TEST(Autodiff, AnotherIntermediateFails) {
  EXPECT_THAT(Failing(RunAutodiff({.second_sum = "y + 2"})), ElementsAre("autodiff.product_graph"));
}

TEST(Autodiff, AnotherStepMissesByMore) {
  EXPECT_THAT(Failing(RunAutodiff({.step = 0.02})), ElementsAre("autodiff.question4_differences"));
}

TEST(Autodiff, AWrongJacobianFails) {
  AutodiffPremises premises;
  premises.question_jacobian[3] = "1/(w1 + w2) + w1";
  EXPECT_THAT(Failing(RunAutodiff(premises)), ElementsAre("autodiff.question4_jacobian"));
}

}  // namespace
}  // namespace cotangent::tools::lab
