#include "optim/descent.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

using ::testing::HasSubstr;
using Vector = absl::Span<const double>;
using MutableVector = absl::Span<double>;

// Returns (w0 - 1)^2 + 2 (w1 + 3)^2, which is least at w = (1, -3).
double Bowl(Vector w) { return (w[0] - 1) * (w[0] - 1) + 2 * (w[1] + 3) * (w[1] + 3); }
void BowlGradient(Vector w, MutableVector g) {
  g[0] = 2 * (w[0] - 1);
  g[1] = 4 * (w[1] + 3);
}

TEST(DescentTest, FindsTheMinimumOfABowl) {
  auto result =
      Minimise(Bowl, BowlGradient, {0, 0}, {.steps = 200, .step_size = ConstantStep(0.2)});
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(result->last[0], 1, 1e-12);
  EXPECT_NEAR(result->last[1], -3, 1e-12);
  EXPECT_NEAR(result->last_value, 0, 1e-20);
  EXPECT_EQ(result->steps, 200);
  EXPECT_FALSE(result->diverged);
}

TEST(DescentTest, AverageIsOfTheIteratesBeforeEachStep) {
  // The iterates are 4, 3, 2, 1; after the last step w is 0.
  auto slope = [](Vector, MutableVector g) { g[0] = 1; };
  auto line = [](Vector w) { return w[0]; };
  auto all = Minimise(line, slope, {4}, {.steps = 4, .step_size = ConstantStep(1)});
  ASSERT_TRUE(all.ok());
  EXPECT_DOUBLE_EQ(all->average[0], 2.5);
  EXPECT_DOUBLE_EQ(all->average_value, 2.5);
  EXPECT_DOUBLE_EQ(all->last[0], 0);
  auto tail =
      Minimise(line, slope, {4}, {.steps = 4, .step_size = ConstantStep(1), .averaged_share = 0.5});
  EXPECT_DOUBLE_EQ(tail->average[0], 1.5);
}

TEST(DescentTest, AverageKeepsTheBoundOnAnAbsoluteValue) {
  auto f = [](Vector w) { return std::abs(w[0]); };
  auto subgradient = [](Vector w, MutableVector g) { g[0] = w[0] >= 0 ? 1 : -1; };
  for (int64_t steps : {10, 100, 10000}) {
    auto result =
        Minimise(f, subgradient, {1}, {.steps = steps, .step_size = StepForRate(1, 1, steps)});
    ASSERT_TRUE(result.ok());
    EXPECT_LE(result->average_value, 1 / std::sqrt(static_cast<double>(steps)));
  }
}

TEST(DescentTest, ProjectionKeepsIteratesInTheSet) {
  auto result = Minimise(
      Bowl, BowlGradient, {0, 0},
      {.steps = 500, .step_size = DecayingStep(0.2), .projection = OntoBall(1), .record_every = 1});
  ASSERT_TRUE(result.ok());
  for (const DescentRecord& record : result->trajectory) {
    EXPECT_LE(std::hypot(record.w[0], record.w[1]), 1 + 1e-12);
  }
  EXPECT_NEAR(std::hypot(result->last[0], result->last[1]), 1, 1e-9);
  auto boxed =
      Minimise(Bowl, BowlGradient, {0, 0},
               {.steps = 500, .step_size = ConstantStep(0.1), .projection = OntoBox(-1, 0.5)});
  EXPECT_NEAR(boxed->last[0], 0.5, 1e-12);
  EXPECT_NEAR(boxed->last[1], -1, 1e-12);
}

TEST(DescentTest, RecordsStartEveryFewStepsAndEnd) {
  auto result = Minimise(Bowl, BowlGradient, {0, 0},
                         {.steps = 10, .step_size = ConstantStep(0.1), .record_every = 4});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->trajectory.size(), 4);
  EXPECT_EQ(result->trajectory[0].t, 1);
  EXPECT_EQ(result->trajectory[1].t, 5);
  EXPECT_EQ(result->trajectory[2].t, 9);
  EXPECT_EQ(result->trajectory[3].t, 11);
  EXPECT_DOUBLE_EQ(result->trajectory[0].value, 19);
  EXPECT_EQ(result->trajectory[3].w, result->last);
}

TEST(DescentTest, StopsAtASmallGradient) {
  auto result =
      Minimise(Bowl, BowlGradient, {0, 0},
               {.steps = 100000, .step_size = ConstantStep(0.2), .gradient_tolerance = 1e-6});
  ASSERT_TRUE(result.ok());
  EXPECT_LT(result->steps, 100);
}

TEST(DescentTest, AProjectionThatIsNotANumberIsDivergence) {
  const auto result = Minimise(Bowl, BowlGradient, {0, 0},
                               {.steps = 10,
                                .step_size = ConstantStep(0.1),
                                .projection = [](absl::Span<double> w) { w[0] = std::nan(""); }});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->diverged);
  EXPECT_THAT(result->last, ::testing::ElementsAre(0, 0));
}

TEST(DescentTest, DivergenceIsSaidAndTheLastFinitePointKept) {
  auto result =
      Minimise(Bowl, BowlGradient, {0, 0}, {.steps = 100000, .step_size = ConstantStep(10)});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->diverged);
  EXPECT_TRUE(std::isfinite(result->last[0]));
}

TEST(DescentTest, MistakesAreNamed) {
  auto message = [](std::vector<double> start, const DescentOptions& options) {
    return std::string(Minimise(Bowl, BowlGradient, start, options).status().message());
  };
  EXPECT_THAT(message({}, {}), HasSubstr("no coordinates"));
  EXPECT_THAT(message({0, 0}, {.steps = -1}), HasSubstr("steps is -1"));
  EXPECT_THAT(message({0, 0}, {.step_size = ConstantStep(-1)}), HasSubstr("t = 1 is -1"));
  EXPECT_THAT(message({0, 0}, {.step_size = ConstantStep(std::nan(""))}), HasSubstr("nan"));
  EXPECT_THAT(message({0, 0}, {.averaged_share = 0}), HasSubstr("averaged_share is 0"));
}

}  // namespace
}  // namespace cotangent::optim
