#ifndef COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
#define COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_

// Transforms change training images at random. A chain is a list of transforms that are applied one
// after the other; each of them is a link. Each transform is implemented in a file of its own
// beside this one. Transforms work on bytes and keep the size of the image. The random numbers of a
// transform depend on (seed, epoch, image, its place in the chain) only, so the result for an image
// does not depend on when and where it is computed.
//
// Transforms that torchvision has, too, use its formulas, except that intermediate values are
// rounded to the nearest byte instead of being cut off, and that geometric transforms interpolate
// linearly.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

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
  // transform comes first in a chain, and the pictures in the files are larger than the images, the
  // part is cut from the picture itself, which keeps more details.
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

// Applies the transforms from link `first` on, in order, to image number `image` of a data set in
// an epoch.
void ApplyChain(const std::vector<ChainLink>& chain, uint64_t seed, int64_t epoch, int64_t image,
                Planar& bytes, size_t first = 0);

// Returns whether the first transform of the chain is a crop, see Transform::is_crop().
bool BeginsWithCrop(const std::vector<ChainLink>& chain);
// For a chain whose first transform is a crop: returns the part that this transform enlarges of a
// picture of height x width pixels. Returns nothing if the transform is not applied this time
// because its probability is below 1.
std::optional<Rectangle> FirstCrop(const std::vector<ChainLink>& chain, uint64_t seed,
                                   int64_t epoch, int64_t image, int height, int width);

// The functions below create the transforms. They do not check their arguments; callers must.

// Transforms of colour. The factor f is uniform in [max(0, 1 - amount), 1 + amount].
TransformPointer Brightness(double amount);  // a value v becomes v f
TransformPointer Contrast(double amount);    // v becomes m + (v - m) f; m: the image's mean grey
TransformPointer Saturation(double amount);  // v becomes g + (v - g) f; g: the pixel's grey
// Turns the hues by a share of the circle, uniform in [-amount, amount]. REQUIRES: amount <= 1/2.
TransformPointer Hue(double amount);
// Replaces each channel by 0.299 red + 0.587 green + 0.114 blue.
TransformPointer Grey();

// Turns the image upside down.
TransformPointer VerticalFlip();

struct AffineRange {
  double degrees = 0;    // rotation by an angle uniform in [-degrees, degrees]
  double translate = 0;  // shift by at most this share of height and width
  double scale_low = 1, scale_high = 1;
  double shear = 0;  // shear along each axis by an angle uniform in [-shear, shear], in degrees
};
// Rotates, shifts, scales and shears an image about its centre. Pixels of the result that show what
// lies outside the image are black.
TransformPointer RandomAffine(const AffineRange& range);

struct AreaRange {
  double area_low = 0.08, area_high = 1;          // the part's area as a share of the image
  double ratio_low = 0.75, ratio_high = 4.0 / 3;  // width / height; its logarithm is uniform
};
// Enlarges a part of the image to the size of the whole (Szegedy et al., "Going deeper with
// convolutions", 2015). If ten tries find no part that fits, takes the largest central part of an
// allowed ratio.
TransformPointer RandomResizedCrop(const AreaRange& range);
// Fills a rectangle with noise (Zhong et al., "Random erasing data augmentation", 2020). Does
// nothing if ten tries find no rectangle that fits.
TransformPointer RandomErasing(const AreaRange& range);

// Applies `operations` random ones of 14 operations (named_operations.h), one after the other, at
// `magnitude` from 0 to 30 (Cubuk et al., "RandAugment", 2020).
TransformPointer RandAugment(int operations, int magnitude);
// Applies one of the 14 operations of RandAugment(), at a random magnitude from wider ranges
// (Mueller and Hutter, "TrivialAugment", 2021).
TransformPointer TrivialAugment();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
