#include "data/image_file.h"

#include <png.h>
#include <stdio.h>
// jpeglib.h needs stdio.h to be included before it.
#include <jpeglib.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

// In which order a JPEG holds its samples.
enum JpegScans {
  kOneScan,      // all components together, block by block
  kScanOfEach,   // one component after the other
  kProgressive,  // in several steps of accuracy
};

// Returns a JPEG. If it has three components, the file stores one sample of colour for each group
// of `pixels_of_colour` pixels (1, 2 side by side, or a square of 4).
std::string JpegOf(int width, int height, int components, J_COLOR_SPACE colours,
                   const std::vector<uint8_t>& samples, JpegScans scans = kOneScan,
                   int pixels_of_colour = 4) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &buffer, &size);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = components;
  jpeg.in_color_space = colours;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 98, TRUE);
  jpeg.comp_info[0].h_samp_factor = components == 3 && pixels_of_colour > 1 ? 2 : 1;
  jpeg.comp_info[0].v_samp_factor = components == 3 && pixels_of_colour > 2 ? 2 : 1;
  if (scans == kProgressive) jpeg_simple_progression(&jpeg);
  std::vector<jpeg_scan_info> of_each;
  for (int i = 0; i < components; ++i)
    of_each.push_back(
        {.comps_in_scan = 1, .component_index = {i}, .Ss = 0, .Se = 63, .Ah = 0, .Al = 0});
  if (scans == kScanOfEach) jpeg.scan_info = of_each.data(), jpeg.num_scans = components;
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row =
        const_cast<uint8_t*>(samples.data()) + size_t(jpeg.next_scanline) * width * components;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string encoded(reinterpret_cast<char*>(buffer), size);
  jpeg_destroy_compress(&jpeg);
  free(buffer);
  return encoded;
}

