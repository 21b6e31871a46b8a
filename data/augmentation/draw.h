#ifndef COTANGENT_DATA_AUGMENTATION_DRAW_H_
#define COTANGENT_DATA_AUGMENTATION_DRAW_H_

// Real numbers from a generator.

#include <algorithm>

#include "data/random.h"

namespace cotangent::data {

// Uniform in [0, 1), in steps of 2^-53.
inline double Uniform(SplitMix64& random) {
  return static_cast<double>(random.Next() >> 11) * 0x1p-53;
}
inline double Uniform(SplitMix64& random, double low, double high) {
  return low + (high - low) * Uniform(random);
}
// A factor within `amount` of 1, not below 0.
inline double Factor(SplitMix64& random, double amount) {
  return Uniform(random, std::max(0.0, 1 - amount), 1 + amount);
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_DRAW_H_
