#include <string>

#include "data/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Image> DecodeFile(const std::string& text) {
  return DecodeImage(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size()), "file");
}

TEST(PnmTest, ColourAndGrey) {
  const auto colour = DecodeFile("P6\n# made by hand\n1 2 255\n\1\2\3\n\5\6");
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_EQ(colour->width, 1);
  EXPECT_EQ(colour->height, 2);
  EXPECT_THAT(colour->rgb, ElementsAre(1, 2, 3, '\n', 5, 6));
  EXPECT_THAT(DecodeFile("P5 2 1 255 ab")->rgb, ElementsAre('a', 'a', 'a', 'b', 'b', 'b'));
}

TEST(PnmTest, LargestValuesOtherThan255) {
  EXPECT_THAT(DecodeFile(std::string("P5 4 1 3\n\0\1\2\3", 13))->rgb,
              ElementsAre(0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255));
  EXPECT_THAT(DecodeFile("P5 1 1 65535\n\x80\x80")->rgb, ElementsAre(128, 128, 128));
}

TEST(PnmTest, PlainFiles) {
  const auto grey = DecodeFile("P2\n# made by hand\n2 2 15\n0 3\n# the second row\n15  9");
  ASSERT_TRUE(grey.ok()) << grey.status();
  EXPECT_THAT(grey->rgb, ElementsAre(0, 0, 0, 51, 51, 51, 255, 255, 255, 153, 153, 153));
  const auto colour = DecodeFile("P3 1 2 65535\r\n0 65535 32896\r\n257 514 70000\r\n");
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_THAT(colour->rgb, ElementsAre(0, 255, 128, 1, 2, 255));
}

TEST(PnmTest, ANumberOfManyDigitsIsOneNumber) {
  const auto grey = DecodeFile("P2 2 1 255 12345678901 0");
  ASSERT_TRUE(grey.ok()) << grey.status();
  EXPECT_THAT(grey->rgb, ElementsAre(255, 255, 255, 0, 0, 0));
  EXPECT_THAT(std::string(DecodeFile("P5 10000000000 1 255 ab").status().message()),
              HasSubstr("at most"));
}

TEST(PnmTest, WhatIsUnsound) {
  const auto message = [](const std::string& text) {
    return std::string(DecodeFile(text).status().message());
  };
  EXPECT_THAT(message("P6 "), HasSubstr("file: not a sound PPM: its header has no width"));
  EXPECT_THAT(message("P6 2 2 "), HasSubstr("no largest value"));
  EXPECT_THAT(message("P6 2 2 70000 x"), HasSubstr("no largest value"));
  EXPECT_THAT(message("P6 0 2 255 x"), HasSubstr("at least one"));
  EXPECT_THAT(message("P6 60000 60000 255 x"), HasSubstr("at most"));
  EXPECT_THAT(message("P6 99999999999999999999 1 255 x"), HasSubstr("at most"));
  EXPECT_THAT(message("P6 2 2 255 abc"), HasSubstr("cut short"));
  EXPECT_THAT(message("P6 2 2 255"), HasSubstr("cut short"));
  EXPECT_THAT(message("P5 2 1 256 abc"), HasSubstr("cut short"));
  EXPECT_THAT(message("P2 2 2 255 1 2 3 "), HasSubstr("not a sound PGM: it is cut short"));
  EXPECT_THAT(message("P3 60000 60000 255 1"), HasSubstr("at most"));
  EXPECT_THAT(message("P3 1 1 255 1 x 3"), HasSubstr("value 2 of 3 is no number"));
  EXPECT_THAT(message("P2 2 1 255 1 -3"), HasSubstr("value 2 of 2 is no number"));
}

}  // namespace
}  // namespace cotangent::data
