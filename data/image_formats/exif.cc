#include "data/image_formats/exif.h"

#include <cstddef>
#include <cstring>
#include <utility>

namespace cotangent::data {
namespace {

constexpr uint32_t kOrientationTag = 0x0112, kShort = 3;
constexpr size_t kHeaderBytes = 8, kEntryBytes = 12;

// Reads a number of `bytes` bytes at offset `at`. REQUIRES: the bytes lie within `exif`.
uint32_t NumberAt(absl::Span<const uint8_t> exif, size_t at, int bytes, bool big_endian) {
  uint32_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    const uint32_t byte = exif[at + i];
    number |= byte << 8 * (big_endian ? bytes - 1 - i : i);
  }
  return number;
}

}  // namespace

Orientation ExifOrientation(absl::Span<const uint8_t> exif) {
  if (exif.size() < kHeaderBytes) return Orientation::kUpright;
  const bool big_endian = exif[0] == 'M' && exif[1] == 'M';
  if (!big_endian && !(exif[0] == 'I' && exif[1] == 'I')) return Orientation::kUpright;
  if (NumberAt(exif, 2, 2, big_endian) != 42) return Orientation::kUpright;
  // Reads the first directory of the TIFF data: the number of entries, then the entries, each with
  // a tag, type, count and value.
  const size_t directory = NumberAt(exif, 4, 4, big_endian);
  if (directory > exif.size() - 2) return Orientation::kUpright;
  const size_t entries = NumberAt(exif, directory, 2, big_endian);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + i * kEntryBytes;
    if (at + kEntryBytes > exif.size()) break;
    if (NumberAt(exif, at, 2, big_endian) != kOrientationTag) continue;
    const uint32_t type = NumberAt(exif, at + 2, 2, big_endian),
                   value = NumberAt(exif, at + 8, 2, big_endian);
    if (type != kShort || value < 1 || value > 8) break;
    return static_cast<Orientation>(value);
  }
  return Orientation::kUpright;
}

Image Upright(Image stored, Orientation orientation) {
  if (orientation == Orientation::kUpright) return stored;
  const bool swaps_axes = orientation >= Orientation::kTransposed;
  const bool from_right =
      orientation == Orientation::kMirrored || orientation == Orientation::kUpsideDown ||
      orientation == Orientation::kTransversed || orientation == Orientation::kTurnedRight;
  const bool from_bottom =
      orientation == Orientation::kUpsideDown || orientation == Orientation::kFlipped ||
      orientation == Orientation::kTurnedLeft || orientation == Orientation::kTransversed;
  Image shown = {stored.width, stored.height, std::vector<uint8_t>(stored.rgb.size())};
  if (swaps_axes) std::swap(shown.width, shown.height);
  uint8_t* to = shown.rgb.data();
  for (int y = 0; y < shown.height; ++y) {
    for (int x = 0; x < shown.width; ++x, to += 3) {
      // Pixel (x, y) of the displayed picture lies in row `row` and column `column` of the stored
      // picture, counted from the bottom if from_bottom and from the right if from_right.
      const int row = swaps_axes ? x : y, column = swaps_axes ? y : x;
      const size_t from = size_t(from_bottom ? stored.height - 1 - row : row) * stored.width +
                          (from_right ? stored.width - 1 - column : column);
      std::memcpy(to, &stored.rgb[3 * from], 3);
    }
  }
  return shown;
}

}  // namespace cotangent::data
