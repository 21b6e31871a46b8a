#include "data/convert.h"

#include <cstring>
#include <type_traits>

#include "base/dispatch.h"
#include "base/element_type.h"

namespace cotangent::data {
namespace {

constexpr int kLanes = 16;
using Bytes __attribute__((vector_size(kLanes))) = uint8_t;

template <typename Vector, typename T>
COTANGENT_INLINE void Load(const T* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof(vector));
}

template <typename Element>
COTANGENT_INLINE void StoreOne(float value, Element* to) {
  if constexpr (std::is_same_v<Element, float>) {
    *to = value;
  } else {
    *to = FloatToBf16(value);
  }
}

template <typename Element>
COTANGENT_INLINE void Planar(const ByteRows& rows, int64_t channel_stride, Element* output) {
  const int64_t count = int64_t{rows.rows} * rows.width;
  for (int c = 0; c < rows.channels; ++c) {
    const uint8_t* __restrict from = rows.bytes + c * rows.channel_stride;
    Element* __restrict to = output + c * channel_stride;
    const float scale = rows.scale[c], offset = rows.offset[c];
    for (int64_t i = 0; i < count; ++i) StoreOne(from[i] * scale + offset, to + i);
  }
}

// Returns a vector whose lane i is lane kFrom[i] of the 32 lanes of `a` (0 to 15) and `b` (16 to
// 31).
template <int... kFrom>
COTANGENT_INLINE Bytes Shuffle(const Bytes& a, const Bytes& b) {
  return __builtin_shufflevector(a, b, kFrom...);
}

// Interleaves three vectors of bytes r0 r1 ..., g0 g1 ..., b0 b1 ... to r0 g0 b0 r1 ...: the inner
// shuffle puts red and green in their positions, the outer one puts blue between them.
COTANGENT_INLINE void Interleave(const Bytes& r, const Bytes& g, const Bytes& b, Bytes (&out)[3]) {
  out[0] = Shuffle<0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15>(
      Shuffle<0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5>(r, g), b);
  out[1] = Shuffle<0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15>(
      Shuffle<21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26>(r, g), b);
  out[2] = Shuffle<26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31>(
      Shuffle<0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0>(r, g), b);
}

template <typename Element>
COTANGENT_INLINE void Interleaved(const ByteRows& rows, Element* output) {
  const int64_t count = int64_t{rows.rows} * rows.width;
  if (rows.channels == 1) return Planar(rows, count, output);
  const uint8_t* r = rows.bytes;
  const uint8_t* g = r + rows.channel_stride;
  const uint8_t* b = g + rows.channel_stride;
  float scale[3 * kLanes], offset[3 * kLanes];
  for (int i = 0; i < 3 * kLanes; ++i) {
    scale[i] = rows.scale[i % 3];
    offset[i] = rows.offset[i % 3];
  }
  int64_t x = 0;
  for (; x + kLanes <= count; x += kLanes) {
    Bytes planes[3], pixels[3];
    Load(r + x, planes[0]);
    Load(g + x, planes[1]);
    Load(b + x, planes[2]);
    Interleave(planes[0], planes[1], planes[2], pixels);
    uint8_t bytes[3 * kLanes];
    std::memcpy(bytes, pixels, sizeof(bytes));
    Element* __restrict to = output + 3 * x;
    for (int i = 0; i < 3 * kLanes; ++i) StoreOne(bytes[i] * scale[i] + offset[i], to + i);
  }
  for (; x < count; ++x) {
    StoreOne(r[x] * rows.scale[0] + rows.offset[0], output + 3 * x);
    StoreOne(g[x] * rows.scale[1] + rows.offset[1], output + 3 * x + 1);
    StoreOne(b[x] * rows.scale[2] + rows.offset[2], output + 3 * x + 2);
  }
}

template <typename Element>
struct PlanarLoop {
  static COTANGENT_INLINE void Run(const ByteRows& rows, int64_t channel_stride, Element* output) {
    Planar(rows, channel_stride, output);
  }
};
template <typename Element>
struct InterleavedLoop {
  static COTANGENT_INLINE void Run(const ByteRows& rows, Element* output) {
    Interleaved(rows, output);
  }
};

}  // namespace

template <typename Element>
Converters<Element> ConvertersFor(InstructionSet instructions) {
  return {LoopFor<PlanarLoop<Element>>(instructions),
          LoopFor<InterleavedLoop<Element>>(instructions)};
}

template Converters<float> ConvertersFor<float>(InstructionSet);
template Converters<uint16_t> ConvertersFor<uint16_t>(InstructionSet);

}  // namespace cotangent::data
