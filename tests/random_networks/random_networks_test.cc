// Compares plans (compiled graphs) of networks of few layers at degenerate sizes with the reference
// (plain loops in double). The program random_networks tries more such networks.

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network.pb.h"
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

TEST(RandomNetworks, HaveEveryKindOfLayer) {
  std::string texts;
  for (uint64_t seed = 1; seed <= 500; ++seed) absl::StrAppend(&texts, DrawNetwork(seed).Text());
  const auto& kinds = *layers::Layer::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds.field_count(); ++i) {
    const std::string& name = kinds.field(i)->name();
    if (name == "use") continue;  // stands for the layers of a block
    EXPECT_THAT(texts, testing::HasSubstr(absl::StrCat(" ", name, " {")))
        << "see Kinds() in draw.cc";
  }
  const auto& activations = *layers::Layer::Activation::Kind_descriptor();
  for (int i = 0; i < activations.value_count(); ++i)
    EXPECT_THAT(texts, testing::HasSubstr(activations.value(i)->name()));
}

}  // namespace
}  // namespace cotangent::tests
