#include "tensor/layout.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace cotangent::tensor {
namespace {

int64_t BlockOf(int64_t channels, Layout layout) {
  switch (layout) {
    case Layout::kNchw:
      return 1;
    case Layout::kNhwc:
      return channels;
    case Layout::kBlocked8:
      return 8;
    case Layout::kBlocked16:
      return 16;
  }
  return 1;
}

template <typename To, typename From>
inline To Convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else {
    return static_cast<To>(static_cast<float>(value));
  }
}

// Copies between two layouts that both store several adjacent channels side by side: one span of
// such channels after the other, all pixels of each.
template <typename From, typename To>
void CopyChannelSpans(const Shape& shape, const From* source, const Strides& from, To* destination,
                      const Strides& to, int64_t padded_channels) {
  const int64_t channels = shape.channels(), pixels = shape.height() * shape.width();
  const int64_t span = std::min({from.block, to.block, channels});
  const int64_t spans = (channels + span - 1) / span;
  ParallelRanges(shape.batch() * spans, LeastItems(pixels * span), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t n = item / spans, c = item % spans * span;
      const From* read = source + n * from.n + c / from.block * from.c_block + c % from.block;
      To* write = destination + n * to.n + c / to.block * to.c_block + c % to.block;
      const int64_t count = std::min(span, channels - c);
      const int64_t padding = c + span >= channels ? padded_channels - c - count : 0;
      for (int64_t p = 0; p < pixels; ++p, read += from.w, write += to.w) {
        for (int64_t i = 0; i < count; ++i) write[i] = Convert<To>(read[i]);
        for (int64_t i = count; i < count + padding; ++i) write[i] = To{};
      }
    }
  });
}

// Copies to or from NCHW by transposing tiles of 16 channels by 16 pixels, which stay in the
// first-level cache.
template <typename From, typename To>
void TransposeTiles(const Shape& shape, const From* source, const Strides& from, To* destination,
                    const Strides& to, int64_t padded_channels) {
  constexpr int64_t kTile = 16;
  const int64_t channels = shape.channels(), pixels = shape.height() * shape.width();
  const int64_t channel_tiles = (padded_channels + kTile - 1) / kTile;
  const auto transpose = [&](int64_t first_item, int64_t end_item) {
    for (int64_t item = first_item; item < end_item; ++item) {
      const int64_t n = item / channel_tiles, begin = item % channel_tiles * kTile;
      const int64_t true_end = std::min(begin + kTile, channels),
                    end = std::min(begin + kTile, padded_channels);
      To tile[kTile][kTile] = {};  // [pixel][channel]
      int64_t read_offset[kTile], write_offset[kTile];
      for (int64_t c = begin; c < end; ++c) {
        read_offset[c - begin] = n * from.n + c / from.block * from.c_block + c % from.block;
        write_offset[c - begin] = n * to.n + c / to.block * to.c_block + c % to.block;
      }
      for (int64_t p = 0; p < pixels; p += kTile) {
        const int64_t count = std::min(kTile, pixels - p);
        if (from.w == 1) {
          for (int64_t c = 0; c < true_end - begin; ++c)
            for (int64_t i = 0; i < count; ++i)
              tile[i][c] = Convert<To>(source[read_offset[c] + p + i]);
        } else {
          for (int64_t i = 0; i < count; ++i)
            for (int64_t c = 0; c < true_end - begin; ++c)
              tile[i][c] = Convert<To>(source[read_offset[c] + (p + i) * from.w]);
        }
        if (to.w == 1) {
          for (int64_t c = 0; c < end - begin; ++c)
            for (int64_t i = 0; i < count; ++i) destination[write_offset[c] + p + i] = tile[i][c];
        } else {
          for (int64_t i = 0; i < count; ++i)
            for (int64_t c = 0; c < end - begin; ++c)
              destination[write_offset[c] + (p + i) * to.w] = tile[i][c];
        }
      }
    }
  };
  ParallelRanges(shape.batch() * channel_tiles, LeastItems(pixels * kTile), transpose);
}

template <typename From, typename To>
void CopyFlat(int64_t elements, const From* source, To* destination) {
  ParallelRanges(elements, LeastItems(1), [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) destination[i] = Convert<To>(source[i]);
  });
}

