#ifndef COTANGENT_DATA_IMAGE_FORMATS_IMAGE_FORMAT_H_
#define COTANGENT_DATA_IMAGE_FORMATS_IMAGE_FORMAT_H_

// Formats of picture files. Each has a file in this folder, which recognises such files by their
// first bytes and decodes them. A constant
//
//   const RegisterImageFormat webp({.names = {"WebP"}, .endings = {".webp"}, ...});
//
// registers it; no other code names a format, except that pictures are written as PNG
// (data/image_file.h). Read webp.cc first.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

struct ImageFormat {
  // How messages call such a picture: "WebP". A format may have several names, by what a picture
  // contains.
  std::vector<std::string> names;
  // What the names of such files usually end with, in lower case: ".webp".
  std::vector<std::string> endings;
  // Returns whether the bytes begin as such a file does. No bytes may be of two formats.
  bool (*recognises)(absl::Span<const uint8_t> bytes);
  // Decodes a file that `recognises` and turns the picture upright. For transparency and errors see
  // DecodeImage() in data/image_file.h; data/image.h has checks, exif.h turns pictures.
  absl::StatusOr<Image> (*decode)(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                  absl::string_view source);
  // Decodes a part, faster than the whole: see ReadImagePart(). Null if there is no faster way.
  absl::StatusOr<DecodedPart> (*decode_part)(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                             absl::string_view source,
                                             const ChoosePart& choose) = nullptr;
};

// Registers a format. A second one with the same first name ends the program.
class RegisterImageFormat {
 public:
  explicit RegisterImageFormat(ImageFormat format);
};

// Returns all formats, in the order of their first names.
std::vector<const ImageFormat*> ImageFormats();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_FORMATS_IMAGE_FORMAT_H_
