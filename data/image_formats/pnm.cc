// Decodes PGM (grey) and PPM (red, green, blue) pictures. Such a file consists of "P" and a digit,
// then width, height and the largest value in decimal, with white space and comments (# to the end
// of the line) between them, and rows of values. In binary files (P5, P6), one white-space
// character separates the header from the values, which have two bytes if the largest value is
// above 255. In plain files (P2, P3), values are decimal numbers with white space and comments
// between them. Values are scaled to 0 to 255 and rounded.
// https://netpbm.sourceforge.net/doc/ppm.html
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/image_formats/image_format.h"

namespace cotangent::data {
namespace {

constexpr int64_t kLargestNumber = 1'000'000'000;

// Reads the decimal numbers of the header, and of a plain file's pixels, one after the other.
class Numbers {
 public:
  explicit Numbers(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  // Returns the next number, or -1 if there is none. Numbers above kLargestNumber count as that.
  int64_t Next() {
    SkipSpace();
    int64_t number = -1;
    for (; at_ < bytes_.size() && absl::ascii_isdigit(bytes_[at_]); ++at_) {
      number = std::max<int64_t>(number, 0) * 10 + (bytes_[at_] - '0');
      number = std::min(number, kLargestNumber);
    }
    return number;
  }

  // Returns the offset of the byte after the number that Next() returned last or, if it returned
  // -1, of the byte at which it found no number (the file's size if the file ends there).
  size_t at() const { return at_; }

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
  size_t at_ = 2;  // offset of the next byte to read; it begins after the "P" and the digit
};

// A picture's values, width * height of them (three times as many in colour), and the largest that
// they may have.
struct Values {
  size_t count;
  int64_t largest;
};

// Scales a value to 0 to 255 and rounds it.
uint8_t Byte(int64_t value, int64_t largest) {
  return static_cast<uint8_t>((std::min(value, largest) * 510 + largest) / (2 * largest));
}

// Reads the values that begin at `bytes`. Returns fewer than values.count if the file is cut short.
std::vector<uint8_t> ReadBinary(absl::Span<const uint8_t> bytes, const Values& values) {
  const size_t value_bytes = values.largest > 255 ? 2 : 1;
  std::vector<uint8_t> read;
  if (bytes.size() / value_bytes < values.count) return read;
  read.reserve(values.count);
  for (size_t i = 0; i < values.count; ++i) {
    const uint8_t* const value = bytes.data() + i * value_bytes;
    read.push_back(Byte(value_bytes == 2 ? value[0] << 8 | value[1] : value[0], values.largest));
  }
  return read;
}

// Reads the values that follow the header. Returns those before the first that is no number.
std::vector<uint8_t> ReadPlain(Numbers& numbers, const Values& values) {
  std::vector<uint8_t> read;
  while (read.size() < values.count) {
    const int64_t value = numbers.Next();
    if (value < 0) break;
    read.push_back(Byte(value, values.largest));
  }
  return read;
}

bool IsPnm(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' &&
         absl::string_view("2356").find(static_cast<char>(bytes[1])) != absl::string_view::npos &&
         (absl::ascii_isspace(bytes[2]) || bytes[2] == '#');
}

absl::StatusOr<Image> DecodePnm(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source) {
  const bool is_grey = bytes[1] == '2' || bytes[1] == '5';
  const bool is_plain = bytes[1] == '2' || bytes[1] == '3';
  const absl::string_view kind = is_grey ? "PGM" : "PPM";
  Numbers numbers(bytes);
  const int64_t width = numbers.Next(), height = numbers.Next(), largest = numbers.Next();
  if (width < 0 || height < 0)
    return UnsoundFile(kind, "its header has no width and height", source);
  RETURN_IF_ERROR(CheckImageSize(width, height, most_pixels, source));
  if (largest < 1 || largest > 65535) {
    return UnsoundFile(kind, "its header has no largest value from 1 to 65535", source);
  }
  const size_t pixels = static_cast<size_t>(width * height);
  const Values values = {is_grey ? pixels : 3 * pixels, largest};
  std::vector<uint8_t> read =
      is_plain ? ReadPlain(numbers, values)
               : ReadBinary(bytes.subspan(std::min(numbers.at() + 1, bytes.size())), values);
  if (read.size() < values.count) {
    return UnsoundFile(
        kind,
        is_plain && numbers.at() < bytes.size()
            ? absl::StrCat("value ", read.size() + 1, " of ", values.count, " is no number")
            : absl::StrCat("it is cut short: ", bytes.size(), " bytes cannot hold ", width, " x ",
                           height, " pixels"),
        source);
  }
  Image image = {static_cast<int>(width), static_cast<int>(height), {}};
  if (!is_grey) {
    image.rgb = std::move(read);
    return image;
  }
  image.rgb.reserve(3 * pixels);
  for (const uint8_t grey : read) image.rgb.insert(image.rgb.end(), 3, grey);
  return image;
}

const RegisterImageFormat pnm({.names = {"PGM", "PPM"},
                               .endings = {".pgm", ".ppm", ".pnm"},
                               .recognises = IsPnm,
                               .decode = DecodePnm});

}  // namespace
}  // namespace cotangent::data
