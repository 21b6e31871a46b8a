#include "data/image_file.h"

#include "data/image_formats/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(DecodeImageTest, OtherKindsOfFile) {
  EXPECT_THAT(DecodeError("GIF89a"), AllOf(HasSubstr("test: neither "), HasSubstr(" nor PNG")));
  EXPECT_THAT(DecodeError("GIF89a"), HasSubstr(", but a GIF: convert it;"));
  EXPECT_THAT(DecodeError("BM"), HasSubstr("a BMP"));
  EXPECT_THAT(DecodeError(std::string("MM\0*", 4)), HasSubstr("a TIFF"));
  EXPECT_THAT(DecodeError(std::string("\0\0\0\x18"
                                      "ftypheic",
                                      12)),
              HasSubstr("a HEIF"));
  EXPECT_THAT(DecodeError("abc"), HasSubstr("; pictures of these kinds can be read"));
  EXPECT_THAT(DecodeError("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(DecodeError(""), HasSubstr("empty"));
  EXPECT_THAT(std::string(ReadImage("/nowhere/a.png").status().message()),
              HasSubstr("cannot read /nowhere/a.png"));
}

TEST(ImageFormatsTest, HaveNamesEndingsAndSignatures) {
  EXPECT_THAT(NamesOfImageFormats(), IsSupersetOf({"JPEG", "PGM", "PNG", "PPM", "WebP"}));
  for (const char* name : {"a.png", "a.jpg", "a.jpeg", "a.jpe", "a.jfif", "a.webp", "a.ppm",
                           "a.pgm", "a.pnm", "A.JPG", "a.b.Png"})
    EXPECT_TRUE(HasNameOfPicture(name)) << name;
  for (const char* name : {"a.txt", "png", "a.png.gz", ""})
    EXPECT_FALSE(HasNameOfPicture(name)) << name;
  EXPECT_TRUE(IsPicture(Bytes("P6 cut short")));
  EXPECT_FALSE(IsPicture(Bytes("GIF89a")));
  EXPECT_FALSE(IsPicture({}));
}

TEST(ResizeTest, SameSizeIsTheSame) {
  const Image image = Gradient(9, 7);
  EXPECT_EQ(Resize(image, 9, 7).rgb, image.rgb);
}

TEST(ResizeTest, SmallerAverages) {
  // Pillow, Python's imaging library, gives these values for its bilinear filter. The weights of
  // the four pixels are 3/7, 3/7, 1/7, 0 for the first result and 0, 1/7, 3/7, 3/7 for the second.
  const Image row = {4, 1, {0, 0, 0, 100, 100, 100, 200, 200, 200, 40, 40, 40}};
  EXPECT_THAT(Resize(row, 2, 1).rgb, ElementsAre(71, 71, 71, 117, 117, 117));
  // A checkerboard becomes grey, since pixels are averaged and not skipped.
  Image board = {256, 256, {}};
  for (int i = 0; i < 256 * 256; ++i) board.rgb.insert(board.rgb.end(), 3, (i + i / 256) % 2 * 255);
  for (uint8_t value : Resize(board, 32, 32).rgb) EXPECT_NEAR(value, 128, 2);
}

TEST(ResizeTest, LargerInterpolates) {
  const Image row = {2, 1, {0, 0, 0, 100, 100, 100}};
  EXPECT_THAT(Resize(row, 4, 1).rgb, ElementsAre(0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100));
  EXPECT_THAT(Resize({1, 1, {7, 8, 9}}, 2, 2).rgb, ElementsAre(7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9));
}

TEST(PlanarTest, ThereAndBack) {
  const Image image = Gradient(5, 3);
  const std::vector<uint8_t> planar = ToPlanar(image);
  EXPECT_EQ(planar[15 + 7], image.rgb[7 * 3 + 1]);
  EXPECT_EQ(FromPlanar(planar, 5, 3).rgb, image.rgb);
}

}  // namespace
}  // namespace cotangent::data
