#ifndef COTANGENT_DATA_WEBP_FILE_H_
#define COTANGENT_DATA_WEBP_FILE_H_

// Decodes WebP pictures, lossy and lossless. Animations are refused.

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Returns whether the bytes begin like a WebP file.
bool IsWebp(absl::Span<const uint8_t> bytes);

// Decodes a WebP and turns it upright as its EXIF orientation says. For errors see DecodeImage() in
// data/image_file.h.
absl::StatusOr<Image> DecodeWebp(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_WEBP_FILE_H_
