#include "distributed/means.h"

#include <chrono>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::distributed {
namespace {

TEST(SecondsUnderWayTest, TimesThatOverlapCountOnce) {
  const Means::Clock::time_point start = Means::Clock::now();
  const auto at = [&](int seconds) { return start + std::chrono::seconds(seconds); };
  EXPECT_EQ(SecondsUnderWay({}), 0);
  EXPECT_DOUBLE_EQ(
      SecondsUnderWay({{at(0), at(2)}, {at(1), at(5)}, {at(2), at(3)}, {at(7), at(8)}}), 6);
}

// RoundWithFeedback() adds each rounding error to the next step's number, so over many steps the
// numbers sent sum up to the numbers given, also those that rounding to bf16 changes most.
TEST(RoundWithFeedbackTest, NothingIsLostOverTheSteps) {
  const std::vector<float> values = {1.001f, -3.3e-5f, 7.77f};
  std::vector<float> left(3, 0.0f);
  std::vector<Bf16> rounded(3);
  std::vector<double> sent(3, 0.0);
  constexpr int kSteps = 300;
  for (int step = 0; step < kSteps; ++step) {
    RoundWithFeedback(values, left.data(), rounded.data());
    std::vector<float> wide(3);
    Widen(rounded, wide.data());
    for (int i = 0; i < 3; ++i) sent[i] += wide[i];
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(sent[i] / kSteps, values[i], std::abs(values[i]) / 256 / kSteps * 2);
    EXPECT_NEAR(left[i], kSteps * static_cast<double>(values[i]) - sent[i],
                1e-3 * std::abs(values[i]));
  }
}

TEST(LoopsTest, AddWidenedAndScale) {
  const std::vector<float> values = {1, 2, 3};
  const std::vector<Bf16> halves = {Bf16(0.5f), Bf16(-1.0f), Bf16(2.0f)};
  std::vector<float> sum = {10, 20, 30};
  Add(values, sum.data());
  Add(halves, sum.data());
  Scale(2, absl::MakeSpan(sum));
  EXPECT_EQ(sum, (std::vector<float>{23, 42, 70}));
}

}  // namespace
}  // namespace cotangent::distributed
