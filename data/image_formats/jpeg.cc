// Decodes JPEG pictures, or parts of them.
#include <setjmp.h>
#include <stdio.h>
// jpeglib.h needs stdio.h to be included before it.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"
#include "data/image_formats/exif.h"
#include "data/image_formats/image_format.h"

namespace cotangent::data {
namespace {

// The most pixels that a byte of a file can stand for: Huffman codes spend at least a bit on every
// block of 8 x 8 pixels. A file whose header announces more must be cut short and is refused before
// memory is allocated.
constexpr int64_t kMostPixelsOfByte = 8 * 64;
// The limit for arithmetic codes, whose pixels per byte have no such bound. With this limit, 16
// times that of Huffman codes, a file of a few hundred bytes cannot take seconds to decode.
constexpr int64_t kMostPixelsOfArithmeticByte = 16 * kMostPixelsOfByte;

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kMostMarkerBytes = 0xffff;
constexpr char kExifId[6] = "Exif\0";

// libjpeg reports an error by calling a function that must not return; JpegReader::Fail() jumps
// (longjmp) to the last setjmp. A jump skips destructors, so functions that call setjmp have no
// objects with destructors; their callers own such objects.
struct JpegReader {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool ended, lacks_bits;  // set by libjpeg's warnings, see Note()
  bool has_scans;          // has several scans (passes over the picture); set by StartJpeg()

  static JpegReader& Of(j_common_ptr jpeg) { return *static_cast<JpegReader*>(jpeg->client_data); }

