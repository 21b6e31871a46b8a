// Decodes PNG pictures by libpng's full interface, since the simplified one of libpng 1.6.39 decodes
// every second row of interlaced 16-bit pictures wrongly, and blends transparent pixels in linear
// light.
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"
#include "data/image_formats/exif.h"
#include "data/image_formats/image_format.h"

namespace cotangent::data {
namespace {

// The most pixels that a byte of a file can stand for: deflate expands a byte to at most 1032
// bytes, each of at most 8 pixels. A file whose header announces more must be cut short and is
// refused before memory is allocated.
constexpr int64_t kMostPixelsOfByte = 1032 * 8;
constexpr size_t kSignatureBytes = 8;

// Chunks that do not change the pixels and are skipped: libpng would decompress and keep the texts
// of each, up to a thousand of 8 MB.
constexpr png_byte kSkippedChunks[] = "tEXt\0zTXt\0iTXt\0sPLT";
constexpr int kSkippedChunkCount = sizeof(kSkippedChunks) / 5;

// After the last row, libpng reads the pixels' chunk to its end, which shows files that are cut
// short. It would also decompress whatever follows the last row there, up to 16 GB in a file of 16
// MB; so it gets this many bytes (16 MB decompressed) and no more.
constexpr size_t kMostBytesAfterPixels = 16384;

// libpng reports an error by calling a function that must not return; PngReader::Fail() jumps
// (longjmp) to the last setjmp. A jump skips destructors, so functions that call setjmp have no
// objects with destructors; their callers own such objects.
struct PngReader {
  png_structp png;
  png_infop info;
  const uint8_t* next;  // the file's next byte to read
  size_t left;
  jmp_buf jump;
  char message[128];
  size_t bytes_after_pixels;  // how many bytes libpng has asked for after the last row
  bool has_enough;            // set by Read() when it refuses more of them

  [[noreturn]] static void Fail(png_structp png, png_const_charp message) {
    PngReader& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
    snprintf(reader.message, sizeof(reader.message), "%s", message);
    longjmp(reader.jump, 1);
  }
  static void Ignore(png_structp, png_const_charp) {}
  // Returns whether the last row has been read (of interlaced pictures, in the last pass).
  bool HasAllPixels() const {
    const png_uint_32 height = png_get_image_height(png, info);
    return height > 0 && (png_get_current_row_number(png) >= height ||
                          png_get_current_pass_number(png) >= PNG_INTERLACE_ADAM7_PASSES);
  }
  static void Read(png_structp png, png_bytep to, size_t count) {
    PngReader& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (reader.HasAllPixels()) {
      reader.bytes_after_pixels += count;
      reader.has_enough = reader.bytes_after_pixels > kMostBytesAfterPixels;
      if (reader.has_enough) png_error(png, "no more is needed");
    }
    if (count > reader.left) png_error(png, "it is cut short");
    std::memcpy(to, reader.next, count);
    reader.next += count;
    reader.left -= count;
  }
};

bool ReadHeader(PngReader& reader) {
  if (setjmp(reader.jump) != 0) return false;
  reader.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, PngReader::Fail, PngReader::Ignore);
  if (reader.png == nullptr) return false;
  reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) return false;
  png_set_read_fn(reader.png, &reader, PngReader::Read);
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, kSkippedChunks,
                              kSkippedChunkCount);
  png_read_info(reader.png, reader.info);
  return true;
}

// Asks libpng for rows of 8-bit sRGB with alpha, whatever the file contains. Sets `*is_interlaced`
// to whether libpng delivers the rows in several passes.
bool Transform(PngReader& reader, bool* is_interlaced) {
  if (setjmp(reader.jump) != 0) return false;
  png_set_alpha_mode(reader.png, PNG_ALPHA_PNG, PNG_DEFAULT_sRGB);
  png_set_expand(reader.png);  // converts palettes, fewer than 8 bits, and transparent colours
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_add_alpha(reader.png, 0xff, PNG_FILLER_AFTER);
  *is_interlaced = png_set_interlace_handling(reader.png) > 1;
  png_read_update_info(reader.png, reader.info);
  return true;
}

