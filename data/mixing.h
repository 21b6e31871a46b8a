#ifndef COTANGENT_DATA_MIXING_H_
#define COTANGENT_DATA_MIXING_H_

// Images of a batch mixed with one another, and their targets with them.
//
// Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018): an image is m of itself and
// 1 - m of another. Yun et al., "CutMix" (2019): a rectangle of it shows another. The other is the
// one before it in the batch (of the first, the last), and m is one for the batch, as in torchvision's
// MixUp and CutMix.

#include <cstdint>

#include "absl/status/status.h"
#include "data/augment.h"
#include "data/random.h"
#include "data/resample.h"

namespace cotangent::data {

struct Mixing {
  // m comes from the distribution Beta(alpha, alpha).
  double mixup_alpha = 0.2, cutmix_alpha = 1;
  // How often a batch is mixed in which way; the sum is at most 1.
  double mixup_probability = 0, cutmix_probability = 0;

  bool is_used() const { return mixup_probability > 0 || cutmix_probability > 0; }
};

// An error where a number is out of range.
absl::Status Validate(const Mixing& mixing);

// How each image of a batch is mixed with another.
struct Mix {
  enum class Kind { kNone, kMixup, kCutMix };
  Kind kind = Kind::kNone;
  double own = 1;       // the share of the image itself in its target
  Rectangle part = {};  // kCutMix: where the other image shows
};

// The mix of batch `batch` of an epoch, of images of this height and width. The rectangle of CutMix
// has the sides sqrt(1 - m) of the image's around a random pixel, and is clipped at the border.
Mix DrawMix(const Mixing& mixing, int height, int width, uint64_t seed, int64_t epoch,
            int64_t batch);

// Mixes `other` into `image`; both are as an ImageWriter writes them.
void MixImage(const Mix& mix, BatchFormat format, int channels, int height, int width, void* image,
              const void* other);
// The same of targets, [count].
void MixTargets(const Mix& mix, int64_t count, float* targets, const float* other);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_MIXING_H_
