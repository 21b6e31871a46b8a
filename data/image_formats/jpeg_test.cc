#include <stdio.h>
// jpeglib.h needs stdio.h to be included before it.
#include <jpeglib.h>
#include <stdlib.h>

#include <optional>
#include <random>
#include <vector>

#include "data/file.h"
#include "data/image_file.h"
#include "data/image_formats/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::HasSubstr;

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

// A part that ReadImagePart() reads has the same pixels as that part of the whole picture.
// `pixels_of_colour` is the argument of JpegOf(); here 0 stands for a grey file.
TEST(JpegTest, PartsAreTheWholesBitForBit) {
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

TEST(JpegTest, IsTurnedAsItsExifSays) {
  // Blocks of 16 x 16 pixels of one grey, so that compression changes little.
  std::vector<uint8_t> grey;
  for (int i = 0; i < 48 * 32; ++i)
    grey.push_back(static_cast<uint8_t>(40 * (i / 32 / 16 * 2 + i % 32 / 16 + 1)));
  const std::string jpeg = JpegOf(32, 48, 1, JCS_GRAYSCALE, grey);
  ExpectTurnedAsExifSays([&](const std::string& exif) { return WithExif(jpeg, exif); }, 16, 6);
}

TEST(JpegTest, UnsoundExifSaysNothing) {
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
  ExpectCorruptBytesNeverCrash(JpegOf(16, 16, 3, JCS_RGB, Gradient(16, 16).rgb), 3);
}

}  // namespace
}  // namespace cotangent::data
