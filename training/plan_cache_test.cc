#include "training/plan_cache.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

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

// Times in NAME.times beside a network's text are used; a file of another kind is not overwritten.
TEST(CachedTuner, ReadsTheTimesBesideANetwork) {
  const std::string directory = ::testing::TempDir() + "/beside/";
  std::filesystem::create_directories(directory);
  setenv("XDG_CACHE_HOME", (directory + "cache").c_str(), 1);
  {
    CachedTuner tuner(1);
    ASSERT_TRUE((*tuner).Measure(kShape, tensor::Direction::kForward, {}).ok());
    ASSERT_TRUE(SaveSharedTimes(directory + "net.times", *tuner).ok());
  }
  std::filesystem::remove(PlanCachePath());
  const auto measured = [&](const std::string& network) {
    int count = 0;
    CachedTuner tuner(1, {.before_measuring = [&](int) { ++count; }}, network);
    EXPECT_TRUE((*tuner).Measure(kShape, tensor::Direction::kForward, {}).ok());
    return count;
  };
  EXPECT_EQ(measured(directory + "net.textproto"), 0);
  EXPECT_FALSE(std::filesystem::exists(PlanCachePath()));
  EXPECT_EQ(measured(directory + "other.textproto"), 1);

  std::ofstream(directory + "text.times") << "my times\n";
  const absl::Status refused = SaveSharedTimes(directory + "text.times", *CachedTuner(1));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("text.times: is not a file of shared times"),
            refused.message().npos);
  std::string first;
  std::getline(std::ifstream(directory + "text.times"), first);
  EXPECT_EQ(first, "my times");
}

}  // namespace
}  // namespace cotangent::training
