// Applies a chain of transforms to an image, one after the other.

#include "data/augmentation/draw.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {

namespace {

// Returns a random generator for one link (transform) of the chain. Each link has its own, so that
// its numbers do not depend on how many numbers the links before it have drawn.
SplitMix64 GeneratorOf(size_t link, uint64_t seed, int64_t epoch, int64_t image) {
  return SplitMix64(GeneratorAt(seed, Purpose::kTransform, epoch, image).Next() + link);
}

}  // namespace

void ApplyChain(const std::vector<ChainLink>& chain, uint64_t seed, int64_t epoch, int64_t image,
                Planar& bytes, size_t first) {
  for (size_t i = first; i < chain.size(); ++i) {
    SplitMix64 random = GeneratorOf(i, seed, epoch, image);
    if (Uniform(random) < chain[i].probability) chain[i].transform->Apply(random, bytes);
  }
}

bool BeginsWithCrop(const std::vector<ChainLink>& chain) {
  return !chain.empty() && chain[0].transform->is_crop();
}

std::optional<Rectangle> FirstCrop(const std::vector<ChainLink>& chain, uint64_t seed,
                                   int64_t epoch, int64_t image, int height, int width) {
  SplitMix64 random = GeneratorOf(0, seed, epoch, image);
  if (!(Uniform(random) < chain[0].probability)) return std::nullopt;
  return chain[0].transform->DrawPart(random, height, width);
}

}  // namespace cotangent::data
