#include "data/image_formats/testing.h"

#include <algorithm>

#include "data/image_file.h"
#include "gtest/gtest.h"

namespace cotangent::data {

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

Image Decode(const std::string& bytes) { return DecodeImage(Bytes(bytes), "test").value(); }
std::string DecodeError(const std::string& bytes) {
  return std::string(DecodeImage(Bytes(bytes), "test").status().message());
}

Image Gradient(int width, int height) {
  Image image = {width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int value : {x * 255 / width, y * 255 / height, 128}) image.rgb.push_back(value);
    }
  }
  return image;
}

void ExpectClose(const Image& a, const Image& b, int tolerance) {
  ASSERT_EQ(a.width, b.width);
  ASSERT_EQ(a.height, b.height);
  ASSERT_EQ(a.rgb.size(), b.rgb.size());
  for (size_t i = 0; i < a.rgb.size(); ++i)
    ASSERT_NEAR(a.rgb[i], b.rgb[i], tolerance) << "at " << i;
}

void ExpectCorruptBytesNeverCrash(const std::string& file, size_t first) {
  for (size_t i = first; i < file.size(); ++i) {
    std::string corrupt = file;
    corrupt[i] ^= 0x5a;
    const auto image = DecodeImage(Bytes(corrupt), "test");
    if (image.ok()) {
      EXPECT_EQ(image->rgb.size(), size_t(image->width) * image->height * 3);
    }
  }
}

std::string Exif(int orientation, bool big_endian) {
  if (big_endian)
    return std::string("MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0", 19) +
           static_cast<char>(orientation) + std::string(6, '\0');
  return std::string("II*\0\x08\0\0\0\1\0\x12\x01\3\0\1\0\0\0", 18) +
         static_cast<char>(orientation) + std::string(7, '\0');
}

void ExpectTurnedAsExifSays(const std::function<std::string(const std::string& exif)>& file,
                            int side, int tolerance) {
  // For each orientation 1 to 8, how a stored picture ab/cd/ef is displayed. Each letter is a block;
  // a slash separates rows, from the top.
  const char* const shown[] = {"ab/cd/ef", "ba/dc/fe", "fe/dc/ba", "ef/cd/ab",
                               "ace/bdf",  "eca/fdb",  "fdb/eca",  "bdf/ace"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (bool big_endian : {false, true}) {
      SCOPED_TRACE(orientation);
      std::string expected = shown[orientation - 1];
      const int width = static_cast<int>(expected.find('/'));
      expected.erase(std::remove(expected.begin(), expected.end(), '/'), expected.end());
      const Image image = Decode(file(Exif(orientation, big_endian)));
      ASSERT_EQ(image.width, side * width);
      for (int i = 0; i < 6; ++i) {
        const int y = side * (i / width) + side / 2, x = side * (i % width) + side / 2;
        EXPECT_NEAR(image.rgb[3 * (y * image.width + x)], 40 * (expected[i] - 'a' + 1), tolerance);
      }
    }
  }
}

}  // namespace cotangent::data
