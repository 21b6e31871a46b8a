// Turns an image upside down.
#include <algorithm>

#include "data/augmentation/transform.h"

namespace cotangent::data {
namespace {

class VerticalFlipTransform final : public Transform {
 public:
  void Apply(SplitMix64&, Planar& image) const override {
    for (int c = 0; c < image.channels; ++c) {
      uint8_t* const rows = image.channel(c);
      for (int64_t y = 0, last = image.height - 1; y < last; ++y, --last) {
        std::swap_ranges(rows + y * image.width, rows + (y + 1) * image.width,
                         rows + last * image.width);
      }
    }
  }
};

const TransformRegistration kRegistered(TransformConfig::kVerticalFlip,
                                        MakeTransform<VerticalFlipTransform>, 0.5);

}  // namespace

}  // namespace cotangent::data
