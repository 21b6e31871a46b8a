#ifndef COTANGENT_DATA_IMAGE_FORMATS_EXIF_H_
#define COTANGENT_DATA_IMAGE_FORMATS_EXIF_H_

// Turns pictures upright. Cameras store the rows as the sensor reads them and record in the file's
// EXIF data how the camera was held: CIPA DC-008, "Exchangeable image file format for digital still
// cameras: Exif", tag 0x0112.

#include <cstdint>

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

// Where the first stored row and the first stored column belong in the displayed picture. The
// values are those of the standard. kTurnedLeft, for example, is stored turned left by 90 degrees
// and has to be displayed turned right.
enum class Orientation {
  kUpright = 1,      // first row at the top, first column at the left
  kMirrored = 2,     // first row at the top, first column at the right
  kUpsideDown = 3,   // first row at the bottom, first column at the right
  kFlipped = 4,      // first row at the bottom, first column at the left
  kTransposed = 5,   // first row at the left, first column at the top
  kTurnedLeft = 6,   // first row at the right, first column at the top
  kTransversed = 7,  // first row at the right, first column at the bottom
  kTurnedRight = 8,  // first row at the left, first column at the bottom
};

// Reads the orientation from EXIF data (a TIFF file without pictures). Returns kUpright if the data
// are malformed or do not contain an orientation.
Orientation ExifOrientation(absl::Span<const uint8_t> exif);

// Returns the picture as it is to be displayed.
Image Upright(Image stored, Orientation orientation);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_FORMATS_EXIF_H_
