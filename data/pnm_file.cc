#include "data/pnm_file.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cotangent::data {
namespace {

constexpr int64_t kLargestNumber = 1'000'000'000;

// Reads the numbers of the header one after the other.
class Header {
 public:
  explicit Header(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  // Returns the next number, or -1 if there is none.
  int64_t Next() {
    SkipSpace();
    int64_t number = -1;
    while (at_ < bytes_.size() && absl::ascii_isdigit(bytes_[at_]) && number < kLargestNumber) {
      number = std::max<int64_t>(number, 0) * 10 + (bytes_[at_++] - '0');
    }
    return number;
  }

  // Returns the offset of the first pixel's value. One white-space character separates it from the
  // header.
  size_t ValuesBegin() const { return at_ + 1; }

 private:
  void SkipSpace() {
    while (at_ < bytes_.size() && (absl::ascii_isspace(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#') {
        while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
      } else {
        ++at_;
      }
    }
  }

  const absl::Span<const uint8_t> bytes_;
  size_t at_ = 2;  // offset of the next byte to read; it begins after "P5" or "P6"
};

}  // namespace

bool IsPnm(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') &&
         (absl::ascii_isspace(bytes[2]) || bytes[2] == '#');
}

absl::StatusOr<Image> DecodePnm(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source) {
  const bool is_grey = bytes[1] == '5';
  const absl::string_view kind = is_grey ? "PGM" : "PPM";
  Header header(bytes);
  const int64_t width = header.Next(), height = header.Next(), largest = header.Next();
  if (width < 0 || height < 0)
    return UnsoundFile(kind, "its header has no width and height", source);
  RETURN_IF_ERROR(CheckImageSize(width, height, most_pixels, source));
  if (largest < 1 || largest > 65535) {
    return UnsoundFile(kind, "its header has no largest value from 1 to 65535", source);
  }
  const size_t value_bytes = largest > 255 ? 2 : 1, channels = is_grey ? 1 : 3;
  const size_t pixels = static_cast<size_t>(width * height), begin = header.ValuesBegin();
  if (bytes.size() < begin || bytes.size() - begin < pixels * channels * value_bytes) {
    return UnsoundFile(kind,
                       absl::StrCat("it is cut short: ", bytes.size(), " bytes cannot hold ", width,
                                    " x ", height, " pixels"),
                       source);
  }
  Image image = {static_cast<int>(width), static_cast<int>(height),
                 std::vector<uint8_t>(3 * pixels)};
  const uint8_t* from = bytes.data() + begin;
  for (size_t i = 0; i < 3 * pixels; ++i) {
    const uint8_t* value = from + (is_grey ? i / 3 : i) * value_bytes;
    const int64_t number = value_bytes == 2 ? value[0] << 8 | value[1] : value[0];
    image.rgb[i] =
        static_cast<uint8_t>((std::min(number, largest) * 510 + largest) / (2 * largest));
  }
  return image;
}

}  // namespace cotangent::data