template <typename From, typename To>
void ReorderTyped(const Shape& shape, const void* source, Layout source_layout, void* destination,
                  Layout destination_layout) {
  const From* read = static_cast<const From*>(source);
  To* write = static_cast<To*>(destination);
  if (source_layout == destination_layout ||
      SameStorage(shape, source_layout, destination_layout)) {
    CopyFlat(StorageElements(shape, source_layout), read, write);
    return;
  }
  const Strides from = StridesOf(shape, source_layout), to = StridesOf(shape, destination_layout);
  const int64_t padded = PaddedChannels(shape.channels(), destination_layout);
  if (source_layout != Layout::kNchw && destination_layout != Layout::kNchw) {
    CopyChannelSpans(shape, read, from, write, to, padded);
  } else {
    TransposeTiles(shape, read, from, write, to, padded);
  }
}

}  // namespace

std::string_view Name(Layout layout) {
  switch (layout) {
    case Layout::kNchw:
      return "nchw";
    case Layout::kNhwc:
      return "nhwc";
    case Layout::kBlocked8:
      return "nChw8c";
    case Layout::kBlocked16:
      return "nChw16c";
  }
  return "?";
}

int64_t PaddedChannels(int64_t channels, Layout layout) {
  const int64_t block = BlockOf(channels, layout);
  return (channels + block - 1) / block * block;
}

int64_t StorageElements(const Shape& shape, Layout layout) {
  if (shape.rank() != 4) return shape.NumElements();
  return shape.batch() * PaddedChannels(shape.channels(), layout) * shape.height() * shape.width();
}

int64_t StorageBytes(const Shape& shape, Layout layout, ElementType type) {
  return StorageElements(shape, layout) * Bytes(type);
}

bool SameStorage(const Shape& shape, Layout a, Layout b) {
  if (a == b || shape.rank() != 4) return true;
  const int64_t channels = shape.channels(), pixels = shape.height() * shape.width();
  // Returns whether a layout stores this shape like plain [n, c, p] (like_nchw) or [n, p, c]
  // (like_nhwc), where n is the image, c the channel and p the pixel. A blocked layout does if
  // dividing the channels into blocks makes no difference.
  auto like_nchw = [&](Layout layout) {
    return layout == Layout::kNchw ||
           (pixels == 1 && PaddedChannels(channels, layout) == channels) ||
           (channels == 1 && layout == Layout::kNhwc);
  };
  auto like_nhwc = [&](Layout layout) {
    return layout == Layout::kNhwc || BlockOf(channels, layout) == channels ||
           (like_nchw(layout) && pixels == 1);
  };
  return (like_nchw(a) && like_nchw(b)) || (like_nhwc(a) && like_nhwc(b));
}

Strides StridesOf(const Shape& shape, Layout layout) {
  const int64_t channels = shape.channels(), height = shape.height(), width = shape.width();
  const int64_t block = BlockOf(channels, layout);
  return {.n = PaddedChannels(channels, layout) * height * width,
          .c_block = block * height * width,
          .h = block * width,
          .w = block,
          .block = block};
}

void Reorder(const Shape& shape, const void* source, Layout source_layout, ElementType source_type,
             void* destination, Layout destination_layout, ElementType destination_type) {
  auto reorder = [&]<typename From, typename To>(From, To) {
    ReorderTyped<From, To>(shape, source, source_layout, destination, destination_layout);
  };
  const bool to_f32 = destination_type == ElementType::kF32;
  switch (source_type) {
    case ElementType::kF32:
      return to_f32 ? reorder(float{}, float{}) : reorder(float{}, Bf16{});
    case ElementType::kBf16:
      return to_f32 ? reorder(Bf16{}, float{}) : reorder(Bf16{}, Bf16{});
    case ElementType::kS32:
      return reorder(int32_t{}, int32_t{});
    case ElementType::kU8:
      return reorder(uint8_t{}, uint8_t{});
    case ElementType::kS8:
      return reorder(int8_t{}, int8_t{});
    case ElementType::kF64:
      return reorder(double{}, double{});
  }
}

}  // namespace cotangent::tensor
