// Raises or lowers the contrast of an image by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class ContrastTransform final : public Transform {
 public:
  ContrastTransform(const TransformConfig& config, SettingsChecker& check)
      : amount_(ReadAmount(config.contrast(), check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    SetContrast(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

const TransformRegistration kRegistered(TransformConfig::kContrast,
                                        MakeTransform<ContrastTransform>);

}  // namespace

}  // namespace cotangent::data
