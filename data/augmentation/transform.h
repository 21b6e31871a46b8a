#ifndef COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
#define COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_

// Transforms change training images at random. Each transform is one file beside this one, with its
// settings (a message of transform.proto, which has the formulas) and their checks. A line
//
//   const TransformRegistration kRegistered(TransformConfig::kGrey, MakeTransform<GreyTransform>);
//
// registers it; no other code names a transform. Read affine.cc first.
//
// A chain is a list of transforms that are applied one after the other; each of them is a link.
// Transforms work on bytes and keep the size of the image. The random numbers of a transform depend
// on (seed, epoch, image, its place in the chain) only, so the result for an image does not depend
// on when and where it is computed.

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/settings_checker.h"
#include "data/augmentation/transform.pb.h"
#include "data/random.h"
#include "data/resample.h"

namespace cotangent::data {

// An image of bytes, [channels, height, width], with 1 or 3 channels.
struct Planar {
  int channels = 0, height = 0, width = 0;
  std::vector<uint8_t> bytes;

  int64_t plane() const { return int64_t{height} * width; }
  uint8_t* channel(int c) { return bytes.data() + c * plane(); }
  const uint8_t* channel(int c) const { return bytes.data() + c * plane(); }
};

class Transform {
 public:
  virtual ~Transform() = default;
  // Changes the image, with numbers drawn from `random`.
  virtual void Apply(SplitMix64& random, Planar& image) const = 0;

  // Returns whether Apply() only enlarges a part of the image to the size of the whole. If such a
  // transform comes first in a chain, and the data set's reader can read parts of the original
  // pictures (ImageReader::has_pictures() in data/dataset.h), the part is cut from the picture
  // itself, which keeps more details if the picture is larger than the image.
  virtual bool is_crop() const { return false; }
  // For a crop (is_crop() is true): draws and returns the part to be enlarged of a picture of
  // height x width pixels. Apply() draws the part of its image in the same way.
  virtual Rectangle DrawPart(SplitMix64& /*random*/, int height, int width) const {
    return {0, 0, width, height};
  }
};
using TransformPointer = std::shared_ptr<const Transform>;

// A transform that is applied with some probability.
struct ChainLink {
  double probability = 1;
  TransformPointer transform;
};

// Applies the transforms from link `first` on, in order and each with its probability, to `bytes`,
// the pixels of image number `image` of a data set. `seed`, `epoch` and `image` determine the
// random numbers.
void ApplyChain(const std::vector<ChainLink>& chain, uint64_t seed, int64_t epoch, int64_t image,
                Planar& bytes, size_t first = 0);

// Returns whether the first transform of the chain is a crop, see Transform::is_crop().
bool BeginsWithCrop(const std::vector<ChainLink>& chain);
// For a chain whose first transform is a crop: returns the part that this transform enlarges of a
// picture of height x width pixels. Returns nothing if the transform is not applied this time
// because its probability is below 1.
std::optional<Rectangle> FirstCrop(const std::vector<ChainLink>& chain, uint64_t seed,
                                   int64_t epoch, int64_t image, int height, int width);

// Makes the transform that `config` chooses and checks its settings. Errors name a setting by its
// path in the text, which begins with `place`, the path of `config`.
absl::StatusOr<ChainLink> MakeLink(const TransformConfig& config, absl::string_view place);

// Registers a transform under its field of TransformConfig. `probability` is that with which the
// transform is applied if a TransformConfig does not set another. Each field is registered once.
class TransformRegistration {
 public:
  using Make = TransformPointer (*)(const TransformConfig& config, SettingsChecker& check);
  TransformRegistration(TransformConfig::KindCase kind, Make make, double probability = 1);
};

// Makes a transform of a class that has a constructor (const TransformConfig&, SettingsChecker&)
// or, if it has no settings, a default constructor.
template <typename Class>
TransformPointer MakeTransform(const TransformConfig& config, SettingsChecker& check) {
  if constexpr (std::is_default_constructible_v<Class>) {
    return std::make_shared<Class>();
  } else {
    return std::make_shared<Class>(config, check);
  }
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
