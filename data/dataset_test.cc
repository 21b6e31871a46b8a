#include "data/dataset.h"

#include <stdlib.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

TEST(DefaultDataDirTest, FollowsTheEnvironment) {
  setenv("HOME", "/home/somebody", 1);
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(DefaultDataDir(), "/caches/cotangent");
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(DefaultDataDir(), "/home/somebody/.cache/cotangent");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(DefaultDataDir(), "/home/somebody/.cache/cotangent");
}

}  // namespace
}  // namespace cotangent::data
