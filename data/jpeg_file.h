#ifndef COTANGENT_DATA_JPEG_FILE_H_
#define COTANGENT_DATA_JPEG_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Decodes a JPEG and turns it upright as its EXIF orientation says. For errors see DecodeImage() in
// data/image_file.h.
absl::StatusOr<Image> DecodeJpeg(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source);

// Decodes a part of a JPEG. The pixels are the same as those of DecodeJpeg(). Unless the picture
// has to be turned or lacks its end marker, decoding is faster, since what lies far outside the
// part is not converted to pixels. `image` of the result contains the part and perhaps more.
absl::StatusOr<DecodedPart> DecodeJpegPart(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                           absl::string_view source, const ChoosePart& choose);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_JPEG_FILE_H_
