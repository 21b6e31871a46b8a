#include "base/glob.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(FitsPatternTest, StarsAndQuestionMarks) {
  EXPECT_TRUE(FitsPattern("conv1.weight", "conv1.weight"));
  EXPECT_TRUE(FitsPattern("conv1.weight", "*"));
  EXPECT_TRUE(FitsPattern("conv1.weight", "conv*.weight"));
  EXPECT_TRUE(FitsPattern("conv1.weight", "conv?.*"));
  EXPECT_TRUE(FitsPattern("layer1.0.conv1.weight", "*conv1*weight"));
  EXPECT_TRUE(FitsPattern("aab", "*ab"));
  EXPECT_TRUE(FitsPattern("abcabd", "*ab?"));
  EXPECT_TRUE(FitsPattern("a", "a**"));
  EXPECT_TRUE(FitsPattern("", "*"));
  EXPECT_FALSE(FitsPattern("conv1.bias", "*.weight"));
  EXPECT_FALSE(FitsPattern("conv10.weight", "conv?.weight"));
  EXPECT_FALSE(FitsPattern("conv1.weight", "conv1"));
  EXPECT_FALSE(FitsPattern("", "?"));
}

TEST(FitsPatternTest, OtherCharactersStandForThemselves) {
  EXPECT_TRUE(FitsPattern("a[0]", "a[0]"));
  EXPECT_FALSE(FitsPattern("a0", "a[0]"));
  EXPECT_TRUE(FitsPattern("a\\b", "a\\b"));
}

}  // namespace
}  // namespace cotangent
