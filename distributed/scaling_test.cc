#include "distributed/scaling.h"

#include "gtest/gtest.h"

namespace cotangent::distributed {
namespace {

TEST(SecondsOfExchangeTest, IsWhatThePaperSays) {
  Cluster cluster = {.ranks = 8, .seconds_per_message = 1, .bytes_per_second = 10};
  EXPECT_DOUBLE_EQ(SecondsOfExchange(cluster, 80), 2 + 2 * 8 * 7.0 / 8);
  cluster.seconds_between_messages = 0.25;
  EXPECT_DOUBLE_EQ(SecondsOfExchange(cluster, 80), 2 + 3 + 2 * 8 * 7.0 / 8);
  cluster.exchange = Exchange::kRing;
  EXPECT_DOUBLE_EQ(SecondsOfExchange(cluster, 80), 14 + 2 * 8 * 7.0 / 8);
  cluster.exchange = Exchange::kTree;
  EXPECT_DOUBLE_EQ(SecondsOfExchange(cluster, 80), 6 * (1 + 8));
  cluster.ranks = 1;
  EXPECT_EQ(SecondsOfExchange(cluster, 80), 0);
}

// Two gradients of 100,000 floats. Of the step's four operations of 1 s, the second and the fourth
// compute them. Sending each takes 1 s.
TEST(PredictTest, WhatComesBeforeTheEndIsHidden) {
  const StepTimes step = {{1, 1, 1, 1}, {{0, 100'000, 3}, {100'000, 100'000, 1}}, 0.5, 10};
  const Cluster cluster = {.ranks = 2, .seconds_per_message = 0, .bytes_per_second = 400'000};
  const Prediction prediction = Predict(step, cluster, 400'000);
  EXPECT_DOUBLE_EQ(prediction.communication, 2);
  EXPECT_DOUBLE_EQ(prediction.waited, 1);
  EXPECT_DOUBLE_EQ(prediction.seconds, 5.5);
  EXPECT_DOUBLE_EQ(prediction.images_per_second, 20 / 5.5);
  EXPECT_DOUBLE_EQ(prediction.efficiency, 4.5 / 5.5);
  // If both gradients are one bucket (one message), sending begins when the last one is computed,
  // and takes 2 seconds.
  EXPECT_DOUBLE_EQ(Predict(step, cluster, 800'000).waited, 2);
  // bf16 halves the time that sending takes.
  Cluster bf16 = cluster;
  bf16.bytes_per_number = 2;
  EXPECT_DOUBLE_EQ(Predict(step, bf16, 400'000).waited, 0.5);
}

TEST(PredictTest, ASlowLinkIsNeverFree) {
  const StepTimes step = {{1, 1}, {{0, 100'000, 1}, {100'000, 100'000, 0}}, 0, 1};
  const Prediction prediction =
      Predict(step, {.ranks = 2, .seconds_per_message = 0, .bytes_per_second = 40'000}, 400'000);
  EXPECT_DOUBLE_EQ(prediction.seconds, 1 + 20);
  EXPECT_DOUBLE_EQ(prediction.waited, 19);
}

}  // namespace
}  // namespace cotangent::distributed
