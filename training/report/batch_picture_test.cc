#include "training/report/batch_picture.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::training::report {
namespace {

using ::testing::ElementsAre;

TEST(DrawBatch, UndoesTheNormalisation) {
  data::Normalisation normalisation;
  normalisation.mean = {0.5, 0.25, 0};
  normalisation.deviation = {0.5, 0.25, 1};
  // Two images of one pixel each: the bytes (0, 51, 102), and (255, 255, 255), where the last value
  // is clipped.
  const float images[6] = {-1, -0.2f, 0.4f, 1, 3, 7};
  const data::Image picture = DrawBatch(images, 2, 3, 1, 1, normalisation);
  EXPECT_EQ(picture.width, 4);  // the images, one pixel wide, are two pixels apart
  EXPECT_EQ(picture.height, 1);
  EXPECT_THAT(std::vector<uint8_t>(picture.rgb.begin(), picture.rgb.begin() + 3),
              ElementsAre(0, 51, 102));
  EXPECT_THAT(std::vector<uint8_t>(picture.rgb.end() - 3, picture.rgb.end()),
              ElementsAre(255, 255, 255));
}

// Every image is grey, the brighter the higher its class.
TEST(DrawFirstBatch, NamesWhatItShows) {
  data::Dataset train;
  train.channels = 1, train.height = 3, train.width = 3;
  train.classes = {"black", "dark", "bright", "white"};
  for (int i = 0; i < 12; ++i) {
    train.labels.push_back(i % 4);
    train.images.insert(train.images.end(), 9, static_cast<uint8_t>(i % 4 * 85));
  }
  const auto network = layers::ParseNetwork(R"(
input { channels: 1 height: 3 width: 3 }
layer { linear {} }
train { batch_size: 8 })");
  ASSERT_TRUE(network.ok()) << network.status();
  const auto batch = DrawFirstBatch(*network, DataInMemory("greys", train, train));
  ASSERT_TRUE(batch.ok()) << batch.status();
  const std::vector<std::string> rows = absl::StrSplit(batch->targets, '\n', absl::SkipEmpty());
  ASSERT_EQ(rows.size(), 3u);  // of 3, 3 and 2 images
  EXPECT_EQ(batch->image.width, 3 * 3 + 2 * 2);
  int shown = 0;
  for (size_t y = 0; y < rows.size(); ++y) {
    const std::vector<std::string> names = absl::StrSplit(rows[y], ", ");
    for (size_t x = 0; x < names.size(); ++x, ++shown) {
      const uint8_t grey = batch->image.rgb[3 * (y * 5 * batch->image.width + x * 5)];
      EXPECT_EQ(names[x], train.classes[grey / 85]) << "row " << y << ", column " << x;
    }
  }
  EXPECT_EQ(shown, 8);
}

}  // namespace
}  // namespace cotangent::training::report
