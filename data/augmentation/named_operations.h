#ifndef COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_
#define COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_

// The 14 operations that RandAugment and TrivialAugment choose from, at magnitudes of one scale.

#include "data/augmentation/transform.h"

namespace cotangent::data {

inline constexpr int kNamedOperations = 14;
inline constexpr int kMagnitudes = 31;  // 0 to 30

// The amounts by which operations of the largest magnitude change an image.
struct MagnitudeRange {
  double shear;                     // tangent
  double translate_x, translate_y;  // pixels
  double degrees;
  double factor;  // brightness, colour, contrast and sharpness go by 1 +- this
  int lost_bits;  // of 8, by posterizing
};

// Operation number 0 to kNamedOperations - 1 (nothing, shears, translations, rotation, brightness,
// colour, contrast, sharpness, posterizing, solarizing, stretching, equalizing); the sign of those
// that have one is drawn.
void ApplyNamedOperation(int operation, int magnitude, const MagnitudeRange& range,
                         SplitMix64& random, Planar& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_NAMED_OPERATIONS_H_
