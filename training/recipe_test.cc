#include "training/recipe.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"

namespace cotangent::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

layers::Network Parse(const std::string& text) {
  return layers::ParseNetwork("layer { linear {} } " + text, "net.textproto").value();
}

// A data set of one image of 3x1x2 pixels, whose channels are 0 and 255, 255 and 255, 51 and 102.
data::Dataset Image() {
  data::Dataset images;
  images.channels = 3;
  images.height = 1, images.width = 2;
  images.images = {0, 255, 255, 255, 51, 102};
  images.labels = {0};
  return images;
}

TEST(NormalisationOf, IsThatOfTheTextThenOfTheDataThenOfTheImages) {
  RunData data;
  EXPECT_THAT(NormalisationOf(Parse(""), data, Image())->mean, ElementsAre(0.5, 1, 0.3));
  data.normalisation = data::Normalisation{{0.1, 0.2, 0.3}, {1, 2, 3}};
  EXPECT_THAT(NormalisationOf(Parse(""), data, Image())->mean, ElementsAre(0.1, 0.2, 0.3));
  const auto normalisation =
      NormalisationOf(Parse("train { normalisation { mean: [7, 8, 9] } }"), data, Image());
  ASSERT_TRUE(normalisation.ok()) << normalisation.status();
  EXPECT_THAT(normalisation->mean, ElementsAre(7, 8, 9));
  EXPECT_THAT(normalisation->deviation, ElementsAre(1, 2, 3));
}

TEST(NormalisationOf, IsOfThreeChannelsAtMost) {
  for (const char* const text :
       {"input { channels: 4 }",
        "input { channels: 4 } train { normalisation { mean: [1, 2, 3, 4] } }"}) {
    const std::string message(NormalisationOf(Parse(text), {}).status().message());
    EXPECT_THAT(message, HasSubstr("net.textproto:1:29: input.channels is 4; expected at most 3"));
    EXPECT_EQ(NormalisationOf(Parse(text), {}, Image()).status().message(), message);
  }
}

TEST(NormalisationOf, IsOfImagesOfTheNetwork) {
  data::Dataset four = Image();
  four.channels = 4, four.height = 1, four.width = 1;
  four.images = {0, 1, 2, 3};
  const RunData data = DataInMemory("four", four, four);
  EXPECT_FALSE(data.normalisation.has_value());
  EXPECT_THAT(std::string(NormalisationOf(Parse(""), data, four).status().message()),
              HasSubstr("takes images of 3x32x32, the data set has 4x1x1"));
}

// The pipeline must write a number for each image where the graph reads one, and a share for each
// class where the graph reads shares: neither checks what the other does.
TEST(PipelineOptionsOf, TargetsAreThoseThatTheGraphReads) {
  for (const char* const augmentation :
       {"", "mixup {}", "cutmix {}", "mixup {} cutmix {}", "mixup { probability: 0 }",
        "cutmix { probability: 0 }", "mixup { probability: 0 } cutmix { probability: 0 }"}) {
    const layers::Network network =
        Parse(absl::StrCat("train { augmentation { ", augmentation, " } }"));
    const layers::BuiltNetwork built =
        layers::Build(network, {.batch_size = 2, .training = true, .classes = 5}).value();
    const bool reads_shares = built.graph.shape(built.labels).NumElements() == 2 * 5;
    EXPECT_EQ(PipelineOptionsOf(network, {})->targets,
              reads_shares ? data::TargetFormat::kValues : data::TargetFormat::kClassNumbers)
        << augmentation;
  }
}

}  // namespace
}  // namespace cotangent::training
