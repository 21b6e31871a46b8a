#include "data/fit.h"

#include <algorithm>
#include <cstring>

#include "data/image_file.h"

namespace cotangent::data {
namespace {

Image Cut(const Image& picture, int left, int top, int width, int height) {
  Image cut = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (int y = 0; y < height; ++y) {
    std::memcpy(&cut.rgb[size_t{3} * y * width],
                &picture.rgb[size_t{3} * ((size_t(top) + y) * picture.width + left)],
                size_t{3} * width);
  }
  return cut;
}

// `numerator * factor / denominator`, rounded, at least 1.
int Scaled(int64_t numerator, int64_t factor, int64_t denominator) {
  return static_cast<int>(
      std::max<int64_t>(1, (2 * numerator * factor + denominator) / (2 * denominator)));
}

Image Sized(const Image& picture, int width, int height) {
  return picture.width == width && picture.height == height ? picture
                                                            : Resize(picture, width, height);
}

Image Cropped(const Image& picture, int width, int height) {
  // The side that is too long, in the image's proportions to the other.
  const bool wide = int64_t{picture.width} * height > int64_t{picture.height} * width;
  const int cut_width = wide ? Scaled(picture.height, width, height) : picture.width;
  const int cut_height = wide ? picture.height : Scaled(picture.width, height, width);
  return Sized(Cut(picture, (picture.width - std::min(cut_width, picture.width)) / 2,
                   (picture.height - std::min(cut_height, picture.height)) / 2,
                   std::min(cut_width, picture.width), std::min(cut_height, picture.height)),
               width, height);
}

Image Padded(const Image& picture, int width, int height) {
  const bool wide = int64_t{picture.width} * height > int64_t{picture.height} * width;
  const int inner_width =
      wide ? width : std::min(width, Scaled(picture.width, height, picture.height));
  const int inner_height =
      wide ? std::min(height, Scaled(picture.height, width, picture.width)) : height;
  const Image inner = Sized(picture, inner_width, inner_height);
  Image padded = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  const int left = (width - inner_width) / 2, top = (height - inner_height) / 2;
  for (int y = 0; y < inner_height; ++y) {
    std::memcpy(&padded.rgb[size_t{3} * ((size_t(top) + y) * width + left)],
                &inner.rgb[size_t{3} * y * inner_width], size_t{3} * inner_width);
  }
  return padded;
}

Image Fitted(const Image& picture, int width, int height, Fit fit) {
  switch (fit) {
    case Fit::kStretch:
      return Sized(picture, width, height);
    case Fit::kCrop:
      return Cropped(picture, width, height);
    case Fit::kPad:
      return Padded(picture, width, height);
  }
  return picture;
}

}  // namespace

std::vector<uint8_t> FitPicture(const Image& picture, const ImageShape& shape, Fit fit) {
  const Image fitted = Fitted(picture, shape.width, shape.height, fit);
  if (shape.channels == 3) return ToPlanar(fitted);
  std::vector<uint8_t> grey(size_t(shape.width) * shape.height);
  for (size_t i = 0; i < grey.size(); ++i) {
    const uint8_t* rgb = &fitted.rgb[3 * i];
    grey[i] = static_cast<uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
  }
  return grey;
}

}  // namespace cotangent::data
