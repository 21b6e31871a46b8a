// TrivialAugment (Mueller and Hutter, 2021): applies one random operation (named_operations.h) at a
// random magnitude. The changes at the largest magnitude (MagnitudeRange) are those of the space
// that the paper calls wide.
#include "data/augmentation/named_operations.h"

namespace cotangent::data {
namespace {

class TrivialAugmentTransform final : public Transform {
 public:
  void Apply(SplitMix64& random, Planar& image) const override {
    constexpr MagnitudeRange kWide = {.shear = 0.99,
                                      .translate_x = 32,
                                      .translate_y = 32,
                                      .degrees = 135,
                                      .factor = 0.99,
                                      .lost_bits = 6};
    const auto operation = static_cast<int>(random.Below(kNamedOperations));
    const auto magnitude = static_cast<int>(random.Below(kMagnitudes));
    ApplyNamedOperation(operation, magnitude, kWide, random, image);
  }
};

const TransformRegistration kRegistered(TransformConfig::kTrivialAugment,
                                        MakeTransform<TrivialAugmentTransform>);

}  // namespace

}  // namespace cotangent::data
