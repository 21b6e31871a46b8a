// The random number generator SplitMix64. The n-th number that follows from a seed can be computed
// without the numbers before it.
//
// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014: the generator's
// states are an arithmetic sequence. Each state is hashed by a bijection of 64 bits in which every
// input bit changes every output bit with probability close to 1/2.
//
// Training draws the order of images, augmentations and dropout masks from this generator. If its
// numbers changed, training with the same seed would give other results. (Initial weights come from
// another generator, Philox: layers/network/initialize.h.)
#ifndef COTANGENT_BASE_SPLIT_MIX_H_
#define COTANGENT_BASE_SPLIT_MIX_H_

#include <cstdint>

namespace cotangent {

class SplitMix64 {
 public:
  // The difference of successive states: 2^64 divided by the golden ratio, made odd.
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

  // Hashes a state to the random number that belongs to it.
  static uint64_t Hash(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  explicit SplitMix64(uint64_t state) : state_(state) {}

  uint64_t Next() { return Hash(state_ += kStep); }

  // Returns a uniform random number in [0, bound), for bound in [1, 2^32]. It is the product of
  // `bound` and 32 random bits, divided by 2^32; each probability differs from 1 / bound by less
  // than 2^-32.
  uint32_t Below(uint64_t bound) { return static_cast<uint32_t>(((Next() >> 32) * bound) >> 32); }

  bool Coin() { return Next() >> 63; }

 private:
  uint64_t state_;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SPLIT_MIX_H_
