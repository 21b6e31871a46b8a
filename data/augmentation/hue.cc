// Turns the hues of an image by a random angle.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class HueTransform final : public Transform {
 public:
  HueTransform(const TransformConfig& config, SettingsChecker& check)
      : amount_(check.Between(config.hue().amount(), 0, 0.5, "amount")) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    TurnHue(Uniform(random, -amount_, amount_), image);
  }

 private:
  const double amount_;
};

const TransformRegistration kRegistered(TransformConfig::kHue, MakeTransform<HueTransform>);

}  // namespace

}  // namespace cotangent::data
