// Decodes pictures, of any format that DecodeImage() knows, and scales them to 32 x 32 pixels.
#include <cstddef>
#include <cstdint>

#include "data/image_file.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace images = cotangent::data;
  const absl::StatusOr<images::Image> image =
      images::DecodeImage(absl::MakeConstSpan(data, size), "fuzz");
  if (!image.ok()) {
    COTANGENT_PROPERTY(!image.status().message().empty());
    return 0;
  }
  COTANGENT_PROPERTY(image->width > 0 && image->height > 0);
  COTANGENT_PROPERTY(image->rgb.size() == size_t{3} * image->width * image->height);
  COTANGENT_PROPERTY(images::ToPlanar(images::Resize(*image, 32, 32)).size() ==
                     size_t{3} * 32 * 32);
  return 0;
}
