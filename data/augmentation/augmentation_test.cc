#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "data/augmentation/affine.h"
#include "data/augmentation/draw.h"
#include "data/augmentation/link_of.h"
#include "data/augmentation/named_operations.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/rectangle.h"
#include "data/augmentation/transform.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::Each;

Planar Noise(int channels, int height, int width, uint64_t seed = 1) {
  Planar image = {channels, height, width, {}};
  SplitMix64 random(seed);
  for (int64_t i = 0; i < channels * image.plane(); ++i)
    image.bytes.push_back(static_cast<uint8_t>(random.Next() >> 56));
  return image;
}

// Returns the largest absolute difference between corresponding bytes of two images.
int Distance(const Planar& a, const Planar& b) {
  EXPECT_EQ(a.bytes.size(), b.bytes.size());
  int most = 0;
  for (size_t i = 0; i < a.bytes.size(); ++i)
    most = std::max(most, std::abs(a.bytes[i] - b.bytes[i]));
  return most;
}

// Applies `function` to the colour of each pixel, given as three values from 0 to 1 (bytes / 255).
template <typename Function>
Planar ByPixel(const Planar& image, Function function) {
  Planar result = image;
  for (int64_t i = 0; i < image.plane(); ++i) {
    double v[3];
    for (int c = 0; c < 3; ++c) v[c] = image.channel(c)[i] / 255.0;
    function(v);
    for (int c = 0; c < 3; ++c)
      result.channel(c)[i] =
          static_cast<uint8_t>(std::lround(255 * std::min(1.0, std::max(0.0, v[c]))));
  }
  return result;
}

double Grey(const double (&v)[3]) { return 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2]; }

TEST(Colour, IsWhatTheFormulasSay) {
  const Planar image = Noise(3, 7, 9);
  double mean = 0;
  ByPixel(image, [&](double(&v)[3]) { mean += Grey(v) / 63; });
  for (const double f : {0.0, 0.3, 1.0, 1.7}) {
    Planar bright = image, contrast = image, saturated = image;
    Brighten(f, bright);
    SetContrast(f, contrast);
    Saturate(f, saturated);
    EXPECT_LE(Distance(bright, ByPixel(image,
                                       [&](double(&v)[3]) {
                                         for (double& x : v) x *= f;
                                       })),
              1);
    EXPECT_LE(Distance(contrast, ByPixel(image,
                                         [&](double(&v)[3]) {
                                           for (double& x : v) x = mean + f * (x - mean);
                                         })),
              1);
    EXPECT_LE(Distance(saturated, ByPixel(image,
                                          [&](double(&v)[3]) {
                                            const double grey = Grey(v);
                                            for (double& x : v) x = grey + f * (x - grey);
                                          })),
              1);
  }
  Planar grey = image;
  MakeGrey(grey);
  EXPECT_LE(Distance(grey, ByPixel(image,
                                   [&](double(&v)[3]) {
                                     const double g = Grey(v);
                                     for (double& x : v) x = g;
                                   })),
            1);
}

// Turns the hue of the colour `v` (red, green, blue from 0 to 1) by `turn` times a full circle, as
// Foley and van Dam, "Computer Graphics", describe it for the sectors of the colour hexagon.
void TurnByTheBook(double turn, double (&v)[3]) {
  const double high = std::max({v[0], v[1], v[2]}), low = std::min({v[0], v[1], v[2]});
  if (high == low) return;
  const double saturation = (high - low) / high;
  const double r = (high - v[0]) / (high - low), g = (high - v[1]) / (high - low),
               b = (high - v[2]) / (high - low);
  double hue = v[0] == high ? b - g : v[1] == high ? 2 + r - b : 4 + g - r;
  hue = std::fmod(hue / 6 + turn + 2, 1.0) * 6;
  const int sector = static_cast<int>(hue);
  const double f = hue - sector;
  const double p = high * (1 - saturation), q = high * (1 - saturation * f),
               t = high * (1 - saturation * (1 - f));
  const double by_sector[6][3] = {{high, t, p}, {q, high, p}, {p, high, t},
                                  {p, q, high}, {t, p, high}, {high, p, q}};
  std::copy_n(by_sector[sector % 6], 3, v);
}

TEST(Colour, HueTurnsByTheBook) {
  const Planar image = Noise(3, 16, 16);
  for (const double turn : {-0.5, -0.21, 0.0, 1.0 / 3, 0.5}) {
    Planar turned = image;
    TurnHue(turn, turned);
    EXPECT_LE(Distance(turned, ByPixel(image, [&](double(&v)[3]) { TurnByTheBook(turn, v); })), 1)
        << turn;
  }
}

