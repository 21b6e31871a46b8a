#include "data/augmentation/operations.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cotangent::data {
namespace {

using Table = std::array<uint8_t, 256>;

void LookUp(const Table& table, uint8_t* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) values[i] = table[values[i]];
}

// Returns the table that maps v to base + (v - base) factor.
Table Blend(double base, double factor) {
  Table table;
  for (int v = 0; v < 256; ++v) table[v] = ToByte(base + (v - base) * factor);
  return table;
}

}  // namespace

uint8_t ToByte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

double GreyValue(const Planar& image, int64_t pixel) {
  if (image.channels == 1) return image.bytes[pixel];
  return 0.299 * image.channel(0)[pixel] + 0.587 * image.channel(1)[pixel] +
         0.114 * image.channel(2)[pixel];
}

void Brighten(double factor, Planar& image) {
  LookUp(Blend(0, factor), image.bytes.data(), static_cast<int64_t>(image.bytes.size()));
}

void SetContrast(double factor, Planar& image) {
  double sum = 0;
  for (int64_t i = 0; i < image.plane(); ++i) sum += GreyValue(image, i);
  LookUp(Blend(sum / static_cast<double>(image.plane()), factor), image.bytes.data(),
         static_cast<int64_t>(image.bytes.size()));
}

void Saturate(double factor, Planar& image) {
  if (image.channels == 1) return;
  for (int64_t i = 0; i < image.plane(); ++i) {
    const double grey = GreyValue(image, i);
    for (int c = 0; c < 3; ++c) {
      uint8_t& value = image.channel(c)[i];
      value = ToByte(grey + (value - grey) * factor);
    }
  }
}

void TurnHue(double turn, Planar& image) {
  if (image.channels == 1) return;
  for (int64_t i = 0; i < image.plane(); ++i) {
    uint8_t& red = image.channel(0)[i];
    uint8_t& green = image.channel(1)[i];
    uint8_t& blue = image.channel(2)[i];
    const double high = std::max({red, green, blue}), low = std::min({red, green, blue});
    const double chroma = high - low;
    if (chroma == 0) continue;
    // The hue, in sixths of the colour circle, beginning at red.
    double hue = high == red     ? (green - blue) / chroma
                 : high == green ? 2 + (blue - red) / chroma
                                 : 4 + (red - green) / chroma;
    hue += 6 * turn;
    hue -= 6 * std::floor(hue / 6);
    // A channel has the value `high` if the hue is within a sixth of the circle of the channel's
    // own colour, and `low` if more than two sixths away; in between, the value falls linearly.
    const auto channel = [&](double own) {
      const double apart = std::abs(hue - own), distance = std::min(apart, 6 - apart);
      return ToByte(high - chroma * std::clamp(distance - 1, 0.0, 1.0));
    };
    red = channel(0), green = channel(2), blue = channel(4);
  }
}

void MakeGrey(Planar& image) {
  if (image.channels == 1) return;
  for (int64_t i = 0; i < image.plane(); ++i) {
    const uint8_t grey = ToByte(GreyValue(image, i));
    for (int c = 0; c < 3; ++c) image.channel(c)[i] = grey;
  }
}

void Warp(const AffineMap& map, Planar& image) {
  const Planar source = image;
  const double centre_x = (image.width - 1) / 2.0, centre_y = (image.height - 1) / 2.0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double at_x = map.a * (x - centre_x) + map.b * (y - centre_y) + map.c + centre_x;
      const double at_y = map.d * (x - centre_x) + map.e * (y - centre_y) + map.f + centre_y;
      const double left = std::floor(at_x), top = std::floor(at_y);
      const bool is_beyond = left < -1 || top < -1 || left >= image.width || top >= image.height;
      const double across = at_x - left, down = at_y - top;
      for (int c = 0; c < image.channels; ++c) {
        double sum = 0;
        for (int k = 0; k < 4 && !is_beyond; ++k) {
          const int from_x = static_cast<int>(left) + k % 2, from_y = static_cast<int>(top) + k / 2;
          if (from_x < 0 || from_y < 0 || from_x >= image.width || from_y >= image.height) continue;
          sum += (k % 2 == 0 ? 1 - across : across) * (k / 2 == 0 ? 1 - down : down) *
                 source.channel(c)[int64_t{from_y} * image.width + from_x];
        }
        image.channel(c)[int64_t{y} * image.width + x] = ToByte(sum);
      }
    }
  }
}

void Sharpen(double factor, Planar& image) {
  const Planar source = image;
  for (int c = 0; c < image.channels; ++c) {
    const uint8_t* const from = source.channel(c);
    for (int y = 1; y + 1 < image.height; ++y) {
      for (int x = 1; x + 1 < image.width; ++x) {
        const int64_t at = int64_t{y} * image.width + x;
        double sum = 4.0 * from[at];
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) sum += from[at + int64_t{dy} * image.width + dx];
        }
        const double smooth = ToByte(sum / 13);
        image.channel(c)[at] = ToByte(smooth + (from[at] - smooth) * factor);
      }
    }
  }
}

void Posterize(int bits, Planar& image) {
  const auto mask = static_cast<uint8_t>(0xff00 >> std::clamp(bits, 0, 8));
  for (uint8_t& value : image.bytes) value &= mask;
}

void Solarize(double threshold, Planar& image) {
  for (uint8_t& value : image.bytes) {
    if (value >= threshold) value = 255 - value;
  }
}

void AutoContrast(Planar& image) {
  for (int c = 0; c < image.channels; ++c) {
    uint8_t* const values = image.channel(c);
    const auto [low, high] = std::minmax_element(values, values + image.plane());
    const double base = *low, range = *high - *low;
    if (range == 0) continue;
    Table table;
    for (int v = 0; v < 256; ++v) table[v] = ToByte((v - base) * 255 / range);
    LookUp(table, values, image.plane());
  }
}

void Equalize(Planar& image) {
  for (int c = 0; c < image.channels; ++c) {
    uint8_t* const values = image.channel(c);
    std::array<int64_t, 256> counts = {};
    for (int64_t i = 0; i < image.plane(); ++i) ++counts[values[i]];
    int last = 255;
    while (counts[last] == 0) --last;
    // The number of pixels that each value of the output should have. The pixels of the brightest
    // value are not counted, as in Pillow.
    const int64_t step = (image.plane() - counts[last]) / 255;
    if (step == 0) continue;
    Table table;
    int64_t sum = step / 2;
    for (int v = 0; v < 256; ++v) {
      table[v] = static_cast<uint8_t>(std::min<int64_t>(255, sum / step));
      sum += counts[v];
    }
    LookUp(table, values, image.plane());
  }
}

}  // namespace cotangent::data
