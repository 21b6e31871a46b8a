#include <png.h>
#include <time.h>

#include <cstring>
#include <utility>
#include <vector>

#include "data/file.h"
#include "data/image_file.h"
#include "data/image_formats/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Returns a PNG with pixels in `format`, any format that libpng's simplified interface supports.
std::string PngOf(int width, int height, png_uint_32 format, const void* pixels,
                  const void* colormap = nullptr, int colormap_entries = 0) {
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  png.width = width;
  png.height = height;
  png.format = format;
  png.colormap_entries = colormap_entries;
  png_alloc_size_t bytes = 1 << 20;
  std::string encoded(bytes, '\0');
  EXPECT_TRUE(png_image_write_to_memory(&png, encoded.data(), &bytes, 0, pixels, 0, colormap))
      << png.message;
  encoded.resize(bytes);
  return encoded;
}

std::string BigEndian(uint32_t n) { return {char(n >> 24), char(n >> 16), char(n >> 8), char(n)}; }

// Returns a chunk of a PNG.
std::string Chunk(const std::string& name, const std::string& data) {
  uint32_t crc = 0xffffffff;
  for (const unsigned char byte : name + data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return BigEndian(static_cast<uint32_t>(data.size())) + name + data + BigEndian(~crc);
}

// Returns 1 + 258 * `repeats` zero bytes, compressed to a thousandth by the format zlib (RFC 1950):
// one block of fixed Huffman codes, with a literal zero and `repeats` copies of 258 bytes.
std::string CompressedZeros(uint32_t repeats) {
  std::string bytes = "\x78\x01";
  int used = 8;  // bits of the last byte
  const auto append = [&](const char* bits) {
    for (; *bits != 0; ++bits) {
      if (used == 8) bytes += '\0', used = 0;
      bytes.back() = static_cast<char>(bytes.back() | (*bits - '0') << used++);
    }
  };
  append("110");                                                   // the last block; fixed codes
  append("00110000");                                              // the literal 0
  for (uint32_t i = 0; i < repeats; ++i) append("1100010100000");  // length 258, distance 1
  append("0000000");                                               // the end
  return bytes + BigEndian((1 + 258 * repeats) % 65521 << 16 | 1);
}

TEST(PngTest, RoundTrip) {
  const Image image = Gradient(37, 21);
  ExpectClose(Decode(EncodePng(image).value()), image, 0);
  const std::string path = JoinPath(::testing::TempDir(), "image.png");
  ASSERT_TRUE(WritePng(path, image).ok());
  ExpectClose(ReadImage(path).value(), image, 0);
}

TEST(PngTest, GreyAlphaPaletteAndSixteenBits) {
  const uint8_t grey[] = {0, 100, 255};
  EXPECT_THAT(Decode(PngOf(3, 1, PNG_FORMAT_GRAY, grey)).rgb,
              ElementsAre(0, 0, 0, 100, 100, 100, 255, 255, 255));
  const uint8_t rgba[] = {10, 20, 30, 255, 10, 20, 30, 0};
  EXPECT_THAT(Decode(PngOf(2, 1, PNG_FORMAT_RGBA, rgba)).rgb,
              ElementsAre(10, 20, 30, 255, 255, 255));
  const uint8_t palette[] = {1, 2, 3, 200, 100, 50};
  const uint8_t indices[] = {1, 0, 1};
  EXPECT_THAT(Decode(PngOf(3, 1, PNG_FORMAT_RGB_COLORMAP, indices, palette, 2)).rgb,
              ElementsAre(200, 100, 50, 1, 2, 3, 200, 100, 50));
  const uint16_t linear[] = {0, 65535, 65535};
  EXPECT_THAT(Decode(PngOf(1, 1, PNG_FORMAT_LINEAR_RGB, linear)).rgb, ElementsAre(0, 255, 255));
}

// Returns a PNG written by libpng's full interface: any colour type and depth, interlaced or not.
// `rows` has the bytes as the file stores them; 16-bit values are big-endian.
std::string RawPng(int width, int height, int colour_type, int depth, bool interlaced,
                   std::vector<uint8_t> rows, double gamma = 0) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp writer, png_bytep bytes, size_t count) {
        static_cast<std::string*>(png_get_io_ptr(writer))
            ->append(reinterpret_cast<char*>(bytes), count);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, depth, colour_type,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (int i = 0; i < 1 << depth && colour_type == PNG_COLOR_TYPE_PALETTE; ++i)
    palette.push_back({png_byte(i * 7), png_byte(255 - i), png_byte(i * 13)});
  if (!palette.empty()) png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  if (gamma > 0) png_set_gAMA(png, info, gamma);
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  const size_t row_bytes = png_get_rowbytes(png, info);
  EXPECT_EQ(rows.size(), row_bytes * height);
  for (int y = 0; y < height; ++y) pointers.push_back(rows.data() + y * row_bytes);
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

// An interlaced PNG yields the same pixels as one that is not interlaced. In RGB, 16-bit values are
// rounded to the nearest 8-bit ones.
TEST(PngTest, InterlacedOfEveryKind) {
  constexpr int kWidth = 19, kHeight = 13;
  const std::pair<int, std::vector<int>> kinds[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                                                    {PNG_COLOR_TYPE_RGB, {8, 16}},
                                                    {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                                                    {PNG_COLOR_TYPE_GRAY_ALPHA, {8, 16}},
                                                    {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
  for (const auto& [type, depths] : kinds) {
    for (int depth : depths) {
      SCOPED_TRACE(type * 100 + depth);
      const int channels = type == PNG_COLOR_TYPE_RGB          ? 3
                           : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                           : type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
                                                               : 1;
      std::vector<uint8_t> rows((kWidth * channels * depth + 7) / 8 * kHeight);
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint8_t>(i * i * 31 + i * 7);
      const Image plain = Decode(RawPng(kWidth, kHeight, type, depth, false, rows));
      ExpectClose(Decode(RawPng(kWidth, kHeight, type, depth, true, rows)), plain, 0);
      if (type != PNG_COLOR_TYPE_RGB || depth != 16) continue;
      for (size_t i = 0; i < plain.rgb.size(); ++i) {
        const int value = rows[2 * i] * 256 + rows[2 * i + 1];
        ASSERT_EQ(plain.rgb[i], (value * 255 + 32895) >> 16) << "the nearest of 8 bits";
      }
    }
  }
}

// Black with half opacity over white gives the mean of the values, 127 of 255, as viewers show it.
// Blended in linear light it would be 188.
TEST(PngTest, TransparencyMixesValues) {
  const std::vector<uint8_t> rgba = {0, 0, 0, 128, 200, 100, 50, 64, 9, 9, 9, 0, 9, 8, 7, 255};
  const Image image = Decode(RawPng(4, 1, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, rgba));
  EXPECT_THAT(image.rgb, ElementsAre(127, 127, 127, 241, 216, 204, 255, 255, 255, 9, 8, 7));
}

// If gAMA says that values are linear in light, they are converted to sRGB: half intensity becomes
// 188. If it gives the usual gamma, 1 / 2.2, they are not changed.
TEST(PngTest, GammaOfTheFile) {
  const Image linear = Decode(RawPng(2, 1, PNG_COLOR_TYPE_GRAY, 8, false, {128, 255}, 1.0));
  EXPECT_NEAR(linear.rgb[0], 188, 2);
  EXPECT_EQ(linear.rgb[3], 255);
  const Image usual = Decode(RawPng(2, 1, PNG_COLOR_TYPE_GRAY, 8, false, {128, 255}, 1 / 2.2));
  EXPECT_EQ(usual.rgb[0], 128);
}

TEST(PngTest, CutShortAnywhereIsAnError) {
  const std::string png = EncodePng(Gradient(16, 16)).value();
  for (size_t size = 8; size < png.size() - 12; ++size) {
    EXPECT_THAT(DecodeError(png.substr(0, size)), HasSubstr("test: not a sound PNG")) << size;
  }
}

TEST(PngTest, CorruptBytesNeverCrash) {
  ExpectCorruptBytesNeverCrash(EncodePng(Gradient(16, 16)).value(), 8);
}

TEST(PngTest, AHugePictureIsRefusedBeforeMemoryIsAskedFor) {
  // The header of a PNG of 100,001 x 100,001 pixels, with a correct CRC computed below.
  std::string png = EncodePng(Gradient(1, 1)).value();
  const auto put = [&](size_t at, uint32_t value) {
    for (int i = 0; i < 4; ++i) png[at + i] = static_cast<char>(value >> (24 - 8 * i));
  };
  put(16, 100001);
  put(20, 100001);
  uint32_t crc = 0xffffffff;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(png[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  put(29, ~crc);
  EXPECT_THAT(DecodeError(png), HasSubstr("100001 x 100001 pixels; at most 100000000"));
}

// Files of 1 MB that hold much beside their pixels: texts of 30 x 8 MB, which would also be kept,
// and 260 MB after the last row.
TEST(PngTest, OnlyPixelsAreDecompressed) {
  constexpr uint32_t kRepeatsOf8Mb = 30'000, kRepeatsOf260Mb = 1'000'000;
  const std::string begin = "\x89PNG\r\n\x1a\n" + Chunk("IHDR", BigEndian(1) + BigEndian(1) +
                                                                    std::string("\x08\2\0\0\0", 5));
  const std::string pixel = Chunk("IDAT", CompressedZeros(1)), end = Chunk("IEND", "");
  const std::string text = Chunk("zTXt", std::string("a\0\0", 3) + CompressedZeros(kRepeatsOf8Mb));
  std::string texts;
  for (int i = 0; i < 30; ++i) texts += text;
  for (const std::string& file : {begin + texts + pixel + end, begin + pixel + texts + end,
                                  begin + Chunk("IDAT", CompressedZeros(kRepeatsOf260Mb)) + end}) {
    const clock_t before = clock();
    EXPECT_THAT(Decode(file).rgb, ElementsAre(0, 0, 0));
    EXPECT_LT(static_cast<double>(clock() - before) / CLOCKS_PER_SEC, 0.2);
  }
}

// Returns the PNG with a chunk "eXIf" after its signature and header.
std::string WithExifChunk(const std::string& png, const std::string& exif) {
  return png.substr(0, 33) + Chunk("eXIf", exif) + png.substr(33);
}

TEST(PngTest, IsTurnedAsItsExifSays) {
  Image stored = {2, 3, {}};
  for (const int value : {40, 80, 120, 160, 200, 240})
    stored.rgb.insert(stored.rgb.end(), 3, static_cast<uint8_t>(value));
  const std::string png = EncodePng(stored).value();
  ExpectTurnedAsExifSays([&](const std::string& exif) { return WithExifChunk(png, exif); }, 1, 0);
}

}  // namespace
}  // namespace cotangent::data
