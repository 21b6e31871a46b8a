#ifndef COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_
#define COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_

// The 14 operations that RandAugment and TrivialAugment choose from. A magnitude from 0 to 30 says
// how strongly an operation changes an image. Three have no magnitude: the operation "nothing",
// stretching the contrast, and equalizing.

#include "data/augmentation/transform.h"

namespace cotangent::data {

inline constexpr int kNamedOperations = 14;
inline constexpr int kMagnitudes = 31;  // magnitudes are 0 to 30

// How much the operations change an image at the largest magnitude, 30. At magnitude m they change
// it m / 30 as much, with translations cut off to whole pixels and lost bits rounded. Solarizing
// needs no field: it inverts values of at least 255 (1 - m / 30).
struct MagnitudeRange {
  double shear;                     // tangent of the angle
  double translate_x, translate_y;  // pixels
  double degrees;
  // Brightness, colour, contrast and sharpness are multiplied by 1 + factor or 1 - factor.
  double factor;
  int lost_bits;  // how many of a value's 8 bits posterizing clears
};

// Applies an operation. Numbers 0 to kNamedOperations - 1 are, in this order: nothing, shear along
// x, shear along y, translation along x, translation along y, rotation, brightness, colour,
// contrast, sharpness, posterizing, solarizing, stretching the contrast, equalizing. Shears,
// translations, the rotation and the factors of brightness to sharpness have a random sign.
void ApplyNamedOperation(int operation, int magnitude, const MagnitudeRange& range,
                         SplitMix64& random, Planar& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_
