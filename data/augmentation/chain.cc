// Transforms one after the other.

#include "data/augmentation/draw.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {

void ApplyChain(const std::vector<ChainLink>& chain, uint64_t seed, int64_t epoch, int64_t image,
                Planar& bytes) {
  for (size_t i = 0; i < chain.size(); ++i) {
    // A generator for each, so that one more transform does not change what the others draw.
    SplitMix64 random(GeneratorAt(seed, Purpose::kTransform, epoch, image).Next() + i);
    if (Uniform(random) < chain[i].probability) chain[i].transform->Apply(random, bytes);
  }
}

}  // namespace cotangent::data
