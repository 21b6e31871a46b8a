#ifndef COTANGENT_DATA_RESAMPLE_H_
#define COTANGENT_DATA_RESAMPLE_H_

// Pictures in another size.

#include <cstdint>
#include <vector>

namespace cotangent::data {

// Part of a picture in memory, RGB: `row_bytes` bytes from the beginning of one row to the next.
struct PictureView {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
  int64_t row_bytes = 0;
};

// Resamples with a triangle filter as wide as the step between output pixels (or between input
// pixels, where that is more), so that making a picture smaller averages instead of skipping: the
// bilinear filter of Python's imaging library. Keeps its memory, so that pictures no larger than
// one before allocate nothing. Not for two threads at once.
class Resampler {
 public:
  // Writes [height, width, 3], whose rows begin `row_bytes` apart. The sizes must be positive.
  void Resample(const PictureView& picture, int width, int height, uint8_t* rgb, int64_t row_bytes);

 private:
  // The input pixels that each output pixel averages: `counts` of them from `firsts` on, whose
  // weights, which sum to 1, follow one another.
  struct Filter {
    std::vector<int> firsts, counts;
    std::vector<float> weights;
  };
  static void MakeTriangle(int from, int to, Filter& filter);

  Filter across_, down_;
  std::vector<float> narrow_, sum_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_RESAMPLE_H_
