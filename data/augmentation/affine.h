#ifndef COTANGENT_DATA_AUGMENTATION_AFFINE_H_
#define COTANGENT_DATA_AUGMENTATION_AFFINE_H_

// Computes the affine map of a transform (see Warp() in operations.h) from its angles, shifts and
// scale.

#include "data/augmentation/operations.h"

namespace cotangent::data {

// An image is sheared, then rotated, scaled and shifted. Angles are in degrees, clockwise as seen
// (y points down); shears are below 90 degrees. Shifts are in pixels. The scale is above 0. MapOf()
// returns the AffineMap (operations.h) with which Warp() does this.
struct AffinePlace {
  double degrees = 0, right = 0, down = 0, scale = 1, shear_x = 0, shear_y = 0;
};
AffineMap MapOf(const AffinePlace& place);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_AFFINE_H_
