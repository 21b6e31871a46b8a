#include <webp/encode.h>

#include <string>
#include <vector>

#include "data/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<uint8_t> Lossless(const std::vector<uint8_t>& rgba, int width, int height) {
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, 4 * width, &bytes);
  std::vector<uint8_t> file(bytes, bytes + size);
  WebPFree(bytes);
  return file;
}

TEST(Webp, LosslessPixelsComeBackOverWhite) {
  // An opaque, a half transparent and a transparent pixel.
  const std::vector<uint8_t> rgba = {10, 20, 30, 255, 0, 100, 200, 128, 1, 2, 3, 0};
  const auto image = DecodeImage(Lossless(rgba, 3, 1), "x.webp");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 3);
  EXPECT_EQ(image->height, 1);
  // The half transparent values are round(128/255 v + 127/255 255).
  EXPECT_THAT(image->rgb, ElementsAre(10, 20, 30, 127, 177, 227, 255, 255, 255));
}

TEST(Webp, LossyPicturesAreRead) {
  const std::vector<uint8_t> rgb(3 * 40 * 30, 90);
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeRGB(rgb.data(), 40, 30, 3 * 40, 80, &bytes);
  const auto image = DecodeImage(absl::MakeConstSpan(bytes, size), "x.webp");
  WebPFree(bytes);
  ASSERT_TRUE(image.ok()) << image.status();
  for (const uint8_t v : image->rgb) ASSERT_NEAR(v, 90, 2);
}

TEST(Webp, IsTurnedAsItsExifSays) {
  std::vector<uint8_t> file = Lossless({1, 1, 1, 255, 2, 2, 2, 255}, 2, 1);
  // EXIF data, a little-endian TIFF with one entry: tag 0x112 (orientation), type SHORT, one value,
  // 6, which means that the picture is to be displayed turned right.
  const std::vector<uint8_t> exif = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                                     0,   1,   0,  0, 0, 6, 0, 0, 0, 0, 0,    0, 0};
  for (const char c : std::string("EXIF")) file.push_back(c);
  file.insert(file.end(), {static_cast<uint8_t>(exif.size()), 0, 0, 0});
  file.insert(file.end(), exif.begin(), exif.end());
  const size_t length = file.size() - 8;
  file[4] = length & 255, file[5] = length >> 8 & 255;
  const auto image = DecodeImage(file, "x.webp");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 1);
  EXPECT_EQ(image->height, 2);
  EXPECT_THAT(image->rgb, ElementsAre(1, 1, 1, 2, 2, 2));
}

TEST(Webp, WhatIsCutShortIsNamed) {
  std::vector<uint8_t> rgba(4 * 64 * 64);
  for (size_t i = 0; i < rgba.size(); ++i) rgba[i] = static_cast<uint8_t>(i * i >> 3);
  const std::vector<uint8_t> file = Lossless(rgba, 64, 64);
  for (size_t size = 12; size < file.size(); size += 97) {
    const auto image = DecodeImage(absl::MakeConstSpan(file.data(), size), "x.webp");
    ASSERT_FALSE(image.ok()) << size;
    EXPECT_THAT(std::string(image.status().message()), HasSubstr("x.webp: not a sound WebP"));
  }
}

}  // namespace
}  // namespace cotangent::data
