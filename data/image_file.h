#ifndef COTANGENT_DATA_IMAGE_FILE_H_
#define COTANGENT_DATA_IMAGE_FILE_H_

// Reads pictures of any size and of any format of image_formats/, resizes them, and writes PNG files.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Returns the names of the formats that can be read, such as "PNG", in alphabetical order.
std::vector<std::string> NamesOfImageFormats();
// Returns whether the bytes begin as a picture of one of these formats does.
bool IsPicture(absl::Span<const uint8_t> bytes);
// Returns whether a file of this name is such a picture by the name's ending, in upper or lower
// case: ".jpg", ".JPEG".
bool HasNameOfPicture(absl::string_view name);

// Decodes a picture of any bit depth and colour type. Its first bytes tell the format.
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

// Decodes a part of a picture; the pixels are the same as those of DecodeImage(). Of a JPEG that
// need not be turned and has its end marker, only the part and its surroundings are decoded to
// pixels, and damage that lies below the part may go unnoticed.
absl::StatusOr<DecodedPart> DecodeImagePart(absl::Span<const uint8_t> bytes,
                                            absl::string_view source, const ChoosePart& choose);

// Read and decode a picture file, or a part of it.
absl::StatusOr<Image> ReadImage(const std::string& path);
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
