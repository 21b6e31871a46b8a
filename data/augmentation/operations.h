#ifndef COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_
#define COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_

// What transforms are made of: operations on an image's bytes, nothing random. Values are rounded
// to the nearest byte (halves up) and kept within 0 to 255.

#include <cstdint>

#include "data/augmentation/transform.h"

namespace cotangent::data {

// A real value as a byte.
uint8_t ToByte(double value);
// 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601) of a pixel, or its one channel.
double GreyValue(const Planar& image, int64_t pixel);

void Brighten(double factor, Planar& image);  // v f
void SetContrast(double factor, Planar& image);
void Saturate(double factor, Planar& image);
// `turn` is a share of the circle. In hue, saturation and value as Smith defined them ("Color gamut
// transform pairs", 1978).
void TurnHue(double turn, Planar& image);
void MakeGrey(Planar& image);

// Output pixel (x, y), measured from the centre of the image, shows the source at
// (a x + b y + c, d x + e y + f), interpolated linearly between pixels; black beyond the border.
struct AffineMap {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
void Warp(const AffineMap& map, Planar& image);

// v + (s - v) (1 - factor), s the mean of the pixel and its neighbours, itself counted five times
// of thirteen; the outermost pixels stay.
void Sharpen(double factor, Planar& image);
// Keeps the `bits` highest bits of each value, 0 to 8.
void Posterize(int bits, Planar& image);
// Values of at least `threshold` are taken from 255.
void Solarize(double threshold, Planar& image);
// Stretches each channel so that its values go from 0 to 255; a channel of one value stays.
void AutoContrast(Planar& image);
// Makes each channel's values about equally frequent, by the table that Python's imaging library
// and torchvision use.
void Equalize(Planar& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_