// Reads the next row. The last row is complete when Read() refuses more bytes.
bool ReadRow(PngReader& reader, uint8_t* rgba) {
  if (setjmp(reader.jump) != 0) return reader.has_enough;
  png_read_row(reader.png, rgba, nullptr);
  return true;
}

// Reads the picture into `rgb`. `rgba` is a buffer for one row or, if the picture is interlaced,
// for all rows, since each of libpng's passes over the picture fills only some of the pixels.
bool ReadPixels(PngReader& reader, bool is_interlaced, uint8_t* rgba, uint8_t* rgb) {
  const size_t width = png_get_image_width(reader.png, reader.info),
               height = png_get_image_height(reader.png, reader.info);
  for (int pass = 0; is_interlaced && pass < PNG_INTERLACE_ADAM7_PASSES; ++pass) {
    for (size_t y = 0; y < height; ++y) {
      if (!ReadRow(reader, rgba + 4 * width * y)) return false;
    }
  }
  for (size_t y = 0; y < height; ++y) {
    if (!is_interlaced && !ReadRow(reader, rgba)) return false;
    LayOverWhite(rgba + (is_interlaced ? 4 * width * y : 0), width, rgb + 3 * width * y);
  }
  return true;
}

// Returns the contents of the first eXIf chunk, which may follow the pixels; nothing if there is
// none.
absl::Span<const uint8_t> ExifChunk(absl::Span<const uint8_t> bytes) {
  // A chunk is the length of its data (big-endian), its name, its data and their checksum.
  constexpr size_t kLengthBytes = 4, kNameBytes = 4, kChecksumBytes = 4;
  size_t at = kSignatureBytes;
  while (bytes.size() - at >= kLengthBytes + kNameBytes + kChecksumBytes) {
    const size_t length = png_get_uint_32(&bytes[at]), data = at + kLengthBytes + kNameBytes;
    if (length > bytes.size() - data - kChecksumBytes) break;
    if (std::memcmp(&bytes[at + kLengthBytes], "eXIf", kNameBytes) == 0)
      return bytes.subspan(data, length);
    at = data + length + kChecksumBytes;
  }
  return {};
}

bool IsPng(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= kSignatureBytes && png_sig_cmp(bytes.data(), 0, kSignatureBytes) == 0;
}

absl::StatusOr<Image> DecodePng(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source) {
  PngReader reader;
  std::memset(&reader, 0, sizeof(reader));
  reader.next = bytes.data();
  reader.left = bytes.size();
  auto destroyer =
      absl::MakeCleanup([&reader] { png_destroy_read_struct(&reader.png, &reader.info, nullptr); });
  const auto error = [&] {
    return UnsoundFile("PNG", reader.message[0] != 0 ? reader.message : "no memory", source);
  };
  if (!ReadHeader(reader)) return error();
  const int64_t width = png_get_image_width(reader.png, reader.info),
                height = png_get_image_height(reader.png, reader.info);
  RETURN_IF_ERROR(CheckImageSize(width, height, most_pixels, source));
  RETURN_IF_ERROR(CheckFileLength(width, height, static_cast<int64_t>(bytes.size()),
                                  kMostPixelsOfByte, "PNG", source));
  bool is_interlaced = false;
  if (!Transform(reader, &is_interlaced)) return error();
  Image image = {static_cast<int>(width), static_cast<int>(height),
                 std::vector<uint8_t>(3 * width * height)};
  std::vector<uint8_t> rgba(4 * width * (is_interlaced ? height : 1));
  if (!ReadPixels(reader, is_interlaced, rgba.data(), image.rgb.data())) return error();
  return Upright(std::move(image), ExifOrientation(ExifChunk(bytes)));
}

const RegisterImageFormat png(
    {.names = {"PNG"}, .endings = {".png"}, .recognises = IsPng, .decode = DecodePng});

}  // namespace
}  // namespace cotangent::data
