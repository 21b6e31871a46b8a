#include "data/fit.h"

#include <algorithm>
#include <cstring>

namespace cotangent::data {
namespace {

// Returns `numerator * factor / denominator`, rounded to the nearest integer, but at least 1.
int Scaled(int64_t numerator, int64_t factor, int64_t denominator) {
  return static_cast<int>(
      std::max<int64_t>(1, (2 * numerator * factor + denominator) / (2 * denominator)));
}

// Returns whether a picture has a larger ratio of width to height than an image of this width and
// height.
bool IsWide(const PictureView& picture, int width, int height) {
  return int64_t{picture.width} * height > int64_t{picture.height} * width;
}

// Returns the largest part in the middle of the picture that has the proportions width : height.
PictureView Middle(const PictureView& picture, int width, int height) {
  // Only the side that is too long is shortened.
  const bool wide = IsWide(picture, width, height);
  const int cut_width =
      std::min(picture.width, wide ? Scaled(picture.height, width, height) : picture.width);
  const int cut_height =
      std::min(picture.height, wide ? picture.height : Scaled(picture.width, height, width));
  const int left = (picture.width - cut_width) / 2, top = (picture.height - cut_height) / 2;
  return {picture.rgb + top * picture.row_bytes + int64_t{3} * left, cut_width, cut_height,
          picture.row_bytes};
}

}  // namespace

void PictureFitter::Write(const PictureView& picture, uint8_t* image) {
  const int width = shape_.width, height = shape_.height;
  PictureView source = picture;
  int inner_width = width, inner_height = height;
  if (fit_ == Fit::kCrop) source = Middle(picture, width, height);
  if (fit_ == Fit::kPad && IsWide(picture, width, height))
    inner_height = std::min(height, Scaled(picture.height, width, picture.width));
  else if (fit_ == Fit::kPad)
    inner_width = std::min(width, Scaled(picture.width, height, picture.height));
  const int64_t row_bytes = int64_t{3} * width;
  const int left = (width - inner_width) / 2, top = (height - inner_height) / 2;
  fitted_.assign(size_t{3} * width * height, 0);
  resampler_.Resample(source, inner_width, inner_height,
                      fitted_.data() + top * row_bytes + int64_t{3} * left, row_bytes);
  const size_t plane = size_t(width) * height;
  for (size_t i = 0; i < plane; ++i) {
    const uint8_t* const rgb = &fitted_[3 * i];
    if (shape_.channels == 1) {
      image[i] = static_cast<uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
    } else {
      for (int c = 0; c < 3; ++c) image[c * plane + i] = rgb[c];
    }
  }
}

std::vector<uint8_t> FitPicture(const Image& picture, const ImageShape& shape, Fitting fitting) {
  std::vector<uint8_t> image(size_t(shape.channels) * shape.height * shape.width);
  PictureFitter(shape, fitting).Write(ViewOf(picture), image.data());
  return image;
}

PictureView ViewOf(const Image& picture) {
  return ViewOf(picture, {0, 0, picture.width, picture.height});
}

PictureView ViewOf(const Image& picture, const Rectangle& part) {
  const int64_t row_bytes = int64_t{3} * picture.width;
  return {picture.rgb.data() + part.top * row_bytes + int64_t{3} * part.left, part.width,
          part.height, row_bytes};
}

}  // namespace cotangent::data
