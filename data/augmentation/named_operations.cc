#include "data/augmentation/named_operations.h"

#include <cmath>

#include "data/augmentation/affine.h"
#include "data/augmentation/operations.h"

namespace cotangent::data {

void ApplyNamedOperation(int operation, int magnitude, const MagnitudeRange& range,
                         SplitMix64& random, Planar& image) {
  const double share = static_cast<double>(magnitude) / (kMagnitudes - 1);
  const double signed_share = random.Coin() ? share : -share;
  const double factor = 1 + signed_share * range.factor;
  switch (operation) {
    case 0:
      break;
    case 1:
      Warp({.b = signed_share * range.shear}, image);
      break;
    case 2:
      Warp({.d = signed_share * range.shear}, image);
      break;
    case 3:
      Warp({.c = std::trunc(signed_share * range.translate_x)}, image);
      break;
    case 4:
      Warp({.f = std::trunc(signed_share * range.translate_y)}, image);
      break;
    case 5:
      Warp(MapOf({.degrees = signed_share * range.degrees}), image);
      break;
    case 6:
      Brighten(factor, image);
      break;
    case 7:
      Saturate(factor, image);
      break;
    case 8:
      SetContrast(factor, image);
      break;
    case 9:
      Sharpen(factor, image);
      break;
    case 10:
      Posterize(8 - static_cast<int>(std::lround(share * range.lost_bits)), image);
      break;
    case 11:
      Solarize(255 * (1 - share), image);
      break;
    case 12:
      AutoContrast(image);
      break;
    case 13:
      Equalize(image);
      break;
  }
}

}  // namespace cotangent::data
