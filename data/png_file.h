#ifndef COTANGENT_DATA_PNG_FILE_H_
#define COTANGENT_DATA_PNG_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Returns whether the bytes begin like a PNG file.
bool IsPng(absl::Span<const uint8_t> bytes);

// Decodes a PNG and turns it upright as its EXIF orientation says. For errors see DecodeImage() in
// data/image_file.h.
//
// Uses libpng's full interface, since the simplified one of libpng 1.6.39 decodes every second row
// of interlaced 16-bit pictures wrongly, and blends transparent pixels in linear light.
absl::StatusOr<Image> DecodePng(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PNG_FILE_H_
