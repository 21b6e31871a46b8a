#include "data/image_file.h"

#include <png.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/image_formats/image_format.h"
#include "data/resample.h"

namespace cotangent::data {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

// Returns the format of a picture by its first bytes; null if there is none.
const ImageFormat* FormatOf(absl::Span<const uint8_t> bytes) {
  for (const ImageFormat* format : ImageFormats()) {
    if (format->recognises(bytes)) return format;
  }
  return nullptr;
}

// Returns the end of an error message about bytes that are in none of the formats that
// DecodeImage() reads. The text says what the bytes seem to be, judged by the first of them, as in
// ", but a GIF: convert it"; it is "" if that is unknown.
std::string OtherKind(absl::Span<const uint8_t> bytes) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto begins = [&](absl::string_view with) { return text.substr(0, with.size()) == with; };
  if (begins("GIF8")) return ", but a GIF: convert it";
  if (begins("BM")) return ", but a BMP: convert it";
  if (begins("II*") || begins(absl::string_view("MM\0*", 4))) return ", but a TIFF: convert it";
  if (text.size() > 8 && text.substr(4, 4) == "ftyp")
    return ", but a HEIF or AVIF picture or a film: convert it";
  if (begins("version https://git-lfs"))
    return ", but what Git LFS leaves in place of a file: git lfs pull fetches it";
  if (begins("<!DOCTYPE") || begins("<html")) return ", but a page of the web";
  return "";
}

absl::StatusOr<std::string> ReadPictureFile(const std::string& path) {
  absl::StatusOr<std::string> contents = ReadFile(path, kMaxFileBytes);
  if (contents.ok()) return contents;
  return absl::Status(contents.status().code(),
                      absl::StrCat(contents.status().message(), "; expected a picture"));
}

absl::Span<const uint8_t> BytesOf(const std::string& contents) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(contents.data()), contents.size());
}

}  // namespace

std::vector<std::string> NamesOfImageFormats() {
  std::vector<std::string> names;
  for (const ImageFormat* format : ImageFormats())
    names.insert(names.end(), format->names.begin(), format->names.end());
  std::sort(names.begin(), names.end());
  return names;
}

bool IsPicture(absl::Span<const uint8_t> bytes) { return FormatOf(bytes) != nullptr; }

bool HasNameOfPicture(absl::string_view name) {
  for (const ImageFormat* format : ImageFormats()) {
    for (const std::string& ending : format->endings) {
      if (absl::EndsWithIgnoreCase(name, ending)) return true;
    }
  }
  return false;
}

absl::StatusOr<Image> DecodeImage(absl::Span<const uint8_t> bytes, absl::string_view source,
                                  int64_t most_pixels) {
  if (const ImageFormat* format = FormatOf(bytes); format != nullptr)
    return format->decode(bytes, most_pixels, source);
  return absl::InvalidArgumentError(
      absl::StrCat(source, bytes.empty() ? ": the file is empty: neither " : ": neither ",
                   absl::StrJoin(NamesOfImageFormats(), " nor "), OtherKind(bytes),
                   "; pictures of these kinds can be read"));
}

absl::StatusOr<DecodedPart> DecodeImagePart(absl::Span<const uint8_t> bytes,
                                            absl::string_view source, const ChoosePart& choose) {
  const ImageFormat* format = FormatOf(bytes);
  if (format != nullptr && format->decode_part != nullptr)
    return format->decode_part(bytes, kMaxPixels, source, choose);
  ASSIGN_OR_RETURN(Image whole, DecodeImage(bytes, source));
  const std::optional<Rectangle> part = choose(whole.height, whole.width);
  return DecodedPart{std::move(whole), part};
}

absl::StatusOr<Image> ReadImage(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string contents, ReadPictureFile(path));
  return DecodeImage(BytesOf(contents), path);
}

absl::StatusOr<DecodedPart> ReadImagePart(const std::string& path, const ChoosePart& choose) {
  ASSIGN_OR_RETURN(const std::string contents, ReadPictureFile(path));
  return DecodeImagePart(BytesOf(contents), path, choose);
}

Image Resize(const Image& image, int width, int height) {
  Image result = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  Resampler().Resample({image.rgb.data(), image.width, image.height, int64_t{3} * image.width},
                       width, height, result.rgb.data(), int64_t{3} * width);
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
  RETURN_IF_ERROR(CheckImageSize(image.width, image.height, kMaxPixels, "the PNG to write"));
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
  ASSIGN_OR_RETURN(std::string encoded, EncodePng(image));
  return WriteFileAtomically(path, encoded);
}

}  // namespace cotangent::data
