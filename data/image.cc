#include "data/image.h"

#include "absl/strings/str_cat.h"

namespace cotangent::data {

absl::Status UnsoundFile(absl::string_view kind, absl::string_view finding,
                         absl::string_view source) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": not a sound ", kind, ": ", finding,
                                                 "; save or copy the picture again"));
}

absl::Status CheckImageSize(int64_t width, int64_t height, int64_t most_pixels,
                            absl::string_view source) {
  if (width < 1 || height < 1) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": a picture of ", width, " x ", height,
                                                   " pixels; expected at least one"));
  }
  if (width > most_pixels / height) {
    return absl::OutOfRangeError(absl::StrCat(source, ": a picture of ", width, " x ", height,
                                              " pixels; at most ", most_pixels,
                                              " are read. Make it smaller first"));
  }
  return absl::OkStatus();
}

absl::Status CheckFileLength(int64_t width, int64_t height, int64_t bytes,
                             int64_t most_pixels_of_byte, absl::string_view kind,
                             absl::string_view source) {
  if (width * height <= bytes * most_pixels_of_byte) return absl::OkStatus();
  return UnsoundFile(kind,
                     absl::StrCat("it is cut short: ", bytes, " bytes cannot hold ", width, " x ",
                                  height, " pixels"),
                     source);
}

void LayOverWhite(const uint8_t* rgba, size_t pixels, uint8_t* rgb) {
  for (size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (int c = 0; c < 3; ++c) {
      const int sum = rgba[4 * i + c] * alpha + 255 * (255 - alpha);
      rgb[3 * i + c] = static_cast<uint8_t>((sum + 127) / 255);
    }
  }
}

}  // namespace cotangent::data
