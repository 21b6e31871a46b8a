#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cotangent::data {
namespace {

// Adds weight * bytes to `row`, or overwrites `row` with it if `first`.
void AddRow(const uint8_t* bytes, int count, float weight, bool first, float* row) {
  if (first) {
    for (int i = 0; i < count; ++i) row[i] = weight * static_cast<float>(bytes[i]);
  } else {
    for (int i = 0; i < count; ++i) row[i] += weight * static_cast<float>(bytes[i]);
  }
}

// A pixel as a vector of four floats: red, green, blue and the next float in memory, which is
// ignored.
using Pixel = float __attribute__((vector_size(16)));
inline Pixel Load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof(pixel));
  return pixel;
}

// Computes the pixels of an output row, rounded to bytes: the weighted means of pixels of `row`
// that `firsts`, `counts` and `weights` describe (see Resampler::Weights).
void AverageColumns(const float* row, const int* firsts, const int* counts, const float* weights,
                    int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x) {
    const float* from = row + 3 * firsts[x];
    Pixel sum = {0.5f, 0.5f, 0.5f, 0};
    for (int k = 0; k < counts[x]; ++k, from += 3) sum += *weights++ * Load(from);
    for (int c = 0; c < 3; ++c) rgb[3 * x + c] = static_cast<uint8_t>(std::min(sum[c], 255.0f));
  }
}

}  // namespace

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
  MakeWeights(picture.width, width, across_);
  MakeWeights(picture.height, height, down_);
  // For each output row, first the input rows are averaged, then the columns of the averaged row.
  const int values = 3 * picture.width;
  row_.resize(values + 1);  // Load() reads one float more than a pixel has
  const float* weight = down_.weights.data();
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = picture.rgb + down_.firsts[y] * picture.row_bytes;
    AddRow(from, values, *weight++, /*first=*/true, row_.data());
    for (int k = 1; k < down_.counts[y]; ++k)
      AddRow(from + k * picture.row_bytes, values, *weight++, /*first=*/false, row_.data());
    AverageColumns(row_.data(), across_.firsts.data(), across_.counts.data(),
                   across_.weights.data(), width, rgb + y * row_bytes);
  }
}

}  // namespace cotangent::data
