// Turns the hues of an image by a random angle.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class HueTransform final : public Transform {
 public:
  explicit HueTransform(double amount) : amount_(amount) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    TurnHue(Uniform(random, -amount_, amount_), image);
  }

 private:
  const double amount_;
};

}  // namespace

TransformPointer Hue(double amount) { return std::make_shared<HueTransform>(amount); }

}  // namespace cotangent::data
