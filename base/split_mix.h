// SplitMix64, for random numbers that anybody can have without those before them.
//
// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014: the generator's
// states are an arithmetic sequence, and each is hashed by a bijection of 64 bits in which every
// input bit changes every output bit with probability close to 1/2. Its numbers are part of what a
// seed means: of shuffled images, of augmentations, of dropout. (Initial weights come from Philox,
// as a function of a parameter's name: layers/network/initialize.h.)
#ifndef COTANGENT_BASE_SPLIT_MIX_H_
#define COTANGENT_BASE_SPLIT_MIX_H_

#include <cstdint>

namespace cotangent {

class SplitMix64 {
 public:
  // From one state to the next: 2^64 divided by the golden ratio, made odd.
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

  static uint64_t Hash(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  explicit SplitMix64(uint64_t state) : state_(state) {}

  uint64_t Next() { return Hash(state_ += kStep); }

  // Uniform in [0, bound), bound in [1, 2^32]: the high half of a 32 x 32 bit product, whose bias
  // is below 2^-32 * bound.
  uint32_t Below(uint64_t bound) { return static_cast<uint32_t>(((Next() >> 32) * bound) >> 32); }

  bool Coin() { return Next() >> 63; }

 private:
  uint64_t state_;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SPLIT_MIX_H_
