#ifndef COTANGENT_DATA_RESAMPLE_H_
#define COTANGENT_DATA_RESAMPLE_H_

// Pictures in another size.

#include <cstdint>
#include <vector>

namespace cotangent::data {

// Part of a picture, in pixels.
struct Rectangle {
  int left = 0, top = 0, width = 0, height = 0;
};

// Part of a picture in memory, RGB: `row_bytes` bytes from the beginning of one row to the next.
struct PictureView {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
  int64_t row_bytes = 0;
};

enum class Filter {
  // A triangle as wide as the step between output pixels (or between input pixels, where that is
  // more), so that making a picture smaller averages instead of skipping: the bilinear filter of
  // Python's imaging library.
  kAntialiased,
  // A triangle as wide as the step between input pixels, the four nearest ones, whatever the size:
  // as OpenCV's INTER_LINEAR and PyTorch's interpolate(mode="bilinear") have it.
  kBilinear,
};

// Keeps its memory, so that pictures no larger than one before allocate nothing. Not for two
// threads at once.
class Resampler {
 public:
  explicit Resampler(Filter filter = Filter::kAntialiased) : filter_(filter) {}

  // Writes [height, width, 3], whose rows begin `row_bytes` apart. The sizes must be positive.
  void Resample(const PictureView& picture, int width, int height, uint8_t* rgb, int64_t row_bytes);

 private:
  // The input pixels that each output pixel averages: `counts` of them from `firsts` on, whose
  // weights, which sum to 1, follow one another.
  struct Weights {
    std::vector<int> firsts, counts;
    std::vector<float> weights;
  };
  void MakeWeights(int from, int to, Weights& weights) const;

  const Filter filter_;
  Weights across_, down_;
  std::vector<float> row_;  // of input columns
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_RESAMPLE_H_