TEST(Colour, LeavesGreyImagesTheirOneChannel) {
  const Planar image = Noise(1, 4, 4);
  Planar changed = image;
  Saturate(0.2, changed);
  TurnHue(0.3, changed);
  MakeGrey(changed);
  EXPECT_EQ(Distance(changed, image), 0);
}

TEST(Warp, TurnsByAQuarterExactly) {
  const Planar image = Noise(3, 6, 6);
  Planar turned = image;
  Warp(MapOf({.degrees = 90}), turned);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < 6; ++y) {
      // Turning is clockwise as seen: the left column becomes the top row.
      for (int x = 0; x < 6; ++x)
        EXPECT_EQ(turned.channel(c)[y * 6 + x], image.channel(c)[(5 - x) * 6 + y]);
    }
  }
}

TEST(Warp, ShiftsWholePixelsAndIsBlackBeyond) {
  const Planar image = Noise(1, 5, 7);
  Planar shifted = image;
  Warp(MapOf({.right = 2, .down = -1}), shifted);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 7; ++x)
      EXPECT_EQ(shifted.bytes[y * 7 + x],
                x - 2 >= 0 && y + 1 < 5 ? image.bytes[(y + 1) * 7 + x - 2] : 0);
  }
}

TEST(Warp, UndoesWhatThePictureWentThrough) {
  SplitMix64 random(3);
  for (int i = 0; i < 50; ++i) {
    const AffinePlace place = {Uniform(random, -180, 180), Uniform(random, -5, 5),
                               Uniform(random, -5, 5),     Uniform(random, 0.5, 2),
                               Uniform(random, -80, 80),   Uniform(random, -80, 80)};
    const AffineMap map = MapOf(place);
    // The image covers scale^2 times its area and is not mirrored, whatever the shears.
    EXPECT_NEAR((map.a * map.e - map.b * map.d) * place.scale * place.scale, 1, 1e-9);
    const double px = Uniform(random, -9, 9), py = Uniform(random, -9, 9);
    // Applies the parts of the map one after the other: shear along x, along y, rotation, scale, shift.
    const double radian = std::acos(-1.0) / 180;
    const double sx = px + std::tan(place.shear_x * radian) * py;
    const double sy = py + std::tan(place.shear_y * radian) * sx;
    const double angle = place.degrees * radian;
    const double x = place.scale * (std::cos(angle) * sx - std::sin(angle) * sy) + place.right;
    const double y = place.scale * (std::sin(angle) * sx + std::cos(angle) * sy) + place.down;
    EXPECT_NEAR(map.a * x + map.b * y + map.c, px, 1e-9);
    EXPECT_NEAR(map.d * x + map.e * y + map.f, py, 1e-9);
  }
}

TEST(Warp, InterpolatesLinearly) {
  // The values 3 x + 5 y are linear in x and y. Linear interpolation reproduces such values where
  // all four neighbours of a point lie in the image.
  Planar image = {1, 16, 16, {}};
  for (int i = 0; i < 256; ++i)
    image.bytes.push_back(static_cast<uint8_t>(3 * (i % 16) + 5 * (i / 16)));
  Warp({.a = 0.5, .b = 0.1, .c = 0.3, .d = -0.2, .e = 0.6, .f = -0.4}, image);
  for (int i = 0; i < 256; ++i) {
    const double x = i % 16 - 7.5, y = i / 16 - 7.5;
    const double at_x = 0.5 * x + 0.1 * y + 0.3 + 7.5, at_y = -0.2 * x + 0.6 * y - 0.4 + 7.5;
    EXPECT_NEAR(image.bytes[i], 3 * at_x + 5 * at_y, 0.501);
  }
}

TEST(Operations, OnKnownValues) {
  Planar image = {1, 1, 6, {0, 1, 100, 127, 128, 255}};
  Planar posterized = image, solarized = image, stretched = {1, 1, 4, {50, 60, 70, 100}};
  Posterize(3, posterized);
  EXPECT_THAT(posterized.bytes, ::testing::ElementsAre(0, 0, 96, 96, 128, 224));
  Posterize(0, posterized);
  EXPECT_THAT(posterized.bytes, Each(0));
  Solarize(128, solarized);
  EXPECT_THAT(solarized.bytes, ::testing::ElementsAre(0, 1, 100, 127, 127, 0));
  AutoContrast(stretched);
  EXPECT_THAT(stretched.bytes, ::testing::ElementsAre(0, 51, 102, 255));
  Planar flat = {1, 2, 2, {9, 9, 9, 9}};
  AutoContrast(flat);
  Equalize(flat);
  EXPECT_THAT(flat.bytes, Each(9));
}

