#ifndef COTANGENT_OPTIM_BUFFER_LOOPS_H_
#define COTANGENT_OPTIM_BUFFER_LOOPS_H_

// Loops over flat buffers that belong to no rule.

#include <cstdint>

#include "base/dispatch.h"

namespace cotangent::optim {

// What one look at a stretch of gradients tells. sum_of_squares depends, in its last bits, on the
// instruction set and on how a buffer is cut.
struct GradientSummary {
  double sum_of_squares;
  bool finite;
};

struct BufferLoops {
  // average = keep average + (1 - keep) values
  void (*blend)(float* average, const float* values, int64_t size, float keep);
  GradientSummary (*summarise)(const float* gradients, int64_t size);
  bool (*all_finite)(const float* values, int64_t size);
};

BufferLoops BufferLoopsFor(InstructionSet instructions = WidestInstructionSet());

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_BUFFER_LOOPS_H_
