#include "training/report/run_record.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"
#include "training/report/batch_picture.h"

namespace cotangent::training::report {
namespace {

using ::testing::ElementsAre;

TEST(LayersOf, NamesWhatFeedsEachLayer) {
  const auto text = layers::ParseNetwork(R"(
input { channels: 1 height: 8 width: 8 }
layer { name: "a" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { name: "b" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { name: "sum" input: "a" input: "b" add {} }
layer { name: "fc" linear {} }
)");
  ASSERT_TRUE(text.ok()) << text.status();
  layers::BuildOptions options;
  options.batch_size = 2;
  options.training = true;
  options.classes = 3;
  const auto built = layers::Build(*text, options);
  ASSERT_TRUE(built.ok()) << built.status();
  std::map<std::string, std::vector<std::string>> inputs;
  for (const LayerLine& layer : LayersOf(*built)) inputs[layer.name] = layer.inputs;
  EXPECT_THAT(inputs["input"], ElementsAre());
  EXPECT_THAT(inputs["a"], ElementsAre("input"));
  EXPECT_THAT(inputs["b"], ElementsAre("a"));
  EXPECT_THAT(inputs["sum"], ElementsAre("a", "b"));
  EXPECT_THAT(inputs["fc"], ElementsAre("sum"));
}

TEST(DrawBatch, UndoesTheNormalisation) {
  data::Normalization normalization;
  normalization.mean = {0.5, 0.25, 0};
  normalization.deviation = {0.5, 0.25, 1};
  // Two images of one pixel each: the bytes (0, 51, 102), and (255, 255, 255), where two values are
  // clipped.
  const float images[6] = {-1, -0.2f, 0.4f, 1, 3, 7};
  const data::Image picture = DrawBatch(images, 2, 3, 1, 1, normalization);
  EXPECT_EQ(picture.width, 4);  // the images, one pixel wide, are two pixels apart
  EXPECT_EQ(picture.height, 1);
  EXPECT_THAT(std::vector<uint8_t>(picture.rgb.begin(), picture.rgb.begin() + 3),
              ElementsAre(0, 51, 102));
  EXPECT_THAT(std::vector<uint8_t>(picture.rgb.end() - 3, picture.rgb.end()),
              ElementsAre(255, 255, 255));
}

}  // namespace
}  // namespace cotangent::training::report
