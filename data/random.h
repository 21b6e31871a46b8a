#ifndef COTANGENT_DATA_RANDOM_H_
#define COTANGENT_DATA_RANDOM_H_

// Random numbers that are functions of their coordinates: the number for (seed, purpose, epoch,
// image) needs none of the numbers before it, so any batch of any epoch can be made alone.

#include <cstdint>

namespace cotangent::data {

// The SplitMix64 generator: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
// Generators", 2014. Its states are an arithmetic sequence; each is hashed by a bijection of 64
// bits in which every input bit changes every output bit with probability close to 1/2.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t state) : state_(state) {}

  uint64_t Next() { return Hash(state_ += 0x9e3779b97f4a7c15); }

  // Uniform in [0, bound), bound in [1, 2^32]: the high half of a 32 x 32 bit product, whose bias
  // is below 2^-32 * bound.
  uint32_t Below(uint64_t bound) { return static_cast<uint32_t>(((Next() >> 32) * bound) >> 32); }

  bool Coin() { return Next() >> 63; }

  static uint64_t Hash(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

 private:
  uint64_t state_;
};

// What a random number is for: numbers for different purposes are independent.
enum class Purpose : uint64_t {
  kShuffle = 1,
  kPlacement = 2,
  kFlipSide = 3,
  kTransform = 4,
  kMix = 5
};

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
