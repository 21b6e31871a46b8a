// Replaces the colours of an image by shades of grey.
#include "data/augmentation/operations.h"
#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class GreyTransform final : public Transform {
 public:
  void Apply(SplitMix64&, Planar& image) const override { MakeGrey(image); }
};

const TransformRegistration kRegistered(TransformConfig::kGrey, MakeTransform<GreyTransform>, 0.1);

}  // namespace

}  // namespace cotangent::data
