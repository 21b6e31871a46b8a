#ifndef COTANGENT_DATA_PNM_FILE_H_
#define COTANGENT_DATA_PNM_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Returns whether the bytes begin like a binary PGM ("P5") or PPM ("P6") file.
bool IsPnm(absl::Span<const uint8_t> bytes);

// Decodes a binary PGM (grey) or PPM (red, green, blue). Such a file consists of "P5" or "P6", then
// width, height and the largest value in decimal, with white space and comments (# to the end of
// the line) between them, one white-space character, and rows of values, which have two bytes if
// the largest value is above 255. Values are scaled to 0 to 255 and rounded.
// https://netpbm.sourceforge.net/doc/ppm.html
absl::StatusOr<Image> DecodePnm(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PNM_FILE_H_