TEST(Operations, SharpenIsTheSmoothedImageAtZero) {
  Planar image = {1, 3, 3, {10, 20, 30, 40, 50, 60, 70, 80, 99}};
  Planar same = image;
  Sharpen(1, same);
  EXPECT_EQ(Distance(same, image), 0);
  Sharpen(0, image);
  // (10 + 20 + 30 + 40 + 5 * 50 + 60 + 70 + 80 + 99) / 13 = 50.7. The border does not change.
  EXPECT_THAT(image.bytes, ::testing::ElementsAre(10, 20, 30, 40, 51, 60, 70, 80, 99));
}

TEST(Operations, EqualizedValuesAreAboutEquallyFrequent) {
  Planar image = {1, 64, 64, {}};
  SplitMix64 random(5);
  for (int i = 0; i < 4096; ++i)
    image.bytes.push_back(static_cast<uint8_t>(64 * Uniform(random) * Uniform(random)));
  Equalize(image);
  int below = 0;
  for (const uint8_t v : image.bytes) below += v < 128 ? 1 : 0;
  EXPECT_NEAR(below, 2048, 200);
}

TEST(RandomResizedCrop, ShowsThePartThatWasDrawn) {
  // The values are a linear function of x and y, so those of an enlarged part are linear between
  // the part's corners.
  Planar image = {3, 32, 32, {}};
  for (int i = 0; i < 3 * 1024; ++i)
    image.bytes.push_back(static_cast<uint8_t>(4 * (i % 32) + 2 * (i / 32 % 32) + i / 1024));
  const AreaRange range = {0.2, 0.6, 0.5, 2};
  const ChainLink link =
      LinkOf("random_resized_crop { area_low: 0.2 area_high: 0.6 ratio_low: 0.5 ratio_high: 2 }");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SplitMix64 random(seed), again(seed);
    Planar crop = image;
    link.transform->Apply(random, crop);
    const Rectangle part = *DrawRectangle(range, 32, 32, again);
    for (int i = 0; i < 3 * 1024; ++i) {
      const int x = i % 32, y = i / 32 % 32;
      const auto at = [](int place, int length) {
        return std::min(std::max((place + 0.5) * length / 32 - 0.5, 0.0), length - 1.0);
      };
      const double expected =
          4 * (part.left + at(x, part.width)) + 2 * (part.top + at(y, part.height)) + i / 1024;
      ASSERT_NEAR(crop.bytes[i], expected, 1) << seed << " " << i;
    }
  }
}

TEST(RandomResizedCrop, RectanglesAreOfTheAllowedKind) {
  const AreaRange range = {0.08, 1, 0.75, 4.0 / 3};
  SplitMix64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto part = DrawRectangle(range, 40, 60, random);
    if (!part.has_value()) continue;
    EXPECT_GE(part->left, 0);
    EXPECT_LE(part->left + part->width, 60);
    EXPECT_LE(part->top + part->height, 40);
    const double area = part->width * part->height / 2400.0;
    EXPECT_GE(area, 0.07);
    EXPECT_NEAR(std::log(1.0 * part->width / part->height), 0, std::log(4.0 / 3) + 0.1);
  }
}

TEST(RandomErasing, ChangesARectangleOnly) {
  const Planar image = {3, 32, 32, std::vector<uint8_t>(3 * 1024, 77)};
  const AreaRange range = {0.1, 0.3, 0.3, 3.3};
  const ChainLink link = LinkOf("erasing { area_low: 0.1 area_high: 0.3 }");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SplitMix64 random(seed), again(seed);
    Planar erased = image;
    link.transform->Apply(random, erased);
    const Rectangle part = *DrawRectangle(range, 32, 32, again);
    int changed = 0;
    for (int i = 0; i < 3 * 1024; ++i) {
      const int x = i % 32 - part.left, y = i / 32 % 32 - part.top;
      const bool inside = x >= 0 && x < part.width && y >= 0 && y < part.height;
      if (!inside) {
        ASSERT_EQ(erased.bytes[i], 77);
      }
      changed += erased.bytes[i] != 77 ? 1 : 0;
    }
    EXPECT_GT(changed, 0.95 * 3 * part.width * part.height);
  }
}

TEST(VerticalFlip, TurnsRowsAround) {
  Planar image = {1, 3, 2, {1, 2, 3, 4, 5, 6}};
  SplitMix64 random(0);
  LinkOf("vertical_flip {}").transform->Apply(random, image);
  EXPECT_THAT(image.bytes, ::testing::ElementsAre(5, 6, 3, 4, 1, 2));
}

