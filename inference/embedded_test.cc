// Tests a network that cc_network() (network.bzl) links into this test program.
// testdata/bright.safetensors was written by one of the first versions of this library, so this
// test also shows that files of those versions can still be read.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/bright.h"
#include "inference/classifier.h"

namespace cotangent::inference {
namespace {

TEST(EmbeddedNetwork, AnswersWithoutAFile) {
  const auto classifier = Classifier::LoadBytes(std::string(bright()), "bright");
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  EXPECT_EQ((*classifier)->classes(), (std::vector<std::string>{"bright", "dark"}));
  for (const int level : {10, 100, 150, 250}) {
    const std::vector<uint8_t> pixels(size_t{3} * 20 * 10, static_cast<uint8_t>(level));
    std::vector<float> probabilities(2);
    ASSERT_TRUE(
        (*classifier)->Classify({pixels.data(), 20, 10}, absl::MakeSpan(probabilities)).ok());
    EXPECT_EQ(probabilities[0] > probabilities[1], level > 127) << level;
  }
}

}  // namespace
}  // namespace cotangent::inference
