#ifndef COTANGENT_DATA_AUGMENTATION_DRAW_H_
#define COTANGENT_DATA_AUGMENTATION_DRAW_H_

// Draws random real numbers from a generator, in the ranges that settings of transforms describe.

#include <algorithm>

#include "base/settings_checker.h"
#include "data/augmentation/transform.pb.h"
#include "data/random.h"

namespace cotangent::data {

// Returns a number uniform in [0, 1), a multiple of 2^-53.
inline double Uniform(SplitMix64& random) {
  return static_cast<double>(random.Next() >> 11) * 0x1p-53;
}
inline double Uniform(SplitMix64& random, double low, double high) {
  return low + (high - low) * Uniform(random);
}

// Returns the setting `amount`, by which the factor of a transform varies (see Factor()). `check`
// notes an error if it is not in [0, 100].
inline double ReadAmount(const TransformConfig::Amount& text, SettingsChecker& check) {
  return check.Between(text.amount(), 0, 100, "amount");
}
// Returns a factor uniform in [max(0, 1 - amount), 1 + amount].
inline double Factor(SplitMix64& random, double amount) {
  return Uniform(random, std::max(0.0, 1 - amount), 1 + amount);
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_DRAW_H_
