// Makes an image brighter or darker by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class BrightnessTransform final : public Transform {
 public:
  BrightnessTransform(const TransformConfig& config, SettingsChecker& check)
      : amount_(ReadAmount(config.brightness(), check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    Brighten(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

const TransformRegistration kRegistered(TransformConfig::kBrightness,
                                        MakeTransform<BrightnessTransform>);

}  // namespace

}  // namespace cotangent::data
