#ifndef COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
#define COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_

// Changes of training images, each a file beside this one. They work on bytes and keep the image's
// size. What a transform draws comes from a generator that is a function of (seed, epoch, image,
// its place in the chain) alone, so an image comes out the same whenever and wherever it is made.
//
// Where torchvision has the same transform the formulas are its; intermediate values are rounded to
// the nearest byte, not cut off, and geometric ones interpolate linearly.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/random.h"
#include "data/resample.h"

namespace cotangent::data {

// An image of bytes, [channels, height, width], 1 or 3 channels.
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
  virtual void Apply(SplitMix64& random, Planar& image) const = 0;

  // Whether Apply() does nothing but enlarge a part of the image to the whole. Where pictures are
  // larger than images, such a transform, if it is the first of a chain, draws from the picture as
  // it is in its file, so that details are not lost twice.
  virtual bool is_crop() const { return false; }
  // The part, of a picture of any size. Apply() draws it in the same way.
  virtual Rectangle DrawPart(SplitMix64& /*random*/, int height, int width) const {
    return {0, 0, width, height};
  }
};
using TransformPointer = std::shared_ptr<const Transform>;

// A transform that an image goes through with some probability.
struct ChainLink {
  double probability = 1;
  TransformPointer transform;
};

// All of them in order from link `first` on, for image number `image` of a data set in an epoch.
void ApplyChain(const std::vector<ChainLink>& chain, uint64_t seed, int64_t epoch, int64_t image,
                Planar& bytes, size_t first = 0);

// Whether the chain begins with a crop.
bool BeginsWithCrop(const std::vector<ChainLink>& chain);
// What the first link of such a chain shows of a picture of that size: the part that it draws, or
// nothing where chance leaves it out.
std::optional<Rectangle> FirstCrop(const std::vector<ChainLink>& chain, uint64_t seed,
                                   int64_t epoch, int64_t image, int height, int width);

// Make the transforms. Callers check the amounts.

// Colour. The factor f is uniform in [max(0, 1 - amount), 1 + amount].
TransformPointer Brightness(double amount);  // v f
TransformPointer Contrast(double amount);    // m + (v - m) f, m the image's mean grey value
TransformPointer Saturation(double amount);  // g + (v - g) f, g the pixel's grey value
// Turns each colour's hue by a share of the circle, uniform in [-amount, amount]; amount <= 1/2.
TransformPointer Hue(double amount);
// 0.299 red + 0.587 green + 0.114 blue in each channel.
TransformPointer Grey();

// Upside down.
TransformPointer VerticalFlip();

struct AffineRange {
  double degrees = 0;    // turned by an angle in [-degrees, degrees]
  double translate = 0;  // shifted by at most this share of height and width
  double scale_low = 1, scale_high = 1;
  double shear = 0;  // degrees, along each axis
};
// About the centre; what comes from outside is black.
TransformPointer RandomAffine(const AffineRange& range);

struct AreaRange {
  double area_low = 0.08, area_high = 1;          // share of the image
  double ratio_low = 0.75, ratio_high = 4.0 / 3;  // width / height, uniform in its logarithm
};
// A part of the image, enlarged to the whole (Szegedy et al., "Going deeper with convolutions",
// 2015): ten tries to find one that fits, then the largest central one of an allowed ratio.
TransformPointer RandomResizedCrop(const AreaRange& range);
// Noise in a rectangle (Zhong et al., "Random erasing data augmentation", 2020); nothing where ten
// tries find none that fits.
TransformPointer RandomErasing(const AreaRange& range);

// `operations` of 14 one after the other, each at `magnitude` of 0 to 30 (Cubuk et al.,
// "RandAugment", 2020).
TransformPointer RandAugment(int operations, int magnitude);
// One of the same operations at a random magnitude of a wider range (Mueller and Hutter,
// "TrivialAugment", 2021).
TransformPointer TrivialAugment();

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_TRANSFORM_H_
