#ifndef COTANGENT_DATA_AUGMENT_H_
#define COTANGENT_DATA_AUGMENT_H_

// Places and normalises images: the stages between the bytes of a data set ([channels, height,
// width]) and the numbers that a network receives.
//
//   1. Transforms (data/augmentation), one after the other, if any are asked for.
//   2. Placement: the image is padded by reflection or with black and cropped back to its size at a
//      shifted place; it may be mirrored, and a square of it may be blanked out (cutout).
//   3. Normalisation: a byte v of channel c becomes (v / 255 - mean[c]) / deviation[c].
//
// The placement of an image depends on (seed, epoch, number of the image) only, see PlacementOf().
// ImageWriter carries out stages 2 and 3.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "data/augmentation/transform.h"
#include "data/convert.h"
#include "data/dataset.h"

namespace cotangent::data {

enum class Flip {
  kNone,
  // In each epoch each image is mirrored with probability 1/2.
  kRandom,
  // Each image is mirrored either in all even or in all odd epochs; chance decides once for each
  // image. Any two successive epochs show both sides of every image, whereas random flips show half
  // of the images twice from the same side. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single
  // GPU", 2024, section 3.6.
  kAlternating,
};

enum class Padding {
  // Mirrored at the outermost pixel, which is not repeated:
  // pixels 0 1 2 3 become 2 1 | 0 1 2 3 | 2 1.
  kReflect,
  // Black pixels; black refers to bytes, before normalisation.
  kZero,
};

struct Augmentation {
  Flip flip = Flip::kNone;
  // The image is padded by this many pixels on each side, then cropped to its size at a random
  // position.
  int crop_padding = 0;
  Padding padding = Padding::kReflect;
  // A square with sides of this many pixels, centred on a random pixel and clipped at the border,
  // is set to the mean (zero after normalisation). 0: no square. DeVries and Taylor, "Improved
  // Regularization of Convolutional Neural Networks with Cutout", 2017.
  int cutout = 0;
  // Transforms applied before the image is placed.
  std::vector<ChainLink> chain = {};
};

// Returns an error if crop_padding or cutout is negative or too large for images of this height and
// width: crop_padding must be less than the shorter side, and cutout at most as long as it.
absl::Status Validate(const Augmentation& augmentation, int height, int width);

// Output pixel (y, x), in row y and column x, shows the source image's pixel (y + dy, x + dx) or,
// if `flip`, the pixel (y + dy, width - 1 - x + dx). `padding` says what lies beyond the border of
// the source image.
struct Placement {
  int dy = 0;
  int dx = 0;
  bool flip = false;
  Padding padding = Padding::kReflect;
  // Output rows [cut_top, cut_bottom) x columns [cut_left, cut_right) are set to the mean by
  // cutout.
  int cut_top = 0, cut_bottom = 0, cut_left = 0, cut_right = 0;
};

// Returns how image number `image` (from 0) of a data set is placed in an epoch (from 0).
Placement PlacementOf(const Augmentation& augmentation, int height, int width, uint64_t seed,
                      int64_t epoch, int64_t image);

// Test-time averaging adds a network's predictions for several views (shifted or mirrored versions)
// of an image, with weights that sum to 1. If f'(x) is the mean of the predictions for x and its
// mirror image, TestTimeViews() gives f'(x) / 2 + f'(x shifted by (-1, -1)) / 4 + f'(x shifted by
// (1, 1)) / 4; shifts are in pixels and padded by reflection.
struct View {
  Placement placement = {};
  float weight;
};
std::vector<View> TestTimeViews();

// Element type (F32: float; Bf16: bfloat16, 2 bytes) and order of axes of a batch. Nchw: [images,
// channels, height, width]; Nhwc: [images, height, width, channels].
enum class BatchFormat { kF32Nchw, kF32Nhwc, kBf16Nchw, kBf16Nhwc };
int64_t BytesPerElement(BatchFormat format);

// Places and normalises images and writes them in one format. Several threads may call Write() at
// the same time; it allocates no memory.
class ImageWriter {
 public:
  // REQUIRES: 1 or 3 channels; height and width from 1 to kLargestImageSide (data/dataset.h).
  ImageWriter(int channels, int height, int width, const Normalisation& normalisation,
              BatchFormat format);

  // Writes the image with the bytes `source` [channels, height, width] to `output`, which has room
  // for output_bytes() bytes. REQUIRES: |placement.dy| < height and |placement.dx| < width.
  void Write(const uint8_t* source, const Placement& placement, void* output) const;

  int64_t output_bytes() const;

 private:
  template <typename Element>
  void WriteAs(const uint8_t* source, const Placement& placement,
               const Converters<Element>& converters, Element* output) const;

  int channels_;
  int height_;
  int width_;
  BatchFormat format_;
  // Writing turns a byte v of channel c into v * scale_[c] + offset_[c].
  std::array<float, 3> scale_;
  std::array<float, 3> offset_;
  Converters<float> to_f32_;
  Converters<uint16_t> to_bf16_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENT_H_
