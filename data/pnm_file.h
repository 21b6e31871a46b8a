#ifndef COTANGENT_DATA_PNM_FILE_H_
#define COTANGENT_DATA_PNM_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Whether the bytes begin as those of a binary PGM ("P5") or PPM ("P6") do.
bool IsPnm(absl::Span<const uint8_t> bytes);

// Decodes a binary PGM (grey) or PPM (red, green, blue): after "P5" or "P6", width, height and the
// largest value in decimal, with white space and comments (# to the line's end) between them, one
// white-space character, then rows of values, of two bytes where the largest is above 255. Values
// become 0 to 255, rounded. https://netpbm.sourceforge.net/doc/ppm.html
absl::StatusOr<Image> DecodePnm(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PNM_FILE_H_
