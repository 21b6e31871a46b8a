#include "data/augment.h"

#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "base/element_type.h"
#include "data/sources/cifar.h"
#include "data/sources/source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;

// Returns an image of 1 x height x width bytes with the values 10 * (row + 1) + column.
std::vector<uint8_t> Pixels(int height, int width) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) pixels.push_back(10 * (y + 1) + x);
  }
  return pixels;
}

// Returns the bytes of the image Pixels(height, width) after ImageWriter has placed it. The
// normalisation only divides by 255, so the bytes can be restored from the floats.
std::vector<int> Placed(int height, int width, const Placement& placement) {
  const ImageWriter writer(1, height, width, Normalisation(), BatchFormat::kF32Nchw);
  std::vector<float> output(height * width);
  writer.Write(Pixels(height, width).data(), placement, output.data());
  std::vector<int> bytes;
  for (float value : output) bytes.push_back(static_cast<int>(std::lround(value * 255)));
  return bytes;
}

TEST(ImageWriterTest, InPlace) {
  EXPECT_THAT(Placed(2, 3, {}), ElementsAre(10, 11, 12, 20, 21, 22));
}

TEST(ImageWriterTest, Flip) {
  EXPECT_THAT(Placed(2, 3, {.flip = true}), ElementsAre(12, 11, 10, 22, 21, 20));
}

TEST(ImageWriterTest, ReflectionDoesNotRepeatTheBorder) {
  EXPECT_THAT(Placed(1, 4, {.dx = -2}), ElementsAre(12, 11, 10, 11));
  EXPECT_THAT(Placed(1, 4, {.dx = 3}), ElementsAre(13, 12, 11, 10));
  EXPECT_THAT(Placed(3, 1, {.dy = -1}), ElementsAre(20, 10, 20));
  EXPECT_THAT(Placed(3, 1, {.dy = 2}), ElementsAre(30, 20, 10));
}

TEST(ImageWriterTest, ZeroPaddingIsBlack) {
  EXPECT_THAT(Placed(2, 3, {.dy = 1, .dx = -2, .padding = Padding::kZero}),
              ElementsAre(0, 0, 20, 0, 0, 0));
  // Black padding is normalised like other pixels.
  const ImageWriter writer(1, 1, 2, {.mean = {0.5}, .deviation = {0.25}}, BatchFormat::kF32Nchw);
  const std::vector<uint8_t> white = {255, 255};
  float output[2];
  writer.Write(white.data(), {.dx = 1, .padding = Padding::kZero}, output);
  EXPECT_THAT(output, ElementsAre(2, -2));
}

TEST(ImageWriterTest, MirroringComesBeforeTheShift) {
  // The output shows columns 1 to 4 of the padded image (11, 12, 13, 12), mirrored; column 0 is the
  // first of the image itself.
  EXPECT_THAT(Placed(1, 4, {.dx = 1, .flip = true}), ElementsAre(12, 13, 12, 11));
}

TEST(ImageWriterTest, CutoutIsTheMeanAndInOutputCoordinates) {
  const Placement placement = {
      .flip = true, .cut_top = 0, .cut_bottom = 1, .cut_left = 1, .cut_right = 3};
  EXPECT_THAT(Placed(2, 3, placement), ElementsAre(12, 0, 0, 22, 21, 20));
  const ImageWriter writer(1, 1, 2, {.mean = {0.5}, .deviation = {0.25}}, BatchFormat::kF32Nchw);
  const std::vector<uint8_t> white = {255, 255};
  float output[2];
  writer.Write(white.data(), {.cut_bottom = 1, .cut_left = 1, .cut_right = 2}, output);
  EXPECT_THAT(output, ElementsAre(2, 0));
}

