#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

TEST(Lemma, Holds) { EXPECT_THAT(Failing(RunLemma({.sequences = 400})), IsEmpty()); }

TEST(Lemma, ASmallerBoundFails) {
  EXPECT_THAT(Failing(RunLemma({.step_factor = 0.49, .sequences = 400})), Contains("lemma.bound"));
  EXPECT_THAT(Failing(RunLemma({.distance_factor = 0.49, .sequences = 400})),
              Contains("lemma.bound"));
}

TEST(Lemma, ALargerBoundIsNotExact) {
  EXPECT_THAT(Failing(RunLemma({.step_factor = 0.51, .sequences = 400})), Contains("lemma.slack"));
}

}  // namespace
}  // namespace cotangent::tools::lab
