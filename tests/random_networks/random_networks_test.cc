// Compares plans (compiled graphs) of networks of few layers at degenerate sizes with the reference
// (plain loops in double). The program random_networks tries more such networks.

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/random_networks/check.h"
#include "tests/random_networks/draw.h"

namespace cotangent::tests {
namespace {

TEST(RandomNetworks, AgreeWithTheReference) {
  for (uint64_t seed = 1; seed <= 160; ++seed) {
    const RandomNetwork network = DrawNetwork(seed);
    const ElementType precision = seed % 4 == 0 ? ElementType::kBf16 : ElementType::kF32;
    EXPECT_EQ(Disagreements(network, {.precision = precision, .seed = seed}), "")
        << "seed " << seed << ", " << std::string(Name(precision)) << "\n"
        << network.Text();
  }
}

}  // namespace
}  // namespace cotangent::tests
