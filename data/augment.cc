#include "data/augment.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "data/random.h"

namespace cotangent::data {
namespace {

constexpr int kLargestSide = 256;
constexpr int kTableEntries = 257;
constexpr int kCutOut = 256;

// The source row or column that padding by reflection shows at `at`, |at| < 2 * size - 1.
int Reflect(int at, int size) {
  if (size == 1) return 0;
  if (at < 0) at = -at;
  return at >= size ? 2 * (size - 1) - at : at;
}

}  // namespace

Normalization KnownNormalization(DatasetName name) {
  switch (name) {
    case DatasetName::kCifar10:
    case DatasetName::kSample:
      return {{0.49140, 0.48216, 0.44653}, {0.24703, 0.24349, 0.26159}};
    case DatasetName::kCifar100:
      return {{0.50707, 0.48655, 0.44092}, {0.26733, 0.25644, 0.27615}};
  }
  return {};
}

Normalization ComputeNormalization(const Dataset& dataset) {
  Normalization result;
  const int64_t plane = int64_t{dataset.height} * dataset.width;
  for (int channel = 0; channel < dataset.channels; ++channel) {
    // Sums of bytes and of their squares are exact in 64 bits.
    int64_t sum = 0, squares = 0;
    for (int64_t image = 0; image < dataset.size(); ++image) {
      const uint8_t* pixels = dataset.image(image) + channel * plane;
      int32_t image_sum = 0, image_squares = 0;
      for (int64_t i = 0; i < plane; ++i) {
        image_sum += pixels[i];
        image_squares += pixels[i] * pixels[i];
      }
      sum += image_sum;
      squares += image_squares;
    }
    const double count = std::max<double>(1, static_cast<double>(dataset.size() * plane));
    const double mean = sum / count;
    const double variance = squares / count - mean * mean;
    result.mean[channel] = mean / 255;
    result.deviation[channel] = variance > 1e-9 ? std::sqrt(variance) / 255 : 1;
  }
  return result;
}

absl::Status Validate(const Augmentation& augmentation, int height, int width) {
  const int side = std::min(height, width);
  if (augmentation.crop_padding < 0 || augmentation.crop_padding >= side) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the padding of the random crop is ", augmentation.crop_padding, "; images of ", height,
        " x ", width, " take 0 to ", side - 1));
  }
  if (augmentation.cutout < 0 || augmentation.cutout > 2 * side) {
    return absl::InvalidArgumentError(absl::StrCat("the size of the cutout is ",
                                                   augmentation.cutout, "; images of ", height,
                                                   " x ", width, " take 0 to ", 2 * side));
  }
  return absl::OkStatus();
}

Placement PlacementOf(const Augmentation& augmentation, int height, int width, uint64_t seed,
                      int64_t epoch, int64_t image) {
  Placement placement;
  placement.padding = augmentation.padding;
  // Every number is drawn whatever the options are, so that turning one on does not change the others.
  SplitMix64 random = GeneratorAt(seed, Purpose::kPlacement, epoch, image);
  const int padding = augmentation.crop_padding;
  placement.dy = static_cast<int>(random.Below(2 * padding + 1)) - padding;
  placement.dx = static_cast<int>(random.Below(2 * padding + 1)) - padding;
  const bool coin = random.Coin();
  const int cut_y = random.Below(height);
  const int cut_x = random.Below(width);
  if (augmentation.flip == Flip::kRandom) placement.flip = coin;
  if (augmentation.flip == Flip::kAlternating) {
    const bool side = GeneratorAt(seed, Purpose::kFlipSide, 0, image).Coin();
    placement.flip = side != ((epoch & 1) != 0);
  }
  if (augmentation.cutout > 0) {
    const int top = cut_y - augmentation.cutout / 2, left = cut_x - augmentation.cutout / 2;
    placement.cut_top = std::max(0, top);
    placement.cut_bottom = std::min(height, top + augmentation.cutout);
    placement.cut_left = std::max(0, left);
    placement.cut_right = std::min(width, left + augmentation.cutout);
  }
  return placement;
}