  [[noreturn]] static void Fail(j_common_ptr jpeg) {
    jpeg->err->format_message(jpeg, Of(jpeg).message);
    longjmp(Of(jpeg).jump, 1);
  }
  // Receives warnings, and notes those by which IsCutShort() judges: if a file ends too early,
  // libjpeg warns and invents the missing pixels.
  static void Note(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    if (jpeg->err->msg_code == JWRN_JPEG_EOF) Of(jpeg).ended = true;
    if (jpeg->err->msg_code == JWRN_HIT_MARKER) Of(jpeg).lacks_bits = true;
  }
  // Returns whether pixels are missing. If a file ends too early but all bits of its blocks are
  // there, a picture in one scan and in Huffman codes counts as whole: some cameras leave out the
  // marker at the end. Pictures of several scans (as progressive ones have) may lack whole scans,
  // so they always count as cut short, as arithmetic-coded pictures do.
  bool IsCutShort() const { return ended && (lacks_bits || has_scans || jpeg.arith_code); }
  static void Ignore(j_common_ptr) {}
  // A small file can contain thousands of scans of a large picture. The number of scans is limited
  // to 500, and the pixels of all scans together to 10 * kMaxPixels.
  static void LimitScans(j_common_ptr jpeg) {
    constexpr int64_t kMaxScans = 500, kMaxPixelsInAll = 10 * kMaxPixels;
    const jpeg_decompress_struct& reader = Of(jpeg).jpeg;
    const int64_t pixels = int64_t{reader.image_width} * reader.image_height;
    const int64_t most = std::min(kMaxScans, kMaxPixelsInAll / std::max<int64_t>(pixels, 1));
    if (reader.input_scan_number > most) {
      snprintf(Of(jpeg).message, JMSG_LENGTH_MAX, "more than %d scans", static_cast<int>(most));
      longjmp(Of(jpeg).jump, 1);
    }
  }
};

bool ReadJpegHeader(JpegReader& reader, absl::Span<const uint8_t> bytes) {
  if (setjmp(reader.jump) != 0) return false;
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.client_data = &reader;
  reader.jpeg.progress = &reader.progress;
  reader.jpeg.mem->max_memory_to_use = int64_t{1} << 31;
  jpeg_mem_src(&reader.jpeg, bytes.data(), bytes.size());
  jpeg_save_markers(&reader.jpeg, kExifMarker, kMostMarkerBytes);
  jpeg_read_header(&reader.jpeg, TRUE);
  const bool four_inks =
      reader.jpeg.jpeg_color_space == JCS_CMYK || reader.jpeg.jpeg_color_space == JCS_YCCK;
  reader.jpeg.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
  // Smoothing would guess coefficients that a progressive file lacks, from neighbouring blocks. A
  // part of the picture, decoded by itself, would then differ from the same piece of the whole.
  reader.jpeg.do_block_smoothing = FALSE;
  return true;
}

// Returns the orientation in the first EXIF marker, or kUpright if there is none.
Orientation OrientationOf(const jpeg_decompress_struct& jpeg) {
  const absl::string_view id(kExifId, sizeof(kExifId));  // "Exif" and two zero bytes
  for (const jpeg_marker_struct* marker = jpeg.marker_list; marker != nullptr;
       marker = marker->next) {
    const absl::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (marker->marker != kExifMarker || data.substr(0, id.size()) != id) continue;
    return ExifOrientation(
        absl::MakeConstSpan(marker->data, marker->data_length).subspan(id.size()));
  }
  return Orientation::kUpright;
}

// If colours have fewer samples than pixels, libjpeg interpolates them between neighbouring blocks.
// A part is decoded with this many pixels around it on each side, so that the part's own pixels do
// not depend on where the decoded region ends.
constexpr int kMargin = 16;

// Starts decoding `*columns` columns from column `*left` on; widens this range to whole blocks.
// Returns false after an error, like the other functions that call setjmp.
bool StartJpeg(JpegReader& reader, JDIMENSION* left, JDIMENSION* columns) {
  if (setjmp(reader.jump) != 0) return false;
  reader.has_scans = jpeg_has_multiple_scans(&reader.jpeg);
  jpeg_start_decompress(&reader.jpeg);
  if (*columns < reader.jpeg.output_width) jpeg_crop_scanline(&reader.jpeg, left, columns);
  return true;
}

// Reads rows [top, top + rows) into `rgb`. `row` is a buffer for one row of four inks (CMYK); it is
// used only for files in CMYK.
bool ReadJpegPixels(JpegReader& reader, JDIMENSION top, JDIMENSION rows, uint8_t* row,
                    uint8_t* rgb) {
  if (setjmp(reader.jump) != 0) return false;
  const size_t width = reader.jpeg.output_width;
  if (top > 0) jpeg_skip_scanlines(&reader.jpeg, top);
  while (reader.jpeg.output_scanline < top + rows) {
    uint8_t* to = rgb + (reader.jpeg.output_scanline - top) * width * 3;
    const bool four_inks = reader.jpeg.out_color_space == JCS_CMYK;
    JSAMPROW rows[1] = {four_inks ? row : to};
    jpeg_read_scanlines(&reader.jpeg, rows, 1);
    for (size_t x = 0; four_inks && x < width; ++x) {
      // Files by Adobe, nearly all CMYK files there are, store inverted inks: 255 means no ink.
      for (int c = 0; c < 3; ++c) {
        const int ink = row[4 * x + c], black = row[4 * x + 3];
        to[3 * x + c] =
            reader.jpeg.saw_Adobe_marker ? ink * black / 255 : (255 - ink) * (255 - black) / 255;
      }
    }
  }
  // When only a part is decoded, the rows below it stay unread.
  if (reader.jpeg.output_scanline == reader.jpeg.output_height)
    jpeg_finish_decompress(&reader.jpeg);
  return true;
}

// Returns whether the bytes end with the marker that ends a JPEG. If not, the file may be cut
// short.
bool HasItsEnd(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[bytes.size() - 2] == 0xff && bytes[bytes.size() - 1] == 0xd9;
}

// Widens the part by kMargin pixels on each side, within the picture.
Rectangle Widened(const Rectangle& part, int width, int height) {
  const int left = std::max(0, part.left - kMargin), top = std::max(0, part.top - kMargin);
  return {left, top, std::min(width, part.left + part.width + kMargin) - left,
          std::min(height, part.top + part.height + kMargin) - top};
}

bool IsJpeg(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

// Decodes a part to the same pixels as those of DecodeJpeg(). Unless the picture has to be turned
// or lacks its end marker, this is faster, since what lies far outside the part is not converted to
// pixels. `image` of the result contains the part and perhaps more.
absl::StatusOr<DecodedPart> DecodeJpegPart(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                           absl::string_view source, const ChoosePart& choose) {
  JpegReader reader;
  std::memset(&reader, 0, sizeof(reader));
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = JpegReader::Fail;
  reader.errors.emit_message = JpegReader::Note;
  reader.errors.output_message = JpegReader::Ignore;
  reader.progress.progress_monitor = JpegReader::LimitScans;
  auto destroyer = absl::MakeCleanup([&reader] { jpeg_destroy_decompress(&reader.jpeg); });
  const auto error = [&] { return UnsoundFile("JPEG", reader.message, source); };
  if (!ReadJpegHeader(reader, bytes)) return error();
  // The orientation is read now, since libjpeg frees the markers after the last row.
  const Orientation orientation = OrientationOf(reader.jpeg);
  const int64_t width = reader.jpeg.image_width, height = reader.jpeg.image_height;
  RETURN_IF_ERROR(CheckImageSize(width, height, most_pixels, source));
  const int64_t most = reader.jpeg.arith_code ? kMostPixelsOfArithmeticByte : kMostPixelsOfByte;
  RETURN_IF_ERROR(
      CheckFileLength(width, height, static_cast<int64_t>(bytes.size()), most, "JPEG", source));
  // If the picture has to be turned, or may be cut short, it is decoded whole.
  const bool can_skip = orientation == Orientation::kUpright && HasItsEnd(bytes);
  DecodedPart decoded;
  Rectangle region = {0, 0, static_cast<int>(width), static_cast<int>(height)};
  if (can_skip) {
    decoded.part = choose(static_cast<int>(height), static_cast<int>(width));
    if (decoded.part.has_value()) region = Widened(*decoded.part, region.width, region.height);
  }
  JDIMENSION left = region.left, columns = region.width;
  if (!StartJpeg(reader, &left, &columns)) return error();
  Image& image = decoded.image;
  image.width = static_cast<int>(columns);
  image.height = region.height;
  image.rgb.resize(int64_t{3} * image.width * image.height);
  std::vector<uint8_t> row(width * 4);
  if (!ReadJpegPixels(reader, region.top, region.height, row.data(), image.rgb.data()))
    return error();
  if (reader.IsCutShort()) return UnsoundFile("JPEG", "it is cut short", source);
  if (can_skip) {
    if (decoded.part.has_value())
      decoded.part->left -= static_cast<int>(left), decoded.part->top -= region.top;
  } else {
    image = Upright(std::move(image), orientation);
    decoded.part = choose(image.height, image.width);
  }
  return decoded;
}

absl::StatusOr<Image> DecodeJpeg(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source) {
  ASSIGN_OR_RETURN(DecodedPart whole, DecodeJpegPart(bytes, most_pixels, source,
                                                     [](int, int) { return std::nullopt; }));
  return std::move(whole.image);
}

const RegisterImageFormat jpeg({.names = {"JPEG"},
                                .endings = {".jpg", ".jpeg", ".jpe", ".jfif"},
                                .recognises = IsJpeg,
                                .decode = DecodeJpeg,
                                .decode_part = DecodeJpegPart});

}  // namespace
}  // namespace cotangent::data
