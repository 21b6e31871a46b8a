#ifndef COTANGENT_DATA_AUGMENTATION_RECTANGLE_H_
#define COTANGENT_DATA_AUGMENTATION_RECTANGLE_H_

// Draws random rectangles whose area and ratio of sides lie in given ranges.

#include <cmath>
#include <optional>

#include "data/augmentation/draw.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {

struct AreaRange {
  double area_low, area_high;    // the rectangle's area as a share of the image's
  double ratio_low, ratio_high;  // width / height; its logarithm is uniform
};

// Reads the ranges of `text`, a message with the four fields of AreaRange.
template <typename Text>
AreaRange ReadAreaRange(const Text& text, SettingsChecker& check) {
  constexpr double kLeast = 1e-4, kMost = 1e4;
  AreaRange range;
  range.area_low = check.Between(text.area_low(), kLeast, 1, "area_low");
  range.area_high = check.Between(text.area_high(), range.area_low, 1, "area_high");
  range.ratio_low = check.Between(text.ratio_low(), kLeast, kMost, "ratio_low");
  range.ratio_high = check.Between(text.ratio_high(), range.ratio_low, kMost, "ratio_high");
  return range;
}

// Returns a rectangle within height x width pixels whose area and ratio of sides are, up to
// rounding to whole pixels, those drawn from `range`, or nothing if ten tries find none that fits.
inline std::optional<Rectangle> DrawRectangle(const AreaRange& range, int height, int width,
                                              SplitMix64& random) {
  for (int tries = 0; tries < 10; ++tries) {
    const double area =
        Uniform(random, range.area_low, range.area_high) * static_cast<double>(height) * width;
    const double ratio =
        std::exp(Uniform(random, std::log(range.ratio_low), std::log(range.ratio_high)));
    const auto w = static_cast<int64_t>(std::llround(std::sqrt(area * ratio)));
    const auto h = static_cast<int64_t>(std::llround(std::sqrt(area / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const auto top = static_cast<int>(random.Below(height - h + 1));
    const auto left = static_cast<int>(random.Below(width - w + 1));
    return Rectangle{left, top, static_cast<int>(w), static_cast<int>(h)};
  }
  return std::nullopt;
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_RECTANGLE_H_
