#include "training/report/attribution_picture.h"

#include <array>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::training::report {
namespace {

// Draws a grey image of 20x10 pixels with these contributions, and returns the colour at the middle
// of pixel (y, x) of the right picture.
std::array<int, 3> Colour(const std::vector<double>& values, int y, int x) {
  const std::vector<uint8_t> grey(200, 128);
  const data::Image picture = DrawAttribution(grey, 1, 10, 20, values);
  const int scale = picture.height / 10, begin = picture.width - 20 * scale;
  const uint8_t* const at =
      &picture.rgb[3 * ((y * scale + scale / 2) * picture.width + begin + x * scale + scale / 2)];
  return {at[0], at[1], at[2]};
}

TEST(AttributionPictureTest, SignsAreColoursAndSizesAreTheirStrength) {
  std::vector<double> values(200, 0.02);
  values[23] = -0.01;
  EXPECT_EQ(Colour(values, 0, 0), (std::array{255, 0, 0}));
  EXPECT_EQ(Colour(values, 1, 3), (std::array{128, 128, 255}));
}

TEST(AttributionPictureTest, ASinglePixelThatMattersHasTheFullColour) {
  std::vector<double> values(200, 0.0);
  EXPECT_EQ(Colour(values, 1, 3), (std::array{255, 255, 255}));
  values[23] = -0.001;
  EXPECT_EQ(Colour(values, 1, 3), (std::array{0, 0, 255}));
  EXPECT_EQ(Colour(values, 1, 4), (std::array{255, 255, 255}));
}

}  // namespace
}  // namespace cotangent::training::report