void ExpectClose(const Image& a, const Image& b, int tolerance) {
  ASSERT_EQ(a.width, b.width);
  ASSERT_EQ(a.height, b.height);
  ASSERT_EQ(a.rgb.size(), b.rgb.size());
  for (size_t i = 0; i < a.rgb.size(); ++i)
    ASSERT_NEAR(a.rgb[i], b.rgb[i], tolerance) << "at " << i;
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
  const std::string png = EncodePng(Gradient(16, 16)).value();
  for (size_t i = 8; i < png.size(); ++i) {
    std::string corrupt = png;
    corrupt[i] ^= 0x5a;
    const auto image = DecodeImage(Bytes(corrupt), "test");
    if (image.ok()) {
      EXPECT_EQ(image->rgb.size(), size_t(image->width) * image->height * 3);
    }
  }
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

TEST(JpegTest, ColoursAndGrey) {
  const Image image = Gradient(64, 48);
  ExpectClose(Decode(JpegOf(64, 48, 3, JCS_RGB, image.rgb)), image, 8);
  ExpectClose(Decode(JpegOf(64, 48, 3, JCS_RGB, image.rgb, kProgressive)), image, 8);
  const Image grey = Decode(JpegOf(8, 8, 1, JCS_GRAYSCALE, std::vector<uint8_t>(64, 77)));
  EXPECT_THAT(grey.rgb, ::testing::Each(77));
}

TEST(JpegTest, FourInks) {
  // In files with Adobe's marker the inks are inverted: 255 for all inks is white paper.
  const Image white = Decode(JpegOf(8, 8, 4, JCS_CMYK, std::vector<uint8_t>(256, 255)));
  EXPECT_THAT(white.rgb, ::testing::Each(255));
}

// Returns EXIF data, which are a TIFF file, with one entry: the orientation.
std::string Exif(int orientation, bool big_endian) {
  if (big_endian)
    return std::string("MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0", 19) +
           static_cast<char>(orientation) + std::string(6, '\0');
  return std::string("II*\0\x08\0\0\0\1\0\x12\x01\3\0\1\0\0\0", 18) +
         static_cast<char>(orientation) + std::string(7, '\0');
}

// A part that ReadImagePart() reads has the same pixels as that part of the whole picture.
// `pixels_of_colour` is the argument of JpegOf(); here 0 stands for a grey file.
TEST(Jpeg, PartsAreTheWholesBitForBit) {
  std::mt19937 random(3);
  for (const JpegScans scans : {kOneScan, kProgressive}) {
    for (const int pixels_of_colour : {1, 2, 4, 0}) {
      const int width = 139, height = 101, channels = pixels_of_colour == 0 ? 1 : 3;
      std::vector<uint8_t> samples;
      for (int i = 0; i < width * height * channels; ++i)
        samples.push_back(static_cast<uint8_t>(i / channels % width + random() % 90));
      const std::string path = JoinPath(::testing::TempDir(), "part.jpg");
      ASSERT_TRUE(WriteFileAtomically(
                      path, JpegOf(width, height, channels, channels == 1 ? JCS_GRAYSCALE : JCS_RGB,
                                   samples, scans, pixels_of_colour))
                      .ok());
      const Image whole = *ReadImage(path);
      for (int time = 0; time < 60; ++time) {
        Rectangle part;
        part.left = random() % width, part.top = random() % height;
        part.width = 1 + random() % (width - part.left);
        part.height = 1 + random() % (height - part.top);
        const auto decoded = ReadImagePart(path, [&](int h, int w) {
          EXPECT_EQ(h, height);
          EXPECT_EQ(w, width);
          return std::optional<Rectangle>(part);
        });
        ASSERT_TRUE(decoded.ok()) << decoded.status();
        const Rectangle& at = *decoded->part;
        for (int y = 0; y < part.height; ++y) {
          const auto row = [&](const Image& image, int top, int left) {
            return std::vector<uint8_t>(
                image.rgb.begin() + 3 * ((top + y) * image.width + left),
                image.rgb.begin() + 3 * ((top + y) * image.width + left + part.width));
          };
          ASSERT_EQ(row(decoded->image, at.top, at.left), row(whole, part.top, part.left))
              << pixels_of_colour << " " << scans << " row " << y << " of " << part.left << " "
              << part.top << " " << part.width << " " << part.height;
        }
      }
    }
  }
}

std::string WithExif(const std::string& jpeg, const std::string& exif) {
  const std::string data = std::string("Exif\0\0", 6) + exif;
  const size_t length = data.size() + 2;
  const std::string marker = {'\xff', '\xe1', static_cast<char>(length >> 8),
                              static_cast<char>(length & 255)};
  return jpeg.substr(0, 2) + marker + data + jpeg.substr(2);
}

// Returns the PNG with a chunk "eXIf" after its signature and header.
std::string WithExifChunk(const std::string& png, const std::string& exif) {
  return png.substr(0, 33) + Chunk("eXIf", exif) + png.substr(33);
}

// For each orientation 1 to 8, how a stored picture of 2 x 3 pixels, ab/cd/ef, is displayed. Each
// letter is a pixel; a slash separates rows, from the top.
TEST(OrientationTest, AsTheStandardSays) {
  const char* const shown[] = {"ab/cd/ef", "ba/dc/fe", "fe/dc/ba", "ef/cd/ab",
                               "ace/bdf",  "eca/fdb",  "fdb/eca",  "bdf/ace"};
  Image stored = {2, 3, {}};
  for (char letter : std::string("abcdef"))
    for (int c = 0; c < 3; ++c) stored.rgb.push_back(letter);
  const std::string png = EncodePng(stored).value();
  // In the JPEG each letter of the picture is a block of 16 x 16 pixels of one grey, so that
  // compression changes little.
  std::vector<uint8_t> grey;
  for (int i = 0; i < 48 * 32; ++i)
    grey.push_back(static_cast<uint8_t>(40 * ("abcdef"[i / 32 / 16 * 2 + i % 32 / 16] - 'a')));
  const std::string jpeg = JpegOf(32, 48, 1, JCS_GRAYSCALE, grey);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (bool big_endian : {false, true}) {
      SCOPED_TRACE(orientation);
      const std::string exif = Exif(orientation, big_endian);
      std::string expected = shown[orientation - 1];
      const int width = static_cast<int>(expected.find('/'));
      expected.erase(std::remove(expected.begin(), expected.end(), '/'), expected.end());
      const Image of_png = Decode(WithExifChunk(png, exif)), of_jpeg = Decode(WithExif(jpeg, exif));
      ASSERT_EQ(of_png.width, width);
      ASSERT_EQ(of_jpeg.width, 16 * width);
      for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(of_png.rgb[3 * i], expected[i]);
        const int y = 16 * (i / width) + 8, x = 16 * (i % width) + 8;
        EXPECT_NEAR(of_jpeg.rgb[3 * (y * of_jpeg.width + x)], 40 * (expected[i] - 'a'), 6);
      }
    }
  }
}

