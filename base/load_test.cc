#include "base/load.h"

#include <ctime>
#include <string>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Load, ProcessorsAreAddedUp) {
  const auto time = ParseProcessorTime(
      "cpu  9 9 9 9 9 9 9 9 0 0\n"
      "cpu0 100 20 30 800 50 1 2 7 3 0\n"
      "cpu1 300 0 0 700 0 0 0 0 0 0\n"
      "intr 12 0\n"
      "cpufreq is no processor\n");
  ASSERT_TRUE(time.has_value());
  EXPECT_NEAR(time->busy, 4.6, 1e-9);    // 460 ticks of 10 ms; user time includes guest time
  EXPECT_NEAR(time->total, 20.1, 1e-9);  // iowait (waiting for a disk) counts as idle
}

TEST(Load, WhatCannotBeReadIsNoTime) {
  EXPECT_FALSE(ParseProcessorTime("").has_value());
  EXPECT_FALSE(ParseProcessorTime("cpu0 1 2 three\n").has_value());
}

TEST(Load, OwnWorkIsNotOthers) {
  const std::clock_t start = std::clock();
  const auto before = ReadProcessorTime(Processors());
  OtherLoad load;
  volatile double x = 1;
  while (std::clock() - start < 3 * CLOCKS_PER_SEC / 10) x = x * 0.5 + 1;  // 0.3 s of our own time
  const double others = load.SinceLast();
  const auto after = ReadProcessorTime(Processors());
  if (!before || !after) GTEST_SKIP() << "no /proc/stat";
  // Other processes took at most the processors' busy time minus our own 0.3 s. The test demands
  // only 0.1 s less than the busy time, since the kernel counts in ticks of 10 ms.
  const double total = after->total - before->total, busy = after->busy - before->busy;
  EXPECT_LE(others, 1.0);
  EXPECT_LE(others * total, busy - 0.1);
}

}  // namespace
}  // namespace cotangent
