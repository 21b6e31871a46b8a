#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cotangent::data {

void Resampler::MakeWeights(int from, int to, Weights& made) const {
  const double step = static_cast<double>(from) / to;
  const double radius = filter_ == Filter::kAntialiased ? std::max(step, 1.0) : 1.0;
  made.firsts.clear(), made.counts.clear(), made.weights.clear();
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step;
    const int first = std::max(0, static_cast<int>(centre - radius + 0.5));
    const int end = std::min(from, static_cast<int>(centre + radius + 0.5));
    double sum = 0;
    for (int x = first; x < end; ++x) {
      const double weight = std::max(0.0, 1 - std::abs((x + 0.5 - centre) / radius));
      made.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (size_t k = made.weights.size() - (end - first); k < made.weights.size(); ++k)
      made.weights[k] = static_cast<float>(made.weights[k] / sum);
    made.firsts.push_back(first), made.counts.push_back(end - first);
  }
}

void Resampler::Resample(const PictureView& picture, int width, int height, uint8_t* rgb,
                         int64_t row_bytes) {
  if (picture.width == width && picture.height == height) {
    for (int y = 0; y < height; ++y)
      std::memcpy(rgb + y * row_bytes, picture.rgb + y * picture.row_bytes, size_t{3} * width);
    return;
  }
  // Rows first, [picture.height, width, 3], then columns.
  MakeWeights(picture.width, width, across_);
  MakeWeights(picture.height, height, down_);
  narrow_.assign(size_t{3} * picture.height * width, 0.0f);
  for (int y = 0; y < picture.height; ++y) {
    const uint8_t* const row = picture.rgb + y * picture.row_bytes;
    const float* weight = across_.weights.data();
    for (int x = 0; x < width; ++x) {
      float* const sum = &narrow_[3 * (size_t(y) * width + x)];
      const uint8_t* pixel = row + 3 * across_.firsts[x];
      for (int k = 0; k < across_.counts[x]; ++k, ++weight) {
        for (int c = 0; c < 3; ++c) sum[c] += *weight * *pixel++;
      }
    }
  }
  sum_.resize(size_t{3} * width);
  const float* weight = down_.weights.data();
  for (int y = 0; y < height; ++y) {
    std::fill(sum_.begin(), sum_.end(), 0.5f);  // For rounding.
    const float* row = &narrow_[size_t{3} * down_.firsts[y] * width];
    for (int k = 0; k < down_.counts[y]; ++k, ++weight) {
      for (float& value : sum_) value += *weight * *row++;
    }
    for (int i = 0; i < 3 * width; ++i)
      rgb[y * row_bytes + i] = static_cast<uint8_t>(std::min(sum_[i], 255.0f));
  }
}

}  // namespace cotangent::data
