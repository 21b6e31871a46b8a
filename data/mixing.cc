#include "data/mixing.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/element_type.h"
#include "data/augmentation/draw.h"

namespace cotangent::data {
namespace {

float ToFloat(float value) { return value; }
float ToFloat(uint16_t bits) { return Bf16ToFloat(bits); }
void Put(float value, float& to) { to = value; }
void Put(float value, uint16_t& to) { to = FloatToBf16(value); }

// Draws a normally distributed number (mean 0, deviation 1) by the method of Box and Muller.
double Normal(SplitMix64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(random)));
  return radius * std::cos(2 * M_PI * Uniform(random));
}

// Draws from the gamma distribution with the given shape and scale 1: Marsaglia and Tsang, "A
// simple method for generating gamma variables" (2000); for shapes below 1 as in that paper's last
// section.
double Gamma(double shape, SplitMix64& random) {
  if (shape < 1) return Gamma(shape + 1, random) * std::pow(1 - Uniform(random), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = Normal(random), v = std::pow(1 + c * x, 3);
    if (!(v > 0)) continue;
    const double u = 1 - Uniform(random);
    if (std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

double Beta(double alpha, SplitMix64& random) {
  const double a = Gamma(alpha, random), b = Gamma(alpha, random);
  return a + b > 0 ? a / (a + b) : 0.5;  // both can round to 0 if alpha is very small
}

template <typename Element>
void MixImageOf(const Mix& mix, bool channels_last, int channels, int height, int width,
                Element* image, const Element* other) {
  if (mix.kind == Mix::Kind::kMixup) {
    const auto own = static_cast<float>(mix.own), rest = static_cast<float>(1 - mix.own);
    for (int64_t i = 0; i < int64_t{channels} * height * width; ++i)
      Put(own * ToFloat(image[i]) + rest * ToFloat(other[i]), image[i]);
    return;
  }
  // Copies the rectangle row by row: for each channel's plane, or for all channels at once if
  // channels are last.
  const int planes = channels_last ? 1 : channels, values = channels_last ? channels : 1;
  for (int plane = 0; plane < planes; ++plane) {
    for (int y = mix.part.top; y < mix.part.top + mix.part.height; ++y) {
      const int64_t at = ((int64_t{plane} * height + y) * width + mix.part.left) * values;
      std::copy_n(other + at, int64_t{mix.part.width} * values, image + at);
    }
  }
}

}  // namespace

absl::Status Validate(const Mixing& mixing) {
  const auto is_share = [](double p) { return p >= 0 && p <= 1; };
  if (!is_share(mixing.mixup_probability) || !is_share(mixing.cutmix_probability) ||
      mixing.mixup_probability + mixing.cutmix_probability > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batches are mixed with the probabilities ", mixing.mixup_probability, " (mixup) and ",
        mixing.cutmix_probability, " (cutmix); expected 0 to 1, and at most 1 together"));
  }
  for (const double alpha : {mixing.mixup_alpha, mixing.cutmix_alpha}) {
    if (!(alpha > 0 && alpha <= 1000))
      return absl::InvalidArgumentError(
          absl::StrCat("alpha of mixup or cutmix is ", alpha, "; expected above 0, at most 1000"));
  }
  return absl::OkStatus();
}

Mix DrawMix(const Mixing& mixing, int height, int width, uint64_t seed, int64_t epoch,
            int64_t batch) {
  SplitMix64 random = GeneratorAt(seed, Purpose::kMix, epoch, batch);
  const double coin = Uniform(random);
  Mix mix;
  if (coin < mixing.mixup_probability) {
    mix.kind = Mix::Kind::kMixup;
    mix.own = Beta(mixing.mixup_alpha, random);
  } else if (coin < mixing.mixup_probability + mixing.cutmix_probability) {
    mix.kind = Mix::Kind::kCutMix;
    const double half = std::sqrt(1 - Beta(mixing.cutmix_alpha, random)) / 2;
    const int x = static_cast<int>(random.Below(width)), y = static_cast<int>(random.Below(height));
    const int half_width = static_cast<int>(half * width),
              half_height = static_cast<int>(half * height);
    const int left = std::max(0, x - half_width), right = std::min(width, x + half_width);
    const int top = std::max(0, y - half_height), bottom = std::min(height, y + half_height);
    mix.part = {left, top, right - left, bottom - top};
    mix.own = 1 - static_cast<double>(mix.part.width) * mix.part.height /
                      (static_cast<double>(width) * height);
  }
  return mix;
}

void MixImage(const Mix& mix, BatchFormat format, int channels, int height, int width, void* image,
              const void* other) {
  if (mix.kind == Mix::Kind::kNone) return;
  const bool channels_last = format == BatchFormat::kF32Nhwc || format == BatchFormat::kBf16Nhwc;
  if (BytesPerElement(format) == 4) {
    MixImageOf(mix, channels_last, channels, height, width, static_cast<float*>(image),
               static_cast<const float*>(other));
  } else {
    MixImageOf(mix, channels_last, channels, height, width, static_cast<uint16_t*>(image),
               static_cast<const uint16_t*>(other));
  }
}

void MixTargets(const Mix& mix, int64_t count, float* targets, const float* other) {
  if (mix.kind == Mix::Kind::kNone) return;
  const auto own = static_cast<float>(mix.own), rest = static_cast<float>(1 - mix.own);
  for (int64_t k = 0; k < count; ++k) targets[k] = own * targets[k] + rest * other[k];
}

}  // namespace cotangent::data