TEST(OrientationTest, UnsoundDataSayNothing) {
  const std::string jpeg = JpegOf(16, 8, 1, JCS_GRAYSCALE, std::vector<uint8_t>(128, 9));
  const std::string exif = Exif(6, false);
  for (size_t size = 0; size < exif.size() - 4; ++size)
    EXPECT_EQ(Decode(WithExif(jpeg, exif.substr(0, size))).width, size < 22 ? 16 : 8) << size;
  for (int orientation : {0, 9, 255})
    EXPECT_EQ(Decode(WithExif(jpeg, Exif(orientation, true))).width, 16);
  std::string far = exif;
  far[7] = '\x7f';  // the directory's offset, now beyond the data's end
  EXPECT_EQ(Decode(WithExif(jpeg, far)).width, 16);
}

TEST(JpegTest, CutShortAnywhereIsAnError) {
  const std::string jpeg = JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb);
  for (size_t size = 3; size + 2 < jpeg.size(); ++size) {
    EXPECT_THAT(DecodeError(jpeg.substr(0, size)), HasSubstr("test: not a sound JPEG")) << size;
  }
}

// Where a scan ends, no bit of a block is missing, but the colours are.
TEST(JpegTest, CutShortBetweenScansIsAnError) {
  const std::string jpeg = JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb, kScanOfEach);
  EXPECT_EQ(Decode(jpeg).rgb, Decode(JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb)).rgb);
  int scans = 0;
  for (size_t at = jpeg.find("\xff\xda"); at != std::string::npos;
       at = jpeg.find("\xff\xda", at + 2)) {
    if (++scans == 1) continue;
    const std::string message = DecodeError(jpeg.substr(0, at));
    EXPECT_THAT(message, HasSubstr("test: not a sound JPEG: it is cut short"));
  }
  EXPECT_EQ(scans, 3);
}

// Some cameras leave out the marker at the end, which no pixel needs.
TEST(JpegTest, MayLackItsEndMarker) {
  const std::string jpeg = JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb);
  EXPECT_EQ(Decode(jpeg.substr(0, jpeg.size() - 2)).rgb, Decode(jpeg).rgb);
}

TEST(JpegTest, CorruptBytesNeverCrash) {
  const std::string jpeg = JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb);
  for (size_t i = 3; i < jpeg.size(); ++i) {
    std::string corrupt = jpeg;
    corrupt[i] ^= 0x5a;
    const auto image = DecodeImage(Bytes(corrupt), "test");
    if (image.ok()) {
      EXPECT_EQ(image->rgb.size(), size_t(image->width) * image->height * 3);
    }
  }
}

TEST(DecodeImageTest, OtherKindsOfFile) {
  EXPECT_THAT(DecodeError("GIF89a"), HasSubstr("test: neither a PNG nor a JPEG"));
  EXPECT_THAT(DecodeError("GIF89a"), HasSubstr("nor a PPM, but a GIF: convert it;"));
  EXPECT_THAT(DecodeError("BM"), HasSubstr("a BMP"));
  EXPECT_THAT(DecodeError(std::string("MM\0*", 4)), HasSubstr("a TIFF"));
  EXPECT_THAT(DecodeError(std::string("\0\0\0\x18"
                                      "ftypheic",
                                      12)),
              HasSubstr("a HEIF"));
  EXPECT_THAT(DecodeError("abc"), HasSubstr("nor a PPM; pictures"));
  EXPECT_THAT(DecodeError("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(DecodeError(""), HasSubstr("empty"));
  EXPECT_THAT(std::string(ReadImage("/nowhere/a.png").status().message()),
              HasSubstr("cannot read /nowhere/a.png"));
}

TEST(ResizeTest, SameSizeIsTheSame) {
  const Image image = Gradient(9, 7);
  ExpectClose(Resize(image, 9, 7), image, 0);
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
  ExpectClose(FromPlanar(planar, 5, 3), image, 0);
}

}  // namespace
}  // namespace cotangent::data
