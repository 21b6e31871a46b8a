#include "training/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(MetricsTest, NumbersOfALineByKey) {
  const auto line =
      ParseMetricsLine(R"({"step": 50, "train_loss": 1.5, "note": "text", "test_loss": null})");
  ASSERT_TRUE(line.has_value());
  EXPECT_THAT(*line, UnorderedElementsAre(Pair("step", 50), Pair("train_loss", 1.5)));
  EXPECT_EQ(Find(*line, "train_loss"), 1.5);
  EXPECT_EQ(Find(*line, "note"), std::nullopt);
}

TEST(MetricsTest, WhatIsNoObjectIsNoLine) {
  for (const char* text : {"", "nonsense", R"({"step": 5)", "[1, 2]", "7"})
    EXPECT_FALSE(ParseMetricsLine(text).has_value()) << text;
}

}  // namespace
}  // namespace cotangent::training
