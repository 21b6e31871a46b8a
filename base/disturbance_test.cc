#include "base/disturbance.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Disturbance, DependsOnTheProcessorsLeft) {
  EXPECT_EQ(DisturbanceOf(2, 2), Disturbance::kNone);
  EXPECT_EQ(DisturbanceOf(1.8, 2), Disturbance::kNone);  // an editor
  // A fair scheduler leaves 4/3 of two processors beside one busy loop, and 3/2 if the loop stays
  // on one of them; beside two loops it leaves 1.
  EXPECT_EQ(DisturbanceOf(1.5, 2), Disturbance::kSome);
  EXPECT_EQ(DisturbanceOf(4.0 / 3, 2), Disturbance::kSome);
  EXPECT_EQ(DisturbanceOf(1, 2), Disturbance::kCrowded);
}

TEST(Disturbance, ScalesWithTheThreads) {
  EXPECT_EQ(DisturbanceOf(63, 64), Disturbance::kNone);
  EXPECT_EQ(DisturbanceOf(54, 64), Disturbance::kSome);     // beside 10 loops
  EXPECT_EQ(DisturbanceOf(32, 64), Disturbance::kCrowded);  // beside 64
  EXPECT_EQ(DisturbanceOf(64, 4), Disturbance::kNone);      // few threads, many processors
  EXPECT_EQ(DisturbanceOf(2, 7), Disturbance::kCrowded);    // more threads than processors
  EXPECT_EQ(DisturbanceOf(0, 1), Disturbance::kCrowded);
}

TEST(Disturbance, ThreadsFitTheProcessorsLeft) {
  EXPECT_EQ(ThreadsThatFit(2, 2), 2);
  EXPECT_EQ(ThreadsThatFit(1.8, 2), 2);  // undisturbed
  EXPECT_EQ(ThreadsThatFit(1.5, 2), 2);  // those who ask for our answers
  EXPECT_EQ(ThreadsThatFit(1.3, 2), 1);  // a busy loop
  EXPECT_EQ(ThreadsThatFit(0.5, 2), 1);
  EXPECT_EQ(ThreadsThatFit(0, 1), 1);
  EXPECT_EQ(ThreadsThatFit(63, 64), 64);
  EXPECT_EQ(ThreadsThatFit(44.2, 64), 44);
  EXPECT_EQ(ThreadsThatFit(64, 4), 4);
}

}  // namespace
}  // namespace cotangent