std::vector<View> TestTimeViews() {
  std::vector<View> views;
  for (auto [shift, weight] : {std::pair(0, 0.25f), std::pair(-1, 0.125f), std::pair(1, 0.125f)}) {
    for (bool flip : {false, true}) {
      views.push_back({.placement = {.dy = shift, .dx = shift, .flip = flip}, .weight = weight});
    }
  }
  return views;
}

int64_t BytesPerElement(BatchFormat format) {
  return format == BatchFormat::kF32Nchw || format == BatchFormat::kF32Nhwc ? 4 : 2;
}

uint16_t ToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

ImageWriter::ImageWriter(int channels, int height, int width, const Normalization& normalization,
                         BatchFormat format)
    : channels_(channels), height_(height), width_(width), format_(format) {
  for (int channel = 0; channel < channels; ++channel) {
    for (int value = 0; value < kTableEntries; ++value) {
      const double normalized =
          value == kCutOut
              ? 0
              : (value / 255.0 - normalization.mean[channel]) / normalization.deviation[channel];
      f32_table_.push_back(static_cast<float>(normalized));
      bf16_table_.push_back(ToBf16(f32_table_.back()));
    }
  }
}

int64_t ImageWriter::output_bytes() const {
  return BytesPerElement(format_) * channels_ * height_ * width_;
}

template <typename Element, bool kChannelsLast>
void ImageWriter::WriteAs(const uint8_t* source, const Placement& placement, const Element* table,
                          Element* output) const {
  const int width = width_, channels = channels_;
  // Column x of the output shows column column[x] of the source; where that is `width`, black.
  uint16_t column[kLargestSide];
  for (int x = 0; x < width; ++x) {
    const int at = (placement.flip ? width - 1 - x : x) + placement.dx;
    const bool outside = at < 0 || at >= width;
    column[x] = outside && placement.padding == Padding::kZero ? width : Reflect(at, width);
  }
  uint8_t row[kLargestSide + 1];
  row[width] = 0;
  for (int y = 0; y < height_; ++y) {
    const int at = y + placement.dy;
    const bool black = (at < 0 || at >= height_) && placement.padding == Padding::kZero;
    const bool cut = y >= placement.cut_top && y < placement.cut_bottom;
    for (int channel = 0; channel < channels; ++channel) {
      if (black) {
        std::memset(row, 0, width);
      } else {
        std::memcpy(row, source + (channel * height_ + Reflect(at, height_)) * width, width);
      }
      const Element* values = table + channel * kTableEntries;
      constexpr bool kLast = kChannelsLast;
      const int stride = kLast ? channels : 1;
      Element* to = kLast ? output + y * width * channels + channel
                          : output + (channel * height_ + y) * width;
      for (int x = 0; x < width; ++x) to[x * stride] = values[row[column[x]]];
      if (cut) {
        for (int x = placement.cut_left; x < placement.cut_right; ++x) {
          to[x * stride] = values[kCutOut];
        }
      }
    }
  }
}

void ImageWriter::Write(const uint8_t* source, const Placement& placement, void* output) const {
  auto* f32 = static_cast<float*>(output);
  auto* bf16 = static_cast<uint16_t*>(output);
  switch (format_) {
    case BatchFormat::kF32Nchw:
      return WriteAs<float, false>(source, placement, f32_table_.data(), f32);
    case BatchFormat::kF32Nhwc:
      return WriteAs<float, true>(source, placement, f32_table_.data(), f32);
    case BatchFormat::kBf16Nchw:
      return WriteAs<uint16_t, false>(source, placement, bf16_table_.data(), bf16);
    case BatchFormat::kBf16Nhwc:
      return WriteAs<uint16_t, true>(source, placement, bf16_table_.data(), bf16);
  }
}

}  // namespace cotangent::data
