// Raises or lowers the contrast of an image by a random factor.
#include "data/augmentation/draw.h"
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class ContrastTransform final : public Transform {
 public:
  explicit ContrastTransform(double amount) : amount_(amount) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    SetContrast(Factor(random, amount_), image);
  }

 private:
  const double amount_;
};

}  // namespace

TransformPointer Contrast(double amount) { return std::make_shared<ContrastTransform>(amount); }

}  // namespace cotangent::data
