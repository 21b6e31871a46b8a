#include "training/report/batch_picture.h"

#include <algorithm>
#include <cmath>

namespace cotangent::training::report {

data::Image DrawBatch(const float* images, int64_t count, int64_t channels, int64_t height,
                      int64_t width, const data::Normalization& normalization) {
  constexpr int64_t kGap = 2;
  const int64_t shown = std::clamp<int64_t>(count, 1, kMostImagesOfPicture);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  const int64_t rows = (shown + columns - 1) / columns;
  data::Image picture;
  picture.width = static_cast<int>(columns * (width + kGap) - kGap);
  picture.height = static_cast<int>(rows * (height + kGap) - kGap);
  picture.rgb.assign(int64_t{3} * picture.width * picture.height, 128);
  const int64_t plane = height * width;
  for (int64_t i = 0; i < std::min(shown, count); ++i) {
    const int64_t top = i / columns * (height + kGap), left = i % columns * (width + kGap);
    for (int64_t at = 0; at < plane * 3; ++at) {
      const int64_t colour = at % 3, c = channels == 3 ? colour : 0, pixel = at / 3;
      const double value = images[(i * channels + c) * plane + pixel];
      const double byte = 255 * (value * normalization.deviation[c] + normalization.mean[c]);
      const int64_t y = top + pixel / width, x = left + pixel % width;
      // A value that is not a number is drawn black.
      picture.rgb[(y * picture.width + x) * 3 + colour] =
          byte > 0 ? static_cast<uint8_t>(std::lround(std::min(byte, 255.0))) : 0;
    }
  }
  return picture;
}

}  // namespace cotangent::training::report
