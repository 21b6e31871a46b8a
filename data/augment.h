#ifndef COTANGENT_DATA_AUGMENT_H_
#define COTANGENT_DATA_AUGMENT_H_

// What happens to an image on its way from the data set (bytes, planar) to the network (numbers,
// normalised).
//
//   1. Transforms (data/augmentation), one after the other, if the recipe names any.
//   2. Placement: the image, padded by reflection or with black, is cropped back to its size at
//   some shift; it may be
//      mirrored; a square of it may be cut out.
//   3. Normalisation: each byte v of channel c becomes (v / 255 - mean[c]) / deviation[c].
//
// The placement of an image is a pure function of (seed, epoch, number of the image), see
// PlacementOf(). Images stay bytes until they are written: placement moves bytes, and what it
// leaves is converted in one pass.

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
  // Each image is mirrored with probability 1/2, anew each epoch.
  kRandom,
  // Each image is mirrored either in the even or in the odd epochs, as a coin tossed once for the
  // image says: the network sees both sides of every image in any two epochs, where random flips
  // show half of the images the same side twice. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a
  // Single GPU", 2024, section 3.6.
  kAlternating,
};

enum class Padding {
  // Mirrored at the outermost pixel, which is not repeated: 2 1 | 0 1 2 3 | 2 1
  kReflect,
  // Black pixels, before normalisation.
  kZero,
};

struct Augmentation {
  Flip flip = Flip::kNone;
  // The image is padded by this many pixels on each side, then cropped at a random place.
  int crop_padding = 0;
  Padding padding = Padding::kReflect;
  // A square of this many pixels a side, centred on a random pixel and clipped at the border, is
  // set to the mean (zero after normalisation). DeVries and Taylor, "Improved Regularization of
  // Convolutional Neural Networks with Cutout", 2017. 0: none.
  int cutout = 0;
  // What images go through before they are placed.
  std::vector<ChainLink> chain = {};
};

// An error where a size is negative or does not fit images of this height and width.
absl::Status Validate(const Augmentation& augmentation, int height, int width);

// Where an output image lies in its source: output (y, x) shows source (y + dy, x + dx), after
// mirroring source (y + dy, width - 1 - x + dx).
struct Placement {
  int dy = 0;
  int dx = 0;
  bool flip = false;
  Padding padding = Padding::kReflect;
  // Output rows [cut_top, cut_bottom) and columns [cut_left, cut_right) are set to the mean.
  int cut_top = 0, cut_bottom = 0, cut_left = 0, cut_right = 0;
};

// How image number `image` of a data set is placed in an epoch.
Placement PlacementOf(const Augmentation& augmentation, int height, int width, uint64_t seed,
                      int64_t epoch, int64_t image);

// Test-time averaging: the views whose predictions, weighted, are added. f being the network's
// answer and f' the mean of its answers to an image and its mirror image: f'(x) / 2 + f'(x shifted
// by (-1, -1)) / 4 + f'(x shifted by (1, 1)) / 4, shifts padded by reflection. The weights sum
// to 1.
struct View {
  Placement placement = {};
  float weight;
};
std::vector<View> TestTimeViews();

// Element type and order of the axes of a batch.
enum class BatchFormat { kF32Nchw, kF32Nhwc, kBf16Nchw, kBf16Nhwc };
int64_t BytesPerElement(BatchFormat format);

// Writes placed and normalised images in one format. Thread-safe after construction; allocates
// nothing when writing.
class ImageWriter {
 public:
  // Images of 1 or 3 channels, height and width from 1 to kLargestImageSide.
  ImageWriter(int channels, int height, int width, const Normalization& normalization,
              BatchFormat format);

  // Writes the image with bytes `source`, [channels, height, width], to `output`, which takes
  // output_bytes(). |placement.dy| < height and |placement.dx| < width.
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
  // A byte v of channel c becomes v * scale_[c] + offset_[c].
  std::array<float, 3> scale_;
  std::array<float, 3> offset_;
  Converters<float> to_f32_;
  Converters<uint16_t> to_bf16_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENT_H_
