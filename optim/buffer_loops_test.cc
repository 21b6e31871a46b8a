#include "optim/buffer_loops.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

TEST(BufferLoopsTest, BlendsTheSameEverywhere) {
  std::vector<float> values(101), expected(101), start(101);
  for (int i = 0; i < 101; ++i) {
    values[i] = 1.0f / static_cast<float>(i + 1);
    start[i] = 0.3f * static_cast<float>(i);
    expected[i] = start[i] + 0.1f * (values[i] - start[i]);
  }
  for (InstructionSet instructions : AvailableInstructionSets()) {
    std::vector<float> average = start;
    BufferLoopsFor(instructions).blend(average.data(), values.data(), 101, 0.9f);
    for (int i = 0; i < 101; ++i) EXPECT_FLOAT_EQ(average[i], expected[i]);
  }
}

TEST(BufferLoopsTest, SummariesSeeEveryPlace) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (InstructionSet instructions : AvailableInstructionSets()) {
    SCOPED_TRACE(static_cast<int>(instructions));
    const BufferLoops k = BufferLoopsFor(instructions);
    std::vector<float> g(101, std::numeric_limits<float>::max());
    EXPECT_TRUE(k.summarise(g.data(), 101).finite);
    EXPECT_TRUE(k.all_finite(g.data(), 101));
    for (int place = 0; place < 101; ++place) {
      for (float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
        g.assign(101, 1.0f);
        g[place] = bad;
        EXPECT_FALSE(k.summarise(g.data(), 101).finite);
        EXPECT_FALSE(k.all_finite(g.data(), 101));
      }
    }
    g.assign(101, -2.0f);
    EXPECT_DOUBLE_EQ(k.summarise(g.data(), 101).sum_of_squares, 404);
  }
}

}  // namespace
}  // namespace cotangent::optim
