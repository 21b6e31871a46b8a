#include "training/report/attribution_picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace cotangent::training::report {

data::Image DrawAttribution(absl::Span<const uint8_t> image, int channels, int height, int width,
                            absl::Span<const double> values) {
  constexpr int kSide = 256, kGap = 8;
  const int64_t plane = int64_t{height} * width;
  std::vector<double> sums(plane, 0.0), sizes;
  for (size_t i = 0; i < values.size(); ++i) sums[i % plane] += values[i];
  for (const double sum : sums) sizes.push_back(std::abs(sum));
  const auto percentile = sizes.begin() + (plane - 1) * 99 / 100;
  std::nth_element(sizes.begin(), percentile, sizes.end());
  const double largest = *std::max_element(percentile, sizes.end());
  const double full = *percentile > 0 ? *percentile : largest > 0 ? largest : 1;

  const int scale = std::max(1, kSide / std::max(height, width));
  data::Image picture;
  picture.width = 2 * width * scale + kGap;
  picture.height = height * scale;
  picture.rgb.assign(int64_t{3} * picture.width * picture.height, 255);
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < width * scale; ++x) {
      const int64_t pixel = int64_t{y / scale} * width + x / scale;
      uint8_t* const left = &picture.rgb[3 * (int64_t{y} * picture.width + x)];
      uint8_t* const right = left + 3 * (width * scale + kGap);
      for (int c = 0; c < 3; ++c) left[c] = image[(channels == 3 ? c * plane : 0) + pixel];
      const double share = std::clamp(sums[pixel] / full, -1.0, 1.0);
      const auto faded = static_cast<uint8_t>(std::lround(255 * (1 - std::abs(share))));
      right[0] = share < 0 ? faded : 255;
      right[1] = faded;
      right[2] = share > 0 ? faded : 255;
    }
  }
  return picture;
}

}  // namespace cotangent::training::report
