#ifndef COTANGENT_DATA_EXIF_H_
#define COTANGENT_DATA_EXIF_H_

// Which way up a picture is to be shown. Cameras store the rows as the sensor reads them, and say
// in the file's EXIF data how it was held: CIPA DC-008, "Exchangeable image file format for digital
// still cameras: Exif", tag 0x0112.

#include <cstdint>

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Where the stored picture's first row and first column are shown, by the numbers of the standard.
enum class Orientation {
  kUpright = 1,      // row 0 at the top, column 0 at the left
  kMirrored = 2,     // top, right
  kUpsideDown = 3,   // bottom, right
  kFlipped = 4,      // bottom, left
  kTransposed = 5,   // left, top
  kTurnedLeft = 6,   // right, top: it is shown turned right by 90 degrees
  kTransversed = 7,  // right, bottom
  kTurnedRight = 8,  // left, bottom
};

// Of EXIF data, which are a TIFF file without pictures. kUpright where they do not say, or are not
// sound: whatever the bytes.
Orientation ExifOrientation(absl::Span<const uint8_t> exif);

// The picture as it is to be shown.
Image Upright(Image stored, Orientation orientation);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_EXIF_H_
