#ifndef COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_
#define COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_

// Deterministic operations on an image's bytes, of which transforms are made. Results are rounded
// to the nearest byte (halves up) and clamped to 0 to 255.

#include <cstdint>

#include "data/augmentation/transform.h"

namespace cotangent::data {

// Rounds a real value to the nearest byte (halves up), clamped to 0 to 255.
uint8_t ToByte(double value);
// Returns 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601) of a pixel, or its value if the image
// has one channel only.
double GreyValue(const Planar& image, int64_t pixel);

void Brighten(double factor, Planar& image);     // each value v becomes v * factor
void SetContrast(double factor, Planar& image);  // v becomes m + (v - m) factor; m: the mean grey
void Saturate(double factor, Planar& image);  // v becomes g + (v - g) factor; g: the pixel's grey
// Turns the hue of each pixel by `turn` times a full circle, in the model of hue, saturation and
// value (Smith, "Color gamut transform pairs", 1978).
void TurnHue(double turn, Planar& image);
void MakeGrey(Planar& image);  // each channel becomes GreyValue()

// Maps output pixels to the source. In pixels from the centre of the image, output pixel (x, y)
// shows the source at (a x + b y + c, d x + e y + f). Warp() interpolates linearly between pixels;
// beyond the border the source is black.
struct AffineMap {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
void Warp(const AffineMap& map, Planar& image);

// Changes the sharpness: a value v becomes v + (s - v) (1 - factor), where s is the weighted mean,
// as a rounded byte, of the pixel, with weight 5, and of its eight neighbours, with weight 1 each.
// The outermost pixels do not change.
void Sharpen(double factor, Planar& image);
// Keeps the `bits` (0 to 8) highest bits of each value and clears the others.
void Posterize(int bits, Planar& image);
// Replaces values v of at least `threshold` by 255 - v.
void Solarize(double threshold, Planar& image);
// Stretches the values of each channel to the range 0 to 255. A channel with a single value does
// not change.
void AutoContrast(Planar& image);
// Makes the values of each channel about equally frequent, as Pillow, Python's imaging library, and
// torchvision do. A channel with fewer than 255 pixels below its brightest value does not change.
void Equalize(Planar& image);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_OPERATIONS_H_
