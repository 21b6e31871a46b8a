#include "data/fit.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Returns a picture whose red is the column, green the row, and blue 7.
Image Ramp(int width, int height) {
  Image image = {width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int value : {x, y, 7}) image.rgb.push_back(static_cast<uint8_t>(value));
    }
  }
  return image;
}

TEST(FitTest, APictureOfTheRightSizeStaysAsItIs) {
  for (Fit fit : {Fit::kStretch, Fit::kCrop, Fit::kPad}) {
    EXPECT_THAT(FitPicture(Ramp(2, 2), {3, 2, 2}, fit),
                ElementsAre(0, 1, 0, 1, 0, 0, 1, 1, 7, 7, 7, 7));
  }
}

TEST(FitTest, TheBilinearFilterLooksAtTheNearestPixelsOnly) {
  // If 8 pixels become 2, the centres of the new pixels lie at columns 1.5 and 5.5 of the old ones,
  // counted from 0. The bilinear filter averages the two old pixels next to a centre; the
  // antialiased filter averages more, also column 0, whose red has been changed to 200.
  Image image = Ramp(8, 1);
  image.rgb[0] = 200;
  EXPECT_THAT(FitPicture(image, {3, 1, 2}, {Fit::kStretch, Filter::kBilinear}),
              ElementsAre(2, 6, 0, 0, 7, 7));
  EXPECT_GT(FitPicture(image, {3, 1, 2}, Fit::kStretch)[0], 10);
}

TEST(FitTest, CropTakesTheMiddle) {
  // Of 6 x 2 pixels, columns 2 and 3 are taken.
  EXPECT_THAT(FitPicture(Ramp(6, 2), {3, 2, 2}, Fit::kCrop),
              ElementsAre(2, 3, 2, 3, 0, 0, 1, 1, 7, 7, 7, 7));
  // Of 1 x 5 pixels, row 2 is taken.
  EXPECT_EQ(FitPicture(Ramp(1, 5), {3, 1, 1}, Fit::kCrop)[1], 2);
}

TEST(FitTest, PadShowsAllOfItBetweenBlack) {
  const std::vector<uint8_t> padded = FitPicture(Ramp(4, 2), {3, 4, 4}, Fit::kPad);
  for (int x = 0; x < 4; ++x) {
    EXPECT_EQ(padded[32 + x], 0);       // blue of row 0
    EXPECT_EQ(padded[32 + 4 + x], 7);   // blue of row 1
    EXPECT_EQ(padded[32 + 8 + x], 7);   // blue of row 2
    EXPECT_EQ(padded[32 + 12 + x], 0);  // blue of row 3
    EXPECT_EQ(padded[4 + x], x);
  }
}

TEST(FitTest, AnyProportionsGiveTheSizeAskedFor) {
  for (Fit fit : {Fit::kStretch, Fit::kCrop, Fit::kPad}) {
    for (auto [width, height] : {std::pair(1, 1), {1, 1000}, {1000, 1}, {31, 33}, {500, 375}}) {
      EXPECT_EQ(FitPicture(Ramp(width, height), {3, 24, 40}, fit).size(), 3 * 24 * 40);
    }
  }
}

TEST(FitTest, GreyIsLuma) {
  const Image image = {3, 1, {255, 0, 0, 0, 255, 0, 0, 0, 255}};
  EXPECT_THAT(FitPicture(image, {1, 1, 3}, Fit::kStretch), ElementsAre(76, 150, 29));
  const Image grey = {1, 1, {99, 99, 99}};
  EXPECT_THAT(FitPicture(grey, {1, 1, 1}, Fit::kStretch), ElementsAre(99));
  EXPECT_THAT(FitPicture(grey, {3, 1, 1}, Fit::kStretch), Each(99));
}

}  // namespace
}  // namespace cotangent::data
