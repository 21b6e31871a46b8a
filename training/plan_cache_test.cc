#include "training/plan_cache.h"

#include <stdlib.h>

#include <filesystem>

#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

constexpr tensor::ConvolutionShape kShape = {.batch = 2,
                                             .in_channels = 3,
                                             .out_channels = 8,
                                             .in_height = 8,
                                             .in_width = 8,
                                             .kernel_height = 3,
                                             .kernel_width = 3};

// Asks a CachedTuner for the times of one convolution. Returns how many convolutions it had to
// measure for that.
int Measure() {
  int measured = 0;
  CachedTuner tuner(1, {.before_measuring = [&](int) { ++measured; }});
  EXPECT_TRUE((*tuner).Measure(kShape, tensor::Direction::kForward, {}).ok());
  return measured;
}

TEST(CachedTuner, SavesWhatItMeasuredAndPrintsNothing) {
  setenv("XDG_CACHE_HOME", (::testing::TempDir() + "/cache").c_str(), 1);
  testing::internal::CaptureStderr();
  EXPECT_EQ(Measure(), 1);
  EXPECT_TRUE(std::filesystem::exists(PlanCachePath()));
  EXPECT_EQ(Measure(), 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace cotangent::training
