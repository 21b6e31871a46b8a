#ifndef COTANGENT_DATA_FIT_H_
#define COTANGENT_DATA_FIT_H_

// How a picture of any size becomes an image of a network's size.

#include <cstdint>
#include <vector>

#include "data/image.h"

namespace cotangent::data {

enum class Fit {
  kStretch,  // each axis by itself
  kCrop,     // the middle of the picture, as large as its sides allow in the image's proportions
  kPad,      // the whole picture in the middle, black beside it
};

struct ImageShape {
  int channels = 3;  // 1: grey, 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601); 3: colour
  int height = 32;
  int width = 32;
};

// The picture as an image [channels, height, width] of bytes, resampled by Resize() of
// data/image_file.h; bit for bit itself where it has that size already. A grey picture in colour
// has three equal channels.
std::vector<uint8_t> FitPicture(const Image& picture, const ImageShape& shape, Fit fit);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FIT_H_
