#ifndef COTANGENT_DATA_CONVERT_H_
#define COTANGENT_DATA_CONVERT_H_

// Converts bytes to normalised numbers: the inner loops of making a batch, compiled for each
// instruction set (base/dispatch.h). Every processor computes the same bits, since the product and
// the sum are rounded separately (-ffp-contract=off in BUILD).

#include <cstdint>

#include "base/cpu.h"

namespace cotangent::data {

// Rows of bytes of one or three channels. A byte of channel c is converted to byte * scale[c] +
// offset[c].
struct ByteRows {
  const uint8_t* bytes;  // row y of channel c begins at bytes + c * channel_stride + y * width
  int64_t channel_stride;
  int channels;  // 1 or 3
  int rows;
  int width;
  const float* scale;   // [channels]
  const float* offset;  // [channels]
};

// Conversion functions. Element is float, or uint16_t for bf16 (rounded to nearest, ties to even).
template <typename Element>
struct Converters {
  // Writes planes: row y of channel c goes to output + c * channel_stride + y * rows.width.
  void (*planar)(const ByteRows& rows, int64_t channel_stride, Element* output);
  // Writes pixels, channels last: row y goes to output + y * rows.width * rows.channels.
  void (*interleaved)(const ByteRows& rows, Element* output);
};

// Returns the functions as they were compiled for `instructions`.
template <typename Element>
Converters<Element> ConvertersFor(InstructionSet instructions = WidestInstructionSet());

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_CONVERT_H_
