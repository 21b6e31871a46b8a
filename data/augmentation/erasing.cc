// Fills a random rectangle of an image with noise.
#include "data/augmentation/rectangle.h"

namespace cotangent::data {
namespace {

class ErasingTransform final : public Transform {
 public:
  ErasingTransform(const TransformConfig& config, SettingsChecker& check)
      : range_(ReadAreaRange(config.erasing(), check)) {}
  void Apply(SplitMix64& random, Planar& image) const override {
    const std::optional<Rectangle> part = DrawRectangle(range_, image.height, image.width, random);
    if (!part.has_value()) return;
    for (int c = 0; c < image.channels; ++c) {
      for (int y = part->top; y < part->top + part->height; ++y) {
        uint8_t* const row = image.channel(c) + int64_t{y} * image.width + part->left;
        for (int x = 0; x < part->width; ++x) row[x] = static_cast<uint8_t>(random.Next() >> 56);
      }
    }
  }

 private:
  const AreaRange range_;
};

const TransformRegistration kRegistered(TransformConfig::kErasing, MakeTransform<ErasingTransform>,
                                        0.5);

}  // namespace

}  // namespace cotangent::data
