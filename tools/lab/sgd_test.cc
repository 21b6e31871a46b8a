#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Sgd, Holds) { EXPECT_THAT(Failing(RunSgd({.steps = 200000})), IsEmpty()); }

TEST(Sgd, AWrongThresholdFails) {
  EXPECT_THAT(Failing(RunSgd({.first_threshold = "(2*w - 1)/(w - 1)", .steps = 200000})),
              ElementsAre("sgd.first_term"));
  EXPECT_THAT(Failing(RunSgd({.second_threshold = "(2*w + 1)/(w + 1)", .steps = 200000})),
              ElementsAre("sgd.second_term"));
}

TEST(Sgd, AWrongVarianceFails) {
  EXPECT_THAT(Failing(RunSgd({.variance = "9*eta/4", .steps = 200000})),
              ElementsAre("sgd.stationary"));
}

}  // namespace
}  // namespace cotangent::tools::lab
