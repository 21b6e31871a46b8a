#ifndef COTANGENT_DATA_DATASET_H_
#define COTANGENT_DATA_DATASET_H_

// Labelled images of one shape, in memory or read when they are needed. data/sources makes such
// data sets from files.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/target_kind.h"
#include "data/resample.h"
#include "data/skipped_images.h"

namespace cotangent::data {

// The largest height and width of images for a network.
inline constexpr int kLargestImageSide = 1024;

enum class Split { kTrain, kValidation, kTest };

// Reads the images of a data set that does not lie in memory.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  // Writes image number `index` to `image`, [channels, height, width]. Several threads may call it
  // at the same time. Errors depend on where the images come from.
  virtual absl::Status Read(int64_t index, uint8_t* image) const = 0;

  // Returns whether ReadPart() cuts its parts from the original pictures, which may be larger than
  // the images.
  virtual bool has_pictures() const { return false; }
  // A function that is called with a picture's height and width and returns the part of it, in
  // pixels, that ReadPart() cuts out. If it returns nothing, the whole picture is fitted as in
  // Read().
  using PartOf = std::function<std::optional<Rectangle>(int height, int width)>;
  // Like Read(), but writes the part of the picture that `part` returns, stretched to the image's
  // height and width. REQUIRES: has_pictures(). Readers whose has_pictures() returns false need not
  // override this function.
  virtual absl::Status ReadPart(int64_t index, const PartOf& /*part*/, uint8_t* image) const {
    return Read(index, image);
  }
};

struct Dataset {
  std::string name;  // the value of --dataset
  TargetKind target_kind = TargetKind::kClass;
  // The names of the classes (`labels` holds indices into them), or of the labels or numbers that
  // are the targets.
  std::vector<std::string> classes;
  int channels = 3;  // 1 or 3
  int height = 32;
  int width = 32;
  // [size, channels, height, width], contiguous; empty if `reader` reads the images.
  std::vector<uint8_t> images;
  std::shared_ptr<const ImageReader> reader;
  // Identifies images that `reader` reads: a hash of the names, targets, sizes in bytes and
  // modification times of their files, and of how pictures are fitted to images. Empty if `reader`
  // is null or the images are not files.
  std::string fingerprint;
  // If set, an image that `reader` cannot read (kInvalidArgument) is reported here and replaced by
  // the next image of this data set (the first follows the last) that has the same label and
  // targets and can be read; at most 100 such images are tried. The replacement depends on nothing
  // but the files, so batches remain functions of seed, epoch and index. If null, an image that
  // cannot be read is an error.
  std::shared_ptr<SkippedImages> skipped;
  std::vector<int32_t> labels;  // [size]; all 0 if the targets are labels or numbers
  // [size, classes]: labels (1 if the label applies, else 0) or numbers; empty if the targets are
  // classes.
  std::vector<float> targets;
  // A function that returns the name of the file that an image comes from; null for sources whose
  // images are not files.
  std::function<std::string(int64_t index)> name_of_image;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  bool is_in_memory() const { return reader == nullptr; }
  // Returns the pixels of one image, [channels, height, width]. If the image has to be read, the
  // pixels are written to `scratch`.
  absl::StatusOr<const uint8_t*> Pixels(int64_t index, std::vector<uint8_t>& scratch) const;
  // Reads an image that is not in memory, or with `part` a part of its picture (see ImageReader),
  // and writes it to `image`. Several threads may call it at the same time.
  absl::Status Read(int64_t index, uint8_t* image, const ImageReader::PartOf* part = nullptr) const;
  // Returns the pixels of an image in memory, [channels, height, width].
  const uint8_t* image(int64_t index) const { return images.data() + index * image_bytes(); }
  // Writes the image's target as [classes] numbers. For a class these are 1 at its index and 0
  // elsewhere.
  void WriteTargets(int64_t index, float* targets) const;
  // Removes all images but those with these indices, which must be in ascending order.
  void Keep(std::vector<int32_t> indices);
};

// A byte v of channel c becomes (v / 255 - mean[c]) / deviation[c]. Images of one channel use the
// first entries.
struct Normalisation {
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> deviation = {1, 1, 1};
};

// Computes the mean and standard deviation of each channel over the images of `dataset`, in units
// of the full range of a byte (0 to 1) and rounded to five decimals, as they are usually published.
// If images have to be read, only 512 evenly spaced ones are used; those of them that cannot be
// read are left out. A channel without variation gets the deviation 1.
Normalisation ComputeNormalisation(const Dataset& dataset);

// Returns $XDG_CACHE_HOME/cotangent if that variable is an absolute path, else
// $HOME/.cache/cotangent or, if HOME is unset or empty, ./.cache/cotangent.
std::string DefaultDataDir();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_DATASET_H_