TEST(NamedOperations, AreNothingAtMagnitudeZero) {
  const Planar image = Noise(3, 8, 8);
  const MagnitudeRange range = {0.3, 10, 10, 30, 0.9, 4};
  SplitMix64 random(1);
  // Operations 11 to 13 are left out: solarizing at 255, stretching and equalizing change an image
  // at magnitude 0, too.
  for (int operation = 0; operation < 11; ++operation) {
    Planar changed = image;
    ApplyNamedOperation(operation, 0, range, random, changed);
    EXPECT_EQ(Distance(changed, image), 0) << operation;
    ApplyNamedOperation(operation, 30, range, random, changed);
    EXPECT_EQ(Distance(changed, image) == 0, operation == 0) << operation;
  }
}

// Returns a chain with every transform of transform.proto. Each has its default settings, except
// `affine`, which would not change an image with them.
std::vector<ChainLink> EveryTransform() {
  std::vector<ChainLink> chain;
  const auto* kinds = TransformConfig::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    const std::string& name = kinds->field(i)->name();
    chain.push_back(LinkOf(name + (name == "affine" ? " { degrees: 20 }" : " {}")));
  }
  return chain;
}

TEST(Transforms, HappenAsOftenAsTheirTextsSay) {
  EXPECT_EQ(LinkOf("affine {}").probability, 1);
  EXPECT_EQ(LinkOf("grey {}").probability, 0.1);
  EXPECT_EQ(LinkOf("erasing {}").probability, 0.5);
  EXPECT_EQ(LinkOf("grey {} probability: 0.7").probability, 0.7);
}

TEST(TransformsDeathTest, ASecondOneForTheSameFieldEndsTheProgram) {
  EXPECT_DEATH(TransformRegistration(TransformConfig::kGrey, nullptr),
               "transform grey is registered twice");
}

TEST(Transforms, ErrorsNameTheSetting) {
  TransformConfig config;
  EXPECT_EQ(MakeLink(config, "transform[3]").status().message(),
            "transform[3] names no transform; expected one such as affine { degrees: 10 }");
  config.mutable_affine()->set_scale_low(2);
  EXPECT_EQ(MakeLink(config, "transform[3]").status().message(),
            "transform[3].affine.scale_high is 1: expected 2 to 100");
  config.set_probability(-1);
  EXPECT_EQ(MakeLink(config, "transform[3]").status().message(),
            "transform[3].probability is -1: expected 0 to 1");
}

TEST(Chain, IsAFunctionOfSeedEpochAndImage) {
  const Planar image = Noise(3, 24, 24);
  Planar once = image, again = image, other_epoch = image, other_image = image;
  ApplyChain(EveryTransform(), 1, 2, 3, once);
  ApplyChain(EveryTransform(), 1, 2, 3, again);
  ApplyChain(EveryTransform(), 1, 3, 3, other_epoch);
  ApplyChain(EveryTransform(), 1, 2, 4, other_image);
  EXPECT_EQ(Distance(once, again), 0);
  EXPECT_GT(Distance(once, other_epoch), 0);
  EXPECT_GT(Distance(once, other_image), 0);
}

TEST(Chain, EachTransformDrawsForItself) {
  const Planar image = Noise(3, 24, 24);
  Planar two = image, one = image;
  // The first transform is applied, and draws numbers, in one chain (`one`) but not in the other
  // (`two`); the second transform must draw the same numbers in both.
  ApplyChain({LinkOf("trivial_augment {} probability: 0"), LinkOf("hue { amount: 0.5 }")}, 1, 2, 3,
             two);
  ApplyChain({LinkOf("brightness { amount: 0 }"), LinkOf("hue { amount: 0.5 }")}, 1, 2, 3, one);
  EXPECT_EQ(Distance(one, two), 0);
  EXPECT_GT(Distance(one, image), 0);
}

TEST(Chain, HappensAsOftenAsItSays) {
  int flipped = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    Planar image = {1, 2, 1, {0, 1}};
    ApplyChain({LinkOf("vertical_flip {} probability: 0.3")}, 7, 0, i, image);
    flipped += image.bytes[0];
  }
  EXPECT_NEAR(flipped, 300, 60);
}

TEST(Chain, TakesAnImageOfOnePixel) {
  for (const int channels : {1, 3}) {
    for (int64_t i = 0; i < 200; ++i) {
      Planar image = Noise(channels, 1, 1);
      ApplyChain(EveryTransform(), 1, 0, i, image);
      ASSERT_EQ(image.bytes.size(), channels);
    }
  }
}

}  // namespace
}  // namespace cotangent::data
