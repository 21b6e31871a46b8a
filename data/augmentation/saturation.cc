// Makes the colours of an image stronger or weaker by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class SaturationTransform final : public Transform {
 public:
  explicit SaturationTransform(double amount) : amount_(amount) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    Saturate(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

}  // namespace

TransformPointer Saturation(double amount) { return std::make_shared<SaturationTransform>(amount); }

}  // namespace cotangent::data
