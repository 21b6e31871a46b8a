#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Rate, Holds) {
  EXPECT_THAT(Failing(RunRate({.most_steps = 1000, .data_dir = "/nonexistent"})), IsEmpty());
}

TEST(Rate, ASmallerBoundFails) {
  EXPECT_THAT(
      Failing(RunRate({.bound_factor = 0.99, .most_steps = 100, .data_dir = "/nonexistent"})),
      Contains("rate.bound"));
}

TEST(Rate, LessThanTheMeanInnerProductIsNoBound) {
  EXPECT_THAT(
      Failing(RunRate({.inner_factor = 0.99, .most_steps = 100, .data_dir = "/nonexistent"})),
      ElementsAre("rate.convexity"));
}

TEST(Rate, ALargerBoundIsNotTight) {
  EXPECT_THAT(
      Failing(RunRate({.bound_factor = 1.01, .most_steps = 100, .data_dir = "/nonexistent"})),
      ElementsAre("rate.tight"));
}

}  // namespace
}  // namespace cotangent::tools::lab
