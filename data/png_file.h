#ifndef COTANGENT_DATA_PNG_FILE_H_
#define COTANGENT_DATA_PNG_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Whether the bytes begin as those of a PNG do.
bool IsPng(absl::Span<const uint8_t> bytes);

// Decodes a PNG (see DecodeImage()) and turns it upright as its EXIF orientation says.
//
// By libpng's full interface: the simplified one of libpng 1.6.39 gets every second row of
// interlaced pictures of 16 bits wrong, and mixes transparent pixels in linear light.
absl::StatusOr<Image> DecodePng(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PNG_FILE_H_
