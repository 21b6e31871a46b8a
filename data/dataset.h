#ifndef COTANGENT_DATA_DATASET_H_
#define COTANGENT_DATA_DATASET_H_

// Labelled images of one shape, in memory or read when they are asked for. Where they come from is
// a matter of data/sources.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/resample.h"

namespace cotangent::data {

// Images of networks have at most this many rows and columns.
inline constexpr int kLargestImageSide = 1024;

enum class Split { kTrain, kValidation, kTest };

// What is to be found out about an image.
enum class TargetKind {
  kClass,    // which one of several classes it is of
  kLabels,   // which of several labels, any number of them, are true of it
  kNumbers,  // how large one or several numbers are
};
// "classes", "labels", "numbers".
const char* PluralOf(TargetKind kind);

// Images that do not lie in memory.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  // Writes image number `index`, [channels, height, width]. Any number of threads may call it. The
  // errors are those of the source.
  virtual absl::Status Read(int64_t index, uint8_t* image) const = 0;

  // Whether it reads parts of whole pictures, which may be larger than its images.
  virtual bool has_pictures() const { return false; }
  // Which part of a picture of a height and a width is wanted; nothing: what Read() writes.
  using PartOf = std::function<std::optional<Rectangle>(int height, int width)>;
  // The same of a part of the picture, stretched to the image's height and width.
  virtual absl::Status ReadPart(int64_t index, const PartOf& /*part*/, uint8_t* image) const {
    return Read(index, image);
  }
};

struct Dataset {
  std::string name;  // what --dataset called it
  TargetKind target_kind = TargetKind::kClass;
  // Names of the classes (a label is an index into it), of the labels or of the numbers.
  std::vector<std::string> classes;
  int channels = 3;  // 1 or 3
  int height = 32;
  int width = 32;
  // [size, channels, height, width], contiguous; empty where `reader` has them.
  std::vector<uint8_t> images;
  std::shared_ptr<const ImageReader> reader;
  // What tells images that are read from others: of the names, sizes and times of their files.
  std::string fingerprint;
  std::vector<int32_t> labels;  // [size]; 0 where the targets are labels or numbers
  // Of labels (1 where it is true, else 0) and numbers: [size, classes]; of classes empty.
  std::vector<float> targets;
  // Where each image came from, [size], for sources whose images are files; else empty.
  std::vector<std::string> names;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  bool is_in_memory() const { return reader == nullptr; }
  // The pixels of one image, [channels, height, width], wherever they are; `scratch` may be used.
  absl::StatusOr<const uint8_t*> Pixels(int64_t index, std::vector<uint8_t>& scratch) const;
  // What the image's target is, [classes]: of a class, 1 in its place and else 0.
  void WriteTargets(int64_t index, float* targets) const;
  // Makes image `to` what image `from` is but for its pixels, to <= from; with ResizeTo(), a way
  // of leaving images out.
  void MoveImage(int64_t from, int64_t to);
  void ResizeTo(int64_t size);
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
