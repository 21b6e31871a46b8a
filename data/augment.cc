#include "data/augment.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "data/random.h"

namespace cotangent::data {
namespace {

constexpr int kLargestSide = kLargestImageSide;
constexpr int kRowsPerBand = 8;  // rows that WriteAs() places before it converts them

// Returns the source row or column shown at position `at` if a side of `size` pixels is padded by
// reflection. REQUIRES: |at| < 2 * size - 1.
int Reflect(int at, int size) {
  if (size == 1) return 0;
  if (at < 0) at = -at;
  return at >= size ? 2 * (size - 1) - at : at;
}

// CopyForwards() copies `count` bytes, CopyMirrored() does so in reverse order. `count` is usually
// a few dozen. For so few bytes memcpy with a variable length spends more time on choosing a method
// than on copying.
void CopyForwards(const uint8_t* from, int count, uint8_t* to) {
  if (count < 16) {
    for (int i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (int i = 0; i + 16 <= count; i += 16) std::memcpy(to + i, from + i, 16);
  std::memcpy(to + count - 16, from + count - 16, 16);
}

void CopyMirrored(const uint8_t* from, int count, uint8_t* to) {
  const auto copy_eight = [=](int i) {
    uint64_t bytes;
    std::memcpy(&bytes, from + i, 8);
    bytes = __builtin_bswap64(bytes);
    std::memcpy(to + count - 8 - i, &bytes, 8);
  };
  if (count < 8) {
    for (int i = 0; i < count; ++i) to[count - 1 - i] = from[i];
    return;
  }
  for (int i = 0; i + 8 <= count; i += 8) copy_eight(i);
  copy_eight(count - 8);
}

// Writes one row of a channel: shifted, padded and mirrored as `placement` says.
void PlaceRow(const uint8_t* source, int width, const Placement& placement, uint8_t* row) {
  // Before mirroring, columns [begin, end) of the row show the source; the other columns are
  // padding.
  const int dx = placement.dx, begin = std::max(0, -dx), end = std::min(width, width - dx);
  const auto pad = [&](int x) {
    const uint8_t value = placement.padding == Padding::kZero ? 0 : source[Reflect(x + dx, width)];
    row[placement.flip ? width - 1 - x : x] = value;
  };
  if (placement.flip) {
    CopyMirrored(source + begin + dx, end - begin, row + width - end);
  } else {
    CopyForwards(source + begin + dx, end - begin, row + begin);
  }
  for (int x = 0; x < begin; ++x) pad(x);
  for (int x = end; x < width; ++x) pad(x);
}

}  // namespace

absl::Status Validate(const Augmentation& augmentation, int height, int width) {
  const int side = std::min(height, width);
  if (augmentation.crop_padding < 0 || augmentation.crop_padding >= side) {
    return absl::InvalidArgumentError(absl::StrCat("the padding of the random crop is ",
                                                   augmentation.crop_padding, "; images of ",
                                                   height, " x ", width, " take 0 to ", side - 1));
  }
  if (augmentation.cutout < 0 || augmentation.cutout > side) {
    return absl::InvalidArgumentError(absl::StrCat("the size of the cutout is ",
                                                   augmentation.cutout, "; images of ", height,
                                                   " x ", width, " take 0 to ", side));
  }
  return absl::OkStatus();
}

Placement PlacementOf(const Augmentation& augmentation, int height, int width, uint64_t seed,
                      int64_t epoch, int64_t image) {
  Placement placement;
  placement.padding = augmentation.padding;
  // Every number that `random` yields here is drawn even if the option that uses it is off, so that
  // turning one option on does not change the numbers drawn for the others.
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

ImageWriter::ImageWriter(int channels, int height, int width, const Normalisation& normalisation,
                         BatchFormat format)
    : channels_(channels),
      height_(height),
      width_(width),
      format_(format),
      to_f32_(ConvertersFor<float>()),
      to_bf16_(ConvertersFor<uint16_t>()) {
  for (int c = 0; c < 3; ++c) {
    scale_[c] = static_cast<float>(1 / (255 * normalisation.deviation[c]));
    offset_[c] = static_cast<float>(-normalisation.mean[c] / normalisation.deviation[c]);
  }
}

int64_t ImageWriter::output_bytes() const {
  return BytesPerElement(format_) * channels_ * height_ * width_;
}

template <typename Element>
void ImageWriter::WriteAs(const uint8_t* source, const Placement& placement,
                          const Converters<Element>& converters, Element* output) const {
  const bool channels_last = format_ == BatchFormat::kF32Nhwc || format_ == BatchFormat::kBf16Nhwc;
  const int64_t plane = int64_t{height_} * width_;
  // Copies several rows to `band`, shifted and mirrored (PlaceRow()), before it converts them to
  // numbers. If each row were converted right after it is copied, the processor would have to wait
  // until the row's bytes are stored.
  uint8_t band[3 * kRowsPerBand * kLargestSide];
  const int64_t band_stride = int64_t{kRowsPerBand} * width_;
  for (int top = 0; top < height_; top += kRowsPerBand) {
    const int rows = std::min(kRowsPerBand, height_ - top);
    for (int c = 0; c < channels_; ++c) {
      for (int y = 0; y < rows; ++y) {
        const int at = top + y + placement.dy;
        uint8_t* row = band + c * band_stride + y * width_;
        if ((at < 0 || at >= height_) && placement.padding == Padding::kZero) {
          std::memset(row, 0, width_);
        } else {
          PlaceRow(source + c * plane + Reflect(at, height_) * width_, width_, placement, row);
        }
      }
    }
    const ByteRows bytes = {band,   band_stride,   channels_,     rows,
                            width_, scale_.data(), offset_.data()};
    if (channels_last) {
      converters.interleaved(bytes, output + int64_t{top} * width_ * channels_);
    } else {
      converters.planar(bytes, plane, output + int64_t{top} * width_);
    }
  }
  // Cutout sets pixels to the mean, which is zero after normalisation. In both element types all
  // bits of zero are zero.
  const size_t cut_bytes = sizeof(Element) * std::max(0, placement.cut_right - placement.cut_left);
  for (int y = placement.cut_top; y < placement.cut_bottom; ++y) {
    const int64_t first = int64_t{y} * width_ + placement.cut_left;
    if (channels_last) {
      std::memset(output + first * channels_, 0, cut_bytes * channels_);
    } else {
      for (int c = 0; c < channels_; ++c) std::memset(output + c * plane + first, 0, cut_bytes);
    }
  }
}

void ImageWriter::Write(const uint8_t* source, const Placement& placement, void* output) const {
  if (BytesPerElement(format_) == 4) {
    WriteAs(source, placement, to_f32_, static_cast<float*>(output));
  } else {
    WriteAs(source, placement, to_bf16_, static_cast<uint16_t*>(output));
  }
}

}  // namespace cotangent::data
