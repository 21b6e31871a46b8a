#include "base/memory_text.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(MemoryText, RoundsUpToATenth) {
  EXPECT_EQ(MemoryText(0), "0.0 MiB");
  EXPECT_EQ(MemoryText(1), "0.1 MiB");
  EXPECT_EQ(MemoryText(700 << 20), "700.0 MiB");
  EXPECT_EQ(MemoryText((700 << 20) + 1), "700.1 MiB");
  EXPECT_EQ(MemoryText((int64_t{1} << 30) - 1), "1.0 GiB");
  EXPECT_EQ(MemoryText(int64_t{9} << 29), "4.5 GiB");
}

}  // namespace
}  // namespace cotangent
