#ifndef COTANGENT_DATA_JPEG_FILE_H_
#define COTANGENT_DATA_JPEG_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Decodes a JPEG (see DecodeImage()) and turns it upright as its EXIF orientation says.
absl::StatusOr<Image> DecodeJpeg(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source);

// The same of a part, bit for bit, faster: what lies outside of it is read, but not turned into
// pixels. `image` holds the part, and perhaps more.
absl::StatusOr<DecodedPart> DecodeJpegPart(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                           absl::string_view source, const ChoosePart& choose);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_JPEG_FILE_H_
