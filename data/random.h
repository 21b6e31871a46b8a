#ifndef COTANGENT_DATA_RANDOM_H_
#define COTANGENT_DATA_RANDOM_H_

// Random numbers that depend on coordinates only: the number for (seed, purpose, epoch, image) can
// be computed without the numbers before it, so any batch of any epoch can be made on its own.

#include <cstdint>

#include "base/split_mix.h"

namespace cotangent::data {

using cotangent::SplitMix64;

// What a random number is used for. Numbers for different purposes are independent of each other.
enum class Purpose : uint64_t {
  kShuffle = 1,
  kPlacement = 2,
  kFlipSide = 3,
  kTransform = 4,
  kMix = 5
};

// Returns a generator for these coordinates. `image` is the number of an image or, for kMix, of a
// batch. Coordinates that a purpose does not use are 0.
inline SplitMix64 GeneratorAt(uint64_t seed, Purpose purpose, int64_t epoch, int64_t image) {
  uint64_t state = 0;
  for (uint64_t coordinate : {seed, static_cast<uint64_t>(purpose), static_cast<uint64_t>(epoch),
                              static_cast<uint64_t>(image)}) {
    state = SplitMix64(state + coordinate).Next();
  }
  return SplitMix64(state);
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_RANDOM_H_
