// RandAugment (Cubuk et al., 2020): applies several random operations (named_operations.h) at one
// magnitude. The changes at the largest magnitude (MagnitudeRange) are torchvision's.
#include "data/augmentation/named_operations.h"

namespace cotangent::data {
namespace {

class RandAugmentTransform final : public Transform {
 public:
  RandAugmentTransform(const TransformConfig& config, SettingsChecker& check)
      : operations_(Read(config.rand_augment().operations(), 1, 100, "operations", check)),
        magnitude_(
            Read(config.rand_augment().magnitude(), 0, kMagnitudes - 1, "magnitude", check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    const MagnitudeRange range = {.shear = 0.3,
                                  .translate_x = 150.0 / 331 * image.width,
                                  .translate_y = 150.0 / 331 * image.height,
                                  .degrees = 30,
                                  .factor = 0.9,
                                  .lost_bits = 4};
    for (int i = 0; i < operations_; ++i) {
      const auto operation = static_cast<int>(random.Below(kNamedOperations));
      ApplyNamedOperation(operation, magnitude_, range, random, image);
    }
  }

 private:
  static int Read(int64_t value, int low, int high, const char* field, SettingsChecker& check) {
    return static_cast<int>(check.Between(static_cast<double>(value), low, high, field));
  }

  const int operations_, magnitude_;
};

const TransformRegistration kRegistered(TransformConfig::kRandAugment,
                                        MakeTransform<RandAugmentTransform>);

}  // namespace

}  // namespace cotangent::data
