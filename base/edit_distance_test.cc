#include "base/edit_distance.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(EditDistanceTest, CountsChangesOfOneLetter) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("relu", "relu"), 0u);
  EXPECT_EQ(EditDistance("rel", "relu"), 1u);
  EXPECT_EQ(EditDistance("reluu", "relu"), 1u);
  EXPECT_EQ(EditDistance("rely", "relu"), 1u);
  EXPECT_EQ(EditDistance("erlu", "relu"), 1u) << "neighbours that are swapped";
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

// In the restricted distance, letters that were swapped must not be edited again. Otherwise the
// edits "ca" -> "ac" -> "abc" would make the distance 2, not 3.
TEST(EditDistanceTest, ChangesNoPartTwice) { EXPECT_EQ(EditDistance("ca", "abc"), 3u); }

}  // namespace
}  // namespace cotangent