TEST(ImageWriterTest, FormatsHoldTheSameNumbers) {
  const int channels = 3, height = 5, width = 7, plane = height * width;
  std::vector<uint8_t> pixels;
  for (int i = 0; i < channels * plane; ++i) pixels.push_back(i * 37);
  const Normalisation normalisation = kCifar10Normalisation;
  const Placement placement = {.dy = -2,
                               .dx = 1,
                               .flip = true,
                               .cut_top = 1,
                               .cut_bottom = 3,
                               .cut_left = 2,
                               .cut_right = 6};
  std::vector<float> nchw(channels * plane), nhwc(channels * plane);
  std::vector<uint16_t> bf16_nchw(channels * plane), bf16_nhwc(channels * plane);
  const auto write = [&](BatchFormat format, void* output, size_t bytes) {
    const ImageWriter writer(channels, height, width, normalisation, format);
    ASSERT_EQ(writer.output_bytes(), bytes);
    writer.Write(pixels.data(), placement, output);
  };
  write(BatchFormat::kF32Nchw, nchw.data(), nchw.size() * 4);
  write(BatchFormat::kF32Nhwc, nhwc.data(), nhwc.size() * 4);
  write(BatchFormat::kBf16Nchw, bf16_nchw.data(), bf16_nchw.size() * 2);
  write(BatchFormat::kBf16Nhwc, bf16_nhwc.data(), bf16_nhwc.size() * 2);
  for (int c = 0; c < channels; ++c) {
    for (int i = 0; i < plane; ++i) {
      const float value = nchw[c * plane + i];
      EXPECT_EQ(nhwc[i * channels + c], value);
      EXPECT_EQ(bf16_nchw[c * plane + i], FloatToBf16(value));
      EXPECT_EQ(bf16_nhwc[i * channels + c], FloatToBf16(value));
    }
  }
  // The pixel at the bottom right of channel 1 is in row 4 and column 6, mirrored column 0. With
  // `placement` it shows row 4 + dy = 2 and column 0 + dx = 1 of the source; the cutout does not
  // reach it.
  const double byte = pixels[plane + 2 * width + 1];
  EXPECT_FLOAT_EQ(nchw[2 * plane - 1], (byte / 255 - 0.48216) / 0.24349);
}

TEST(PlacementTest, CropsReachEveryShiftEquallyOften) {
  const Augmentation augmentation = {.crop_padding = 2};
  std::vector<int> count(25);
  for (int image = 0; image < 25000; ++image) {
    const Placement placement = PlacementOf(augmentation, 32, 32, 1, 0, image);
    ++count[(placement.dy + 2) * 5 + placement.dx + 2];
    EXPECT_FALSE(placement.flip);
    EXPECT_EQ(placement.cut_bottom, 0);
  }
  // Each of the 25 shifts is expected for 1000 images, with a standard deviation of 31.
  EXPECT_THAT(count, ::testing::Each(::testing::AllOf(::testing::Gt(850), ::testing::Lt(1150))));
}

TEST(PlacementTest, RandomFlipIsAFairCoinAnewEachEpoch) {
  const Augmentation augmentation = {.flip = Flip::kRandom};
  int flips = 0, same_as_before = 0;
  for (int image = 0; image < 10000; ++image) {
    const bool first = PlacementOf(augmentation, 32, 32, 1, 0, image).flip;
    const bool second = PlacementOf(augmentation, 32, 32, 1, 1, image).flip;
    flips += first;
    same_as_before += first == second;
  }
  EXPECT_NEAR(flips, 5000, 250);
  EXPECT_NEAR(same_as_before, 5000, 250);
}

TEST(PlacementTest, AlternatingFlipShowsBothSidesInTurn) {
  const Augmentation augmentation = {.flip = Flip::kAlternating};
  int flips = 0;
  for (int image = 0; image < 10000; ++image) {
    const bool first = PlacementOf(augmentation, 32, 32, 1, 0, image).flip;
    for (int epoch = 1; epoch < 4; ++epoch) {
      EXPECT_EQ(PlacementOf(augmentation, 32, 32, 1, epoch, image).flip, first != (epoch % 2 == 1));
    }
    flips += first;
  }
  EXPECT_NEAR(flips, 5000, 250);
}

