#ifndef COTANGENT_DATA_FIT_H_
#define COTANGENT_DATA_FIT_H_

// How a picture of any size becomes an image of a network's size.

#include <cstdint>
#include <vector>

#include "data/image.h"
#include "data/resample.h"

namespace cotangent::data {

enum class Fit {
  kStretch,  // each axis by itself
  kCrop,     // the middle of the picture, as large as its sides allow in the image's proportions
  kPad,      // the whole picture in the middle, black beside it
};

// How, and how pixels are made from pixels.
struct Fitting {
  Fitting(Fit how = Fit::kStretch, Filter filter = Filter::kAntialiased)  // NOLINT: a Fit is one
      : how(how), filter(filter) {}
  Fit how;
  Filter filter;
};

struct ImageShape {
  int channels = 3;  // 1: grey, 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601); 3: colour
  int height = 32;
  int width = 32;
};

// Makes images of one shape from pictures. Keeps its memory, so that pictures no larger than one
// before allocate nothing. Not for two threads at once.
class PictureFitter {
 public:
  PictureFitter(const ImageShape& shape, Fitting fitting)
      : shape_(shape), fit_(fitting.how), resampler_(fitting.filter) {}

  // The picture as an image [channels, height, width] of bytes, resampled by Resampler; bit for bit
  // itself where it has that size already. A grey picture in colour has three equal channels.
  void Write(const PictureView& picture, uint8_t* image);

 private:
  const ImageShape shape_;
  const Fit fit_;
  Resampler resampler_;
  std::vector<uint8_t> fitted_;  // [height, width, 3]
};

// The same for one picture.
std::vector<uint8_t> FitPicture(const Image& picture, const ImageShape& shape, Fitting fitting);
// Of the whole picture, and of a part of it.
PictureView ViewOf(const Image& picture);
PictureView ViewOf(const Image& picture, const Rectangle& part);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FIT_H_
