// Makes the colours of an image stronger or weaker by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class SaturationTransform final : public Transform {
 public:
  SaturationTransform(const TransformConfig& config, SettingsChecker& check)
      : amount_(ReadAmount(config.saturation(), check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    Saturate(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

const TransformRegistration kRegistered(TransformConfig::kSaturation,
                                        MakeTransform<SaturationTransform>);

}  // namespace

}  // namespace cotangent::data
