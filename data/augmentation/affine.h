#ifndef COTANGENT_DATA_AUGMENTATION_AFFINE_H_
#define COTANGENT_DATA_AUGMENTATION_AFFINE_H_

// Where an affine transform puts an image.

#include "data/augmentation/operations.h"

namespace cotangent::data {

// Sheared, then turned, scaled and shifted. Angles in degrees, less than 90 for shears, clockwise
// as seen (y points down); shifts in pixels; the scale is above 0.
struct AffinePlace {
  double degrees = 0, right = 0, down = 0, scale = 1, shear_x = 0, shear_y = 0;
};
AffineMap MapOf(const AffinePlace& place);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_AFFINE_H_
