#ifndef COTANGENT_DATA_PNM_FILE_H_
#define COTANGENT_DATA_PNM_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Returns whether the bytes begin like a PGM ("P2" or "P5") or PPM ("P3" or "P6") file.
bool IsPnm(absl::Span<const uint8_t> bytes);

// Decodes a PGM (grey) or PPM (red, green, blue). Such a file consists of "P" and a digit, then
// width, height and the largest value in decimal, with white space and comments (# to the end of
// the line) between them, and rows of values. In binary files (P5, P6), one white-space character
// separates the header from the values, which have two bytes if the largest value is above 255. In
// plain files (P2, P3), values are decimal numbers with white space and comments between them.
// Values are scaled to 0 to 255 and rounded. https://netpbm.sourceforge.net/doc/ppm.html
absl::StatusOr<Image> DecodePnm(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PNM_FILE_H_
