#ifndef COTANGENT_DATA_IMAGE_FORMATS_TESTING_H_
#define COTANGENT_DATA_IMAGE_FORMATS_TESTING_H_

// What tests of several image formats use.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

absl::Span<const uint8_t> Bytes(const std::string& text);

// Decodes a file named "test". DecodeError() returns the message of the error.
Image Decode(const std::string& bytes);
std::string DecodeError(const std::string& bytes);

// Returns a picture whose red grows from left to right and whose green grows from top to bottom.
Image Gradient(int width, int height);

// Expects pictures of the same size whose values differ by at most `tolerance`.
void ExpectClose(const Image& a, const Image& b, int tolerance);

// Changes one byte of a file at a time, each from number `first` (counted from 0) on, and decodes
// the file each time. Expects an error, or a picture whose `rgb` has 3 * width * height bytes.
void ExpectCorruptBytesNeverCrash(const std::string& file, size_t first);

// Returns EXIF data, which are a TIFF file, with one entry: the orientation.
std::string Exif(int orientation, bool big_endian);

// Expects pictures of 2 x 3 blocks, each of side x side pixels, to be turned as the standard says.
// The value of the blocks in the middle must be 40, 80, ... to 240, in the order of the file, within
// `tolerance`. `file` returns such a picture with EXIF data.
void ExpectTurnedAsExifSays(const std::function<std::string(const std::string& exif)>& file,
                            int side, int tolerance);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_FORMATS_TESTING_H_
