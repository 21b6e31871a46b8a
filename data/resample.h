#ifndef COTANGENT_DATA_RESAMPLE_H_
#define COTANGENT_DATA_RESAMPLE_H_

// Resizes pictures.

#include <cstdint>
#include <vector>

namespace cotangent::data {

// A part of a picture, in pixels.
struct Rectangle {
  int left = 0, top = 0, width = 0, height = 0;
};

// A view of a picture, or of a part of one, in memory as RGB. The rows begin `row_bytes` bytes
// apart.
struct PictureView {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
  int64_t row_bytes = 0;
};

enum class Filter {
  // Weights form a triangle whose half width is the distance between output pixels or, if that is
  // larger, between input pixels. Making a picture smaller thus averages pixels instead of skipping
  // them. This is the bilinear filter of Pillow, Python's imaging library.
  kAntialiased,
  // Weights form a triangle whose half width is the distance between input pixels: the four nearest
  // pixels at any size, as in OpenCV's INTER_LINEAR and PyTorch's interpolate(mode="bilinear").
  kBilinear,
};

// Resizes pictures. Keeps its buffers: pictures no larger than an earlier one need no new memory.
// Not safe for use by two threads at the same time.
class Resampler {
 public:
  explicit Resampler(Filter filter = Filter::kAntialiased) : filter_(filter) {}

  // Writes `picture` to `rgb` as [height, width, 3], with rows that begin `row_bytes` bytes apart.
  // REQUIRES: the sizes are positive.
  void Resample(const PictureView& picture, int width, int height, uint8_t* rgb, int64_t row_bytes);

 private:
  // For each output pixel of an axis, the input pixels whose weighted mean it is: `counts` of them,
  // beginning at `firsts`. `weights` holds the weights of all output pixels one after the other;
  // those of one output pixel sum to 1.
  struct Weights {
    std::vector<int> firsts, counts;
    std::vector<float> weights;
  };
  void MakeWeights(int from, int to, Weights& weights) const;

  const Filter filter_;
  Weights across_, down_;
  std::vector<float> row_;  // weighted sum of input rows, for one output row
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_RESAMPLE_H_
