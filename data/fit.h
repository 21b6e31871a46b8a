#ifndef COTANGENT_DATA_FIT_H_
#define COTANGENT_DATA_FIT_H_

// Converts pictures of any size to images of a network's input size.

#include <cstdint>
#include <vector>

#include "data/image.h"
#include "data/resample.h"

namespace cotangent::data {

enum class Fit {
  kStretch,  // height and width are scaled independently
  kCrop,     // takes the largest middle part of the picture with the image's proportions
  kPad,      // scales the picture to fit and adds black on two opposite sides
};

// How a picture is fitted to an image's size, and the filter that computes the image's pixels.
struct Fitting {
  Fitting(Fit how = Fit::kStretch, Filter filter = Filter::kAntialiased)  // NOLINT: implicit
      : how(how), filter(filter) {}
  Fit how;
  Filter filter;
};

struct ImageShape {
  int channels = 3;  // 3: colour; 1: grey, 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601)
  int height = 32;
  int width = 32;
};

// Fits pictures to one shape. Keeps its buffers: pictures no larger than an earlier one need no new
// memory. Not safe for use by two threads at the same time.
class PictureFitter {
 public:
  PictureFitter(const ImageShape& shape, Fitting fitting)
      : shape_(shape), fit_(fitting.how), resampler_(fitting.filter) {}

  // Writes the picture as an image [channels, height, width] of bytes. If the picture has that
  // height and width already, its pixels are not resampled. A grey picture becomes three equal
  // channels in a colour image.
  void Write(const PictureView& picture, uint8_t* image);

 private:
  const ImageShape shape_;
  const Fit fit_;
  Resampler resampler_;
  std::vector<uint8_t> fitted_;  // [height, width, 3]
};

// Returns one picture fitted to `shape`, as bytes [channels, height, width].
std::vector<uint8_t> FitPicture(const Image& picture, const ImageShape& shape, Fitting fitting);
// Return a view of the whole picture, or of a part of it.
PictureView ViewOf(const Image& picture);
PictureView ViewOf(const Image& picture, const Rectangle& part);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FIT_H_
