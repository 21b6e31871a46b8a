#ifndef COTANGENT_DATA_MIXING_H_
#define COTANGENT_DATA_MIXING_H_

// Mixes the images of a batch with one another, and their targets in the same way.
//
// Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018): an image is replaced by m times
// itself plus 1 - m times another image. Yun et al., "CutMix" (2019): a rectangle of the image is
// replaced by the same rectangle of another. The other image is the previous one of the batch (for
// the first image, the last), and m is the same for the whole batch, as in torchvision's MixUp and
// CutMix.

#include <cstdint>

#include "absl/status/status.h"
#include "data/augment.h"
#include "data/random.h"
#include "data/resample.h"

namespace cotangent::data {

struct Mixing {
  // m is drawn from the distribution Beta(alpha, alpha).
  double mixup_alpha = 0.2, cutmix_alpha = 1;
  // The probabilities that a batch is mixed by mixup, and that it is mixed by CutMix. Their sum is
  // at most 1; the other batches are not mixed.
  double mixup_probability = 0, cutmix_probability = 0;

  bool is_used() const { return mixup_probability > 0 || cutmix_probability > 0; }
};

// Returns an error unless the probabilities are in [0, 1] and sum to at most 1, and each alpha is
// above 0 and at most 1000.
absl::Status Validate(const Mixing& mixing);

// How each image of one batch is mixed with another image.
struct Mix {
  enum class Kind { kNone, kMixup, kCutMix };
  Kind kind = Kind::kNone;
  double own = 1;       // the image's own share of its mixed target; the other image has 1 - own
  Rectangle part = {};  // for kCutMix: the part replaced by the other image
};

// Draws how batch number `batch` of an epoch is mixed; `height` and `width` are those of the
// images, in pixels. For mixup, Mix::own is m. For CutMix, the rectangle has sqrt(1 - m) times the
// sides of the image, rounded down to even numbers of pixels; it is centred on a random pixel and
// clipped at the border. Mix::own is then the share of the image that the rectangle leaves.
Mix DrawMix(const Mixing& mixing, int height, int width, uint64_t seed, int64_t epoch,
            int64_t batch);

// Mixes `other` into `image`, as `mix` says. Both have the format in which ImageWriter
// (data/augment.h) writes images.
void MixImage(const Mix& mix, BatchFormat format, int channels, int height, int width, void* image,
              const void* other);
// Replaces `targets` by mix.own * targets + (1 - mix.own) * other, unless the batch is not mixed.
// Both have `count` numbers.
void MixTargets(const Mix& mix, int64_t count, float* targets, const float* other);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_MIXING_H_
