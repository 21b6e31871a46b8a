#ifndef COTANGENT_OPTIM_BUFFER_LOOPS_H_
#define COTANGENT_OPTIM_BUFFER_LOOPS_H_

// Loops over flat buffers that the optimizer and several update rules share.

#include <cstdint>

#include "base/dispatch.h"

namespace cotangent::optim {

// A summary of a range of gradients: the sum of their squares, and whether all of them are finite.
// The last bits of sum_of_squares depend on the instruction set and on how a buffer is cut into
// pieces.
struct GradientSummary {
  double sum_of_squares;
  bool finite;
};

// Pointers to the loops, compiled for one instruction set.
struct BufferLoops {
  // Computes average = keep * average + (1 - keep) * values.
  void (*blend)(float* average, const float* values, int64_t size, float keep);
  // Returns the summary of `size` gradients.
  GradientSummary (*summarise)(const float* gradients, int64_t size);
  // Returns whether none of `size` values is infinite or NaN.
  bool (*all_finite)(const float* values, int64_t size);
};

BufferLoops BufferLoopsFor(InstructionSet instructions = WidestInstructionSet());

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_BUFFER_LOOPS_H_
