// Decodes a part of a picture, such as a JPEG: the first four bytes choose the part, the rest is the file. If the
// whole file can be decoded, the part must be equal to that piece of it, bit for bit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "data/image.h"
#include "data/image_file.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace images = cotangent::data;
  if (size < 4) return 0;
  const absl::Span<const uint8_t> bytes(data + 4, size - 4);
  images::Rectangle wanted{};
  const auto choose = [&](int height, int width) -> std::optional<images::Rectangle> {
    // `begin` is in 256ths of the extent, `length` + 1 in 256ths of the rest from that position on:
    // a length of 255 reaches the far edge.
    const auto cut = [](int extent, int begin, int length, int* from, int* count) {
      *from = std::min(extent - 1, begin * extent / 256);
      *count = std::max(1, (extent - *from) * (length + 1) / 256);
    };
    cut(height, data[0], data[1], &wanted.top, &wanted.height);
    cut(width, data[2], data[3], &wanted.left, &wanted.width);
    return wanted;
  };
  const absl::StatusOr<images::DecodedPart> found = images::DecodeImagePart(bytes, "fuzz", choose);
  if (!found.ok()) {
    COTANGENT_PROPERTY(!found.status().message().empty());
    return 0;
  }
  const images::Image& part = found->image;
  COTANGENT_PROPERTY(found->part.has_value());
  COTANGENT_PROPERTY(found->part->width == wanted.width && found->part->height == wanted.height);
  COTANGENT_PROPERTY(found->part->left >= 0 && found->part->top >= 0);
  COTANGENT_PROPERTY(found->part->left + wanted.width <= part.width);
  COTANGENT_PROPERTY(found->part->top + wanted.height <= part.height);
  COTANGENT_PROPERTY(part.rgb.size() == size_t{3} * part.width * part.height);
  const absl::StatusOr<images::Image> whole = images::DecodeImage(bytes, "fuzz");
  if (!whole.ok()) return 0;  // the damage lies outside the part
  for (int y = 0; y < wanted.height; ++y) {
    const auto at = [](const images::Image& image, int top, int left) {
      return image.rgb.data() + 3 * (size_t{1} * top * image.width + left);
    };
    COTANGENT_PROPERTY(memcmp(at(part, found->part->top + y, found->part->left),
                              at(*whole, wanted.top + y, wanted.left),
                              size_t{3} * wanted.width) == 0);
  }
  return 0;
}
