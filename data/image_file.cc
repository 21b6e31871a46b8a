#include "data/image_file.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
// jpeglib.h needs stdio.h before it.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "data/file.h"

namespace cotangent::data {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

absl::Status Unsound(absl::string_view kind, absl::string_view finding, absl::string_view source) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": not a sound ", kind, ": ", finding,
                                                 "; save or copy the picture again"));
}

absl::Status CheckSize(int64_t width, int64_t height, absl::string_view source) {
  if (width < 1 || height < 1) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": a picture of ", width, " x ", height,
                                                   " pixels; expected at least one"));
  }
  if (width > kMaxPixels / height) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": a picture of ", width, " x ", height,
                                                   " pixels; at most ", kMaxPixels,
                                                   " are read. Make it smaller first"));
  }
  return absl::OkStatus();
}

// Pixels that a byte of a file can stand for at most: deflate makes a byte of 1032, which hold 8
// pixels each; Huffman codes spend a bit on every block of 8 x 8 pixels. What claims more is cut
// short, which shows before memory is asked for.
constexpr int64_t kMostPixelsOfPngByte = 1032 * 8, kMostPixelsOfJpegByte = 8 * 64;
// Arithmetic codes have no such bound. This is 16 times what Huffman codes reach, and keeps a few
// hundred bytes from taking seconds.
constexpr int64_t kMostPixelsOfArithmeticByte = 16 * kMostPixelsOfJpegByte;

absl::Status CheckLength(int64_t width, int64_t height, size_t bytes, int64_t most_pixels_of_byte,
                         absl::string_view kind, absl::string_view source) {
  if (width * height <= static_cast<int64_t>(bytes) * most_pixels_of_byte) return absl::OkStatus();
  return Unsound(kind,
                 absl::StrCat("it is cut short: ", bytes, " bytes cannot hold ", width, " x ",
                              height, " pixels"),
                 source);
}

absl::StatusOr<Image> DecodePng(absl::Span<const uint8_t> bytes, absl::string_view source) {
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  auto freer = absl::MakeCleanup([&png] { png_image_free(&png); });
  const auto error = [&] { return Unsound("PNG", png.message, source); };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return error();
  if (absl::Status status = CheckSize(png.width, png.height, source); !status.ok()) return status;
  if (absl::Status status =
          CheckLength(png.width, png.height, bytes.size(), kMostPixelsOfPngByte, "PNG", source);
      !status.ok()) {
    return status;
  }
  png.format = PNG_FORMAT_RGB;
  // Otherwise 16-bit channels would be taken as linear in light, which hardly any file means.
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  Image image;
  image.width = static_cast<int>(png.width);
  image.height = static_cast<int>(png.height);
  image.rgb.resize(PNG_IMAGE_SIZE(png));
  const png_color white = {255, 255, 255};
  if (!png_image_finish_read(&png, &white, image.rgb.data(), /*row_stride=*/0, nullptr))
    return error();
  return image;
}

// libjpeg reports an error by a function that must not return. Everything with a destructor belongs
// to the caller of the function that sets the jump.
struct JpegReader {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool cut_short;

  static JpegReader& Of(j_common_ptr jpeg) { return *static_cast<JpegReader*>(jpeg->client_data); }

  [[noreturn]] static void Fail(j_common_ptr jpeg) {
    jpeg->err->format_message(jpeg, Of(jpeg).message);
    longjmp(Of(jpeg).jump, 1);
  }
  // Warnings. Of a file that ends too early libjpeg makes up the rest.
  static void Note(j_common_ptr jpeg, int level) {
    if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) Of(jpeg).cut_short = true;
  }
  static void Ignore(j_common_ptr) {}
  // A small file can hold many thousands of passes over a large picture: so many pixels are gone
  // over, at least ten times the largest picture there may be.
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
  jpeg_read_header(&reader.jpeg, TRUE);
  const bool four_inks =
      reader.jpeg.jpeg_color_space == JCS_CMYK || reader.jpeg.jpeg_color_space == JCS_YCCK;
  reader.jpeg.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
  return true;
}

