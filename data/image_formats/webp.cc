// Decodes WebP pictures, lossy and lossless. Animations are refused.
#include <webp/decode.h>

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/image_formats/exif.h"
#include "data/image_formats/image_format.h"

namespace cotangent::data {
namespace {

constexpr size_t kRiffHeader = 12, kChunkHeader = 8;

// Returns the content of the EXIF chunk, or nothing if there is none. A WebP is a RIFF file: a
// sequence of chunks, each with a name of four letters, a length of four bytes (little-endian) and
// that many bytes, plus a padding byte if the length is odd.
absl::Span<const uint8_t> ExifChunk(absl::Span<const uint8_t> bytes) {
  for (size_t at = kRiffHeader; at + kChunkHeader <= bytes.size();) {
    const uint8_t* const chunk = bytes.data() + at;
    const size_t length =
        chunk[4] | size_t{chunk[5]} << 8 | size_t{chunk[6]} << 16 | size_t{chunk[7]} << 24;
    if (length > bytes.size() - at - kChunkHeader) break;
    absl::Span<const uint8_t> content = bytes.subspan(at + kChunkHeader, length);
    if (std::memcmp(chunk, "EXIF", 4) == 0) {
      constexpr char kPrefix[6] = {'E', 'x', 'i', 'f', 0, 0};
      if (length >= 6 && std::memcmp(content.data(), kPrefix, 6) == 0) content.remove_prefix(6);
      return content;
    }
    at += kChunkHeader + length + length % 2;
  }
  return {};
}

bool IsWebp(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= kRiffHeader && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

absl::StatusOr<Image> DecodeWebp(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (code != VP8_STATUS_OK) {
    return UnsoundFile(
        "WebP", code == VP8_STATUS_NOT_ENOUGH_DATA ? "it is cut short" : "its header is wrong",
        source);
  }
  if (features.has_animation != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": an animation; save one of its pictures"));
  }
  RETURN_IF_ERROR(CheckImageSize(features.width, features.height, most_pixels, source));
  std::vector<uint8_t> rgba(size_t{4} * features.width * features.height);
  if (WebPDecodeRGBAInto(bytes.data(), bytes.size(), rgba.data(), rgba.size(),
                         4 * features.width) == nullptr) {
    return UnsoundFile("WebP", "it is cut short or damaged", source);
  }
  Image image = {features.width, features.height,
                 std::vector<uint8_t>(size_t{3} * features.width * features.height)};
  LayOverWhite(rgba.data(), rgba.size() / 4, image.rgb.data());
  return Upright(std::move(image), ExifOrientation(ExifChunk(bytes)));
}

const RegisterImageFormat webp(
    {.names = {"WebP"}, .endings = {".webp"}, .recognises = IsWebp, .decode = DecodeWebp});

}  // namespace
}  // namespace cotangent::data
