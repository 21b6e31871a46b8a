#ifndef COTANGENT_DATA_DATASET_H_
#define COTANGENT_DATA_DATASET_H_

// Labelled images of one shape, in memory. Where they come from is a matter of data/sources.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace cotangent::data {

// Images of networks have at most this many rows and columns.
inline constexpr int kLargestImageSide = 1024;

enum class Split { kTrain, kValidation, kTest };

struct Dataset {
  std::string name;                  // what --dataset called it
  std::vector<std::string> classes;  // Class names; a label is an index into it.
  int channels = 3;                  // 1 or 3
  int height = 32;
  int width = 32;
  std::vector<uint8_t> images;  // [size, channels, height, width], contiguous.
  std::vector<int32_t> labels;  // [size]
  // Where each image came from, [size], for sources whose images are files; else empty.
  std::vector<std::string> names;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  // The pixels of one image, [channels, height, width].
  const uint8_t* image(int64_t index) const { return images.data() + index * image_bytes(); }
};

// A value v of channel c, in units of the full range of a byte (0 to 1), becomes
// (v - mean[c]) / deviation[c]. Images of one channel use the first.
struct Normalization {
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> deviation = {1, 1, 1};
};

// Channel means and standard deviations over the images of `dataset`. A channel without variation
// gets the deviation 1.
Normalization ComputeNormalization(const Dataset& dataset);

// $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent.
std::string DefaultDataDir();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_DATASET_H_
