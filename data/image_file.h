#ifndef COTANGENT_DATA_IMAGE_FILE_H_
#define COTANGENT_DATA_IMAGE_FILE_H_

// PNG, JPEG, WebP, PGM and PPM pictures of any size, and how they become images of a network's size.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Decodes a PNG, a JPEG, a WebP, a binary PGM or PPM, told apart by their first bytes, of any bit
// depth and colour type.
// Turned upright as the file's EXIF orientation says: as cameras' pictures are shown. Transparent
// pixels are laid over white, mixing the values as they are (sRGB, not linear in light), as viewers
// do: round(alpha value + (1 - alpha) 255). Where a PNG's gAMA says that its values are not sRGB's,
// they are made so first. `source` names the bytes in errors, which are
// kInvalidArgument: for bytes that are no such picture, cut short or corrupt; kOutOfRange for
// pictures of more than `most_pixels`, before memory for them is asked for.
absl::StatusOr<Image> DecodeImage(absl::Span<const uint8_t> bytes, absl::string_view source,
                                  int64_t most_pixels = kMaxPixels);

// The same for a file.
absl::StatusOr<Image> ReadImage(const std::string& path);
// For a part of the picture in a file, its pixels as ReadImage() has them; of JPEG files what lies
// outside is not turned into pixels. A JPEG that is cut short behind the part may do.
absl::StatusOr<DecodedPart> ReadImagePart(const std::string& path, const ChoosePart& choose);

// The picture in another size, by Resampler (data/resample.h). The sizes must be positive.
Image Resize(const Image& image, int width, int height);

// The bytes as a data set holds them: [3, height, width].
std::vector<uint8_t> ToPlanar(const Image& image);
Image FromPlanar(absl::Span<const uint8_t> planar, int width, int height);

// A PNG file of 8-bit RGB; the file appears whole or not at all.
absl::StatusOr<std::string> EncodePng(const Image& image);
absl::Status WritePng(const std::string& path, const Image& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_FILE_H_
