#ifndef COTANGENT_DATA_DATASET_H_
#define COTANGENT_DATA_DATASET_H_

// Labelled images of one shape, in memory or read when they are asked for. Where they come from is
// a matter of data/sources.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::data {

// Images of networks have at most this many rows and columns.
inline constexpr int kLargestImageSide = 1024;

enum class Split { kTrain, kValidation, kTest };

// Images that do not lie in memory.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  // Writes image number `index`, [channels, height, width]. Any number of threads may call it. The
  // errors are those of the source.
  virtual absl::Status Read(int64_t index, uint8_t* image) const = 0;
};

struct Dataset {
  std::string name;                  // what --dataset called it
  std::vector<std::string> classes;  // Class names; a label is an index into it.
  int channels = 3;                  // 1 or 3
  int height = 32;
  int width = 32;
  // [size, channels, height, width], contiguous; empty where `reader` has them.
  std::vector<uint8_t> images;
  std::shared_ptr<const ImageReader> reader;
  // What tells images that are read from others: of the names, sizes and times of their files.
  std::string fingerprint;
  std::vector<int32_t> labels;  // [size]
  // Where each image came from, [size], for sources whose images are files; else empty.
  std::vector<std::string> names;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  bool is_in_memory() const { return reader == nullptr; }
  // The pixels of one image, [channels, height, width], wherever they are; `scratch` may be used.
  absl::StatusOr<const uint8_t*> Pixels(int64_t index, std::vector<uint8_t>& scratch) const;
  // The same of images in memory.
  const uint8_t* image(int64_t index) const { return images.data() + index * image_bytes(); }
};

// A value v of channel c, in units of the full range of a byte (0 to 1), becomes
// (v - mean[c]) / deviation[c]. Images of one channel use the first.
struct Normalization {
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> deviation = {1, 1, 1};
};

// Channel means and standard deviations over the images of `dataset`, rounded to five decimals, as
// they are usually quoted (CIFAR-10's come out as kCifar10Normalization has them); where images are
// read, over 512 of them, evenly spaced, those that cannot be read left out. A channel without
// variation gets the deviation 1.
Normalization ComputeNormalization(const Dataset& dataset);

// $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent.
std::string DefaultDataDir();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_DATASET_H_
