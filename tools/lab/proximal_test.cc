#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Proximal, HoldsForOneOverLambda) {
  EXPECT_THAT(Failing(RunProximal({.functions = 30})), IsEmpty());
}

TEST(Proximal, AnotherStepFails) {
  EXPECT_THAT(Failing(RunProximal({.step = "2/lambda", .functions = 5})),
              ElementsAre("proximal.minimiser", "proximal.step"));
}

}  // namespace
}  // namespace cotangent::tools::lab
