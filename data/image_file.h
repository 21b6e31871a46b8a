#ifndef COTANGENT_DATA_IMAGE_FILE_H_
#define COTANGENT_DATA_IMAGE_FILE_H_

// Reads PNG, JPEG, WebP, PGM and PPM pictures of any size, resizes them, and writes PNG files.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Decodes a PNG, JPEG, WebP, or binary PGM or PPM picture of any bit depth and colour type. Its
// first bytes tell the format.
//
// The picture is turned upright as the EXIF orientation of the file says. Transparent pixels are
// blended with white: round(alpha value + (1 - alpha) 255), on the stored sRGB values, as most
// viewers do. If the gAMA chunk of a PNG says that its values are not sRGB, they are converted to
// sRGB first.
//
// Errors begin with `source`. They are kInvalidArgument for bytes that are no such picture, or that
// are one but cut short or damaged, and kOutOfRange, before memory is allocated, for more than
// `most_pixels` pixels.
absl::StatusOr<Image> DecodeImage(absl::Span<const uint8_t> bytes, absl::string_view source,
                                  int64_t most_pixels = kMaxPixels);

// Reads and decodes a picture file.
absl::StatusOr<Image> ReadImage(const std::string& path);
// Reads a part of a picture file; the pixels are the same as those of ReadImage(). In a JPEG file
// that need not be turned and has its end marker, only the part and its surroundings are decoded to
// pixels, and damage that lies below the part may go unnoticed.
absl::StatusOr<DecodedPart> ReadImagePart(const std::string& path, const ChoosePart& choose);

// Resizes a picture with Resampler (data/resample.h). REQUIRES: width and height are positive.
Image Resize(const Image& image, int width, int height);

// ToPlanar() converts a picture to the order of a data set, planes of bytes [3, height, width];
// FromPlanar() converts such planes back.
std::vector<uint8_t> ToPlanar(const Image& image);
Image FromPlanar(absl::Span<const uint8_t> planar, int width, int height);

// Encodes a picture as PNG, 8-bit RGB. WritePng() writes a file that appears whole or not at all.
absl::StatusOr<std::string> EncodePng(const Image& image);
absl::Status WritePng(const std::string& path, const Image& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_FILE_H_
