// Rotates, shifts, scales and shears an image about its centre by random amounts.
#include "data/augmentation/affine.h"

#include <cmath>

#include "data/augmentation/draw.h"

namespace cotangent::data {
namespace {

constexpr double kRadian = 3.14159265358979323846 / 180;

class AffineTransform final : public Transform {
 public:
  AffineTransform(const TransformConfig& config, SettingsChecker& check) : range_(config.affine()) {
    check.Between(range_.degrees(), 0, 360, "degrees");
    check.Between(range_.translate(), 0, 1, "translate");
    check.Between(range_.scale_low(), 0.01, 100, "scale_low");
    check.Between(range_.scale_high(), range_.scale_low(), 100, "scale_high");
    // At 90 degrees the sheared image would degenerate to a line.
    check.Between(range_.shear(), 0, 80, "shear");
  }
  void Apply(SplitMix64& random, Planar& image) const override {
    AffinePlace place;
    place.degrees = Uniform(random, -range_.degrees(), range_.degrees());
    place.right = Uniform(random, -range_.translate(), range_.translate()) * image.width;
    place.down = Uniform(random, -range_.translate(), range_.translate()) * image.height;
    place.scale = Uniform(random, range_.scale_low(), range_.scale_high());
    place.shear_x = Uniform(random, -range_.shear(), range_.shear());
    place.shear_y = Uniform(random, -range_.shear(), range_.shear());
    Warp(MapOf(place), image);
  }

 private:
  const TransformConfig::Affine range_;
};

const TransformRegistration kRegistered(TransformConfig::kAffine, MakeTransform<AffineTransform>);

}  // namespace

AffineMap MapOf(const AffinePlace& place) {
  // The transform maps a point s of the source (relative to the centre) to the output, by shear
  // along x, then along y, rotation, scale and shift t, as
  //   t + scale [cos -sin; sin cos] [1 0; tan(y) 1] [1 tan(x); 0 1] s.
  // (Two shears at once, [1 tan(x); tan(y) 1], would squeeze the image into a line, or mirror it,
  // if tan(x) tan(y) is near 1 or above.) Warp() takes the inverse map, from output to source.
  const double cos = std::cos(place.degrees * kRadian), sin = std::sin(place.degrees * kRadian);
  const double tan_x = std::tan(place.shear_x * kRadian), tan_y = std::tan(place.shear_y * kRadian);
  const double both = 1 + tan_x * tan_y;
  const double a = place.scale * (cos - sin * tan_y), b = place.scale * (cos * tan_x - sin * both);
  const double d = place.scale * (sin + cos * tan_y), e = place.scale * (sin * tan_x + cos * both);
  const double determinant = a * e - b * d;
  AffineMap map = {e / determinant, -b / determinant, 0, -d / determinant, a / determinant, 0};
  map.c = -(map.a * place.right + map.b * place.down);
  map.f = -(map.d * place.right + map.e * place.down);
  return map;
}

}  // namespace cotangent::data
