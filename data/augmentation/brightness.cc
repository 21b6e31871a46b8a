// Makes an image brighter or darker by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class BrightnessTransform final : public Transform {
 public:
  explicit BrightnessTransform(double amount) : amount_(amount) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    Brighten(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

}  // namespace

TransformPointer Brightness(double amount) { return std::make_shared<BrightnessTransform>(amount); }

}  // namespace cotangent::data