TEST(PlacementTest, CutoutIsClippedAtTheBorder) {
  const Augmentation augmentation = {.cutout = 8};
  std::set<int> heights;
  for (int image = 0; image < 2000; ++image) {
    const Placement p = PlacementOf(augmentation, 32, 32, 1, 0, image);
    EXPECT_GE(p.cut_top, 0);
    EXPECT_GE(p.cut_left, 0);
    EXPECT_LE(p.cut_bottom, 32);
    EXPECT_LE(p.cut_right, 32);
    heights.insert(p.cut_bottom - p.cut_top);
  }
  EXPECT_THAT(heights, ElementsAre(4, 5, 6, 7, 8));
}

TEST(PlacementTest, DependsOnSeedEpochAndImageAlone) {
  const Augmentation augmentation = {.flip = Flip::kRandom, .crop_padding = 4, .cutout = 8};
  const auto same = [&](uint64_t seed, int64_t epoch, int64_t image) {
    const Placement a = PlacementOf(augmentation, 32, 32, 7, 3, 100);
    const Placement b = PlacementOf(augmentation, 32, 32, seed, epoch, image);
    return a.dy == b.dy && a.dx == b.dx && a.flip == b.flip && a.cut_top == b.cut_top &&
           a.cut_left == b.cut_left;
  };
  EXPECT_TRUE(same(7, 3, 100));
  EXPECT_FALSE(same(8, 3, 100));
  EXPECT_FALSE(same(7, 4, 100));
  EXPECT_FALSE(same(7, 3, 101));
}

TEST(ValidateTest, SizesOutOfRange) {
  EXPECT_TRUE(Validate({.crop_padding = 4, .cutout = 16}, 32, 32).ok());
  EXPECT_FALSE(Validate({.crop_padding = -1}, 32, 32).ok());
  EXPECT_FALSE(Validate({.crop_padding = 32}, 32, 32).ok());
  EXPECT_FALSE(Validate({.cutout = -1}, 32, 32).ok());
  EXPECT_TRUE(Validate({.cutout = 32}, 32, 32).ok());
  EXPECT_FALSE(Validate({.cutout = 33}, 32, 32).ok());
}

TEST(NormalisationTest, ComputedFromTheData) {
  Dataset dataset;
  dataset.height = 1;
  dataset.width = 2;
  dataset.images = {0, 255, 7, 7, 10, 20, /**/ 255, 0, 7, 7, 10, 20};
  dataset.labels = {0, 0};
  const Normalisation normalisation = ComputeNormalisation(dataset);
  EXPECT_DOUBLE_EQ(normalisation.mean[0], 0.5);
  EXPECT_DOUBLE_EQ(normalisation.deviation[0], 0.5);
  EXPECT_DOUBLE_EQ(normalisation.mean[1], 0.02745);  // 7 / 255
  EXPECT_DOUBLE_EQ(normalisation.deviation[1], 1);
  EXPECT_DOUBLE_EQ(normalisation.mean[2], 0.05882);       // 15 / 255
  EXPECT_DOUBLE_EQ(normalisation.deviation[2], 0.01961);  // 5 / 255
}

TEST(NormalisationTest, LargeBrightImages) {
  Dataset dataset;
  dataset.channels = 1, dataset.height = 300, dataset.width = 400;
  dataset.images.assign(120'000, 255);
  for (int i = 0; i < 60'000; ++i) dataset.images[2 * i] = 205;
  dataset.labels = {0};
  const Normalisation normalisation = ComputeNormalisation(dataset);
  EXPECT_DOUBLE_EQ(normalisation.mean[0], 0.90196);       // 230 / 255
  EXPECT_DOUBLE_EQ(normalisation.deviation[0], 0.09804);  // 25 / 255
}

TEST(NormalisationTest, TheSampleIsLikeTheWhole) {
  const Normalisation sample =
      ComputeNormalisation(LoadDataset("sample", "", Split::kTrain).value());
  const Normalisation known = kCifar10Normalisation;
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(sample.mean[c], known.mean[c], 0.02);
    EXPECT_NEAR(sample.deviation[c], known.deviation[c], 0.02);
  }
}

TEST(TestTimeViewsTest, WeightsSumToOne) {
  float sum = 0;
  for (const View& view : TestTimeViews()) sum += view.weight;
  EXPECT_EQ(sum, 1);
  EXPECT_EQ(TestTimeViews().size(), 6);
}

}  // namespace
}  // namespace cotangent::data