// `row` takes a row of samples in the file's colours, `rgb` the picture.
bool ReadJpegPixels(JpegReader& reader, uint8_t* row, uint8_t* rgb) {
  if (setjmp(reader.jump) != 0) return false;
  jpeg_start_decompress(&reader.jpeg);
  const size_t width = reader.jpeg.output_width;
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    uint8_t* to = rgb + reader.jpeg.output_scanline * width * 3;
    const bool four_inks = reader.jpeg.out_color_space == JCS_CMYK;
    JSAMPROW rows[1] = {four_inks ? row : to};
    jpeg_read_scanlines(&reader.jpeg, rows, 1);
    for (size_t x = 0; four_inks && x < width; ++x) {
      // Adobe's files, nearly all that exist, hold inverted inks: 255 is none.
      for (int c = 0; c < 3; ++c) {
        const int ink = row[4 * x + c], black = row[4 * x + 3];
        to[3 * x + c] =
            reader.jpeg.saw_Adobe_marker ? ink * black / 255 : (255 - ink) * (255 - black) / 255;
      }
    }
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

absl::StatusOr<Image> DecodeJpeg(absl::Span<const uint8_t> bytes, absl::string_view source) {
  JpegReader reader;
  std::memset(&reader, 0, sizeof(reader));
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = JpegReader::Fail;
  reader.errors.emit_message = JpegReader::Note;
  reader.errors.output_message = JpegReader::Ignore;
  reader.progress.progress_monitor = JpegReader::LimitScans;
  auto destroyer = absl::MakeCleanup([&reader] { jpeg_destroy_decompress(&reader.jpeg); });
  const auto error = [&] { return Unsound("JPEG", reader.message, source); };
  if (!ReadJpegHeader(reader, bytes)) return error();
  const int64_t width = reader.jpeg.image_width, height = reader.jpeg.image_height;
  if (absl::Status status = CheckSize(width, height, source); !status.ok()) return status;
  const int64_t most = reader.jpeg.arith_code ? kMostPixelsOfArithmeticByte : kMostPixelsOfJpegByte;
  if (absl::Status status = CheckLength(width, height, bytes.size(), most, "JPEG", source);
      !status.ok()) {
    return status;
  }
  Image image;
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  image.rgb.resize(width * height * 3);
  std::vector<uint8_t> row(width * 4);
  if (!ReadJpegPixels(reader, row.data(), image.rgb.data())) return error();
  if (reader.cut_short) return Unsound("JPEG", "it is cut short", source);
  return image;
}

// The input pixels that one output pixel averages, and their weights, which sum to 1.
struct Tap {
  int first;
  std::vector<float> weights;
};

std::vector<Tap> TriangleFilter(int from, int to) {
  const double step = static_cast<double>(from) / to;
  const double radius = std::max(step, 1.0);
  std::vector<Tap> taps;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step;
    const int first = std::max(0, static_cast<int>(centre - radius + 0.5));
    const int end = std::min(from, static_cast<int>(centre + radius + 0.5));
    Tap tap = {first, {}};
    double sum = 0;
    for (int x = first; x < end; ++x) {
      const double weight = std::max(0.0, 1 - std::abs((x + 0.5 - centre) / radius));
      tap.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : tap.weights) weight = static_cast<float>(weight / sum);
    taps.push_back(std::move(tap));
  }
  return taps;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(absl::Span<const uint8_t> bytes, absl::string_view source) {
  if (bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0) return DecodePng(bytes, source);
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) {
    return DecodeJpeg(bytes, source);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(source, bytes.empty() ? ": the file is empty" : ": neither a PNG nor a JPEG",
                   "; pictures of these two kinds can be read"));
}

absl::StatusOr<Image> ReadImage(const std::string& path) {
  absl::StatusOr<std::string> contents = ReadFile(path, kMaxFileBytes);
  if (!contents.ok()) {
    return absl::Status(contents.status().code(),
                        absl::StrCat(contents.status().message(), "; expected a PNG or JPEG file"));
  }
  return DecodeImage(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(contents->data()), contents->size()),
      path);
}

Image Resize(const Image& image, int width, int height) {
  // Rows first, [image.height, width, 3], then columns.
  const std::vector<Tap> across = TriangleFilter(image.width, width);
  const std::vector<Tap> down = TriangleFilter(image.height, height);
  std::vector<float> narrow(size_t{3} * image.height * width);
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.rgb.data() + size_t{3} * y * image.width;
    for (int x = 0; x < width; ++x) {
      float* sum = &narrow[3 * (size_t(y) * width + x)];
      const uint8_t* pixel = row + 3 * across[x].first;
      for (float weight : across[x].weights) {
        for (int c = 0; c < 3; ++c) sum[c] += weight * *pixel++;
      }
    }
  }
  Image result = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  std::vector<float> sum(3 * width);
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.5f);  // For rounding.
    const float* row = &narrow[size_t{3} * down[y].first * width];
    for (float weight : down[y].weights) {
      for (float& value : sum) value += weight * *row++;
    }
    for (int i = 0; i < 3 * width; ++i) {
      result.rgb[size_t{3} * y * width + i] = static_cast<uint8_t>(std::min(sum[i], 255.0f));
    }
  }
  return result;
}

std::vector<uint8_t> ToPlanar(const Image& image) {
  const size_t plane = size_t(image.width) * image.height;
  std::vector<uint8_t> planar(3 * plane);
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) planar[c * plane + i] = image.rgb[3 * i + c];
  }
  return planar;
}

Image FromPlanar(absl::Span<const uint8_t> planar, int width, int height) {
  const size_t plane = size_t(width) * height;
  Image image = {width, height, std::vector<uint8_t>(3 * plane)};
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb[3 * i + c] = planar[c * plane + i];
  }
  return image;
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  if (absl::Status status = CheckSize(image.width, image.height, "the PNG to write"); !status.ok())
    return status;
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  png.width = image.width;
  png.height = image.height;
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string encoded(bytes, '\0');
  if (!png_image_write_to_memory(&png, encoded.data(), &bytes, /*convert_to_8bit=*/0,
                                 image.rgb.data(),
                                 /*row_stride=*/0, nullptr)) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG: ", png.message));
  }
  encoded.resize(bytes);
  return encoded;
}

absl::Status WritePng(const std::string& path, const Image& image) {
  absl::StatusOr<std::string> encoded = EncodePng(image);
  if (!encoded.ok()) return encoded.status();
  return WriteFileAtomically(path, *encoded);
}

}  // namespace cotangent::data
