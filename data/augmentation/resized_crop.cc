// Enlarges a random part of an image to the size of the whole.
#include <algorithm>
#include <cmath>

#include "data/augmentation/rectangle.h"
#include "data/resample.h"

namespace cotangent::data {
namespace {

class ResizedCropTransform final : public Transform {
 public:
  ResizedCropTransform(const TransformConfig& config, SettingsChecker& check)
      : range_(ReadAreaRange(config.random_resized_crop(), check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    const Rectangle part = DrawPart(random, image.height, image.width);
    // The resampler needs red, green and blue of each pixel side by side; its result is written
    // back to one plane per channel.
    const bool is_grey = image.channels == 1;
    std::vector<uint8_t> rgb(size_t{3} * part.width * part.height), resized(3 * image.plane());
    for (size_t i = 0; i < rgb.size(); ++i) {
      const int64_t pixel = static_cast<int64_t>(i / 3);
      const int64_t at =
          (part.top + pixel / part.width) * image.width + part.left + pixel % part.width;
      rgb[i] = image.channel(is_grey ? 0 : i % 3)[at];
    }
    Resampler().Resample({rgb.data(), part.width, part.height, int64_t{3} * part.width},
                         image.width, image.height, resized.data(), int64_t{3} * image.width);
    for (int c = 0; c < image.channels; ++c) {
      for (int64_t i = 0; i < image.plane(); ++i) image.channel(c)[i] = resized[3 * i + c];
    }
  }

  bool is_crop() const override { return true; }
  Rectangle DrawPart(SplitMix64& random, int height, int width) const override {
    return DrawRectangle(range_, height, width, random).value_or(Middle(height, width));
  }

 private:
  // Returns the largest rectangle in the middle of the image whose ratio of sides is allowed.
  Rectangle Middle(int height, int width) const {
    const double ratio = static_cast<double>(width) / height;
    const double nearest = std::clamp(ratio, range_.ratio_low, range_.ratio_high);
    Rectangle part = {0, 0, width, height};
    if (nearest < ratio) part.width = std::max(1, static_cast<int>(std::lround(height * nearest)));
    if (nearest > ratio) part.height = std::max(1, static_cast<int>(std::lround(width / nearest)));
    part.left = (width - part.width) / 2;
    part.top = (height - part.height) / 2;
    return part;
  }

  const AreaRange range_;
};

const TransformRegistration kRegistered(TransformConfig::kRandomResizedCrop,
                                        MakeTransform<ResizedCropTransform>);

}  // namespace

}  // namespace cotangent::data
