// Means over the ranks of stretches of one buffer, taken while the caller computes: how gradients
// are averaged while the rest of backpropagation goes on.
//
//   std::unique_ptr<Means> means = ranks.MakeMeans(gradients, {{5000, 3000}, {0, 5000}}, kF32);
//   ... the numbers from 5000 on are there ...
//   means->Begin(0);
//   ... the others are, too ...
//   means->Begin(1);
//   means->Finish();    // gradients now holds the means, the same bits on all ranks
//
// A stretch is cut into a share for each rank. Every rank sends its numbers of a share to the rank
// that has it, which adds them up in the order of the ranks and sends the mean to all: each number
// crosses a link twice, whatever the number of ranks, and the bits depend on neither the stretches
// nor on timing.
//
// In bf16, what is sent is rounded, and what rounding left over is added to the next numbers of the
// same place before they are rounded (Seide et al., "1-bit stochastic gradient descent", 2014), once
// where they are made and once where they are summed: over the steps nothing is lost.
#ifndef COTANGENT_DISTRIBUTED_MEANS_H_
#define COTANGENT_DISTRIBUTED_MEANS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/element_type.h"

namespace cotangent::distributed {

struct Stretch {
  int64_t begin = 0, size = 0;  // in floats
};

class Means {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Means() = default;
  // Begins with stretch number `stretch`, which nobody else may touch until Finish(). All ranks
  // begin the same stretches in the same order, each at most once before Finish().
  virtual void Begin(size_t stretch) = 0;
  // Waits until the means of all that was begun are in their place.
  virtual void Finish() = 0;
  // Drops what rounding has left over: after numbers that were infinite or not a number, and where
  // a checkpoint is written, which does not hold it.
  virtual void Forget() = 0;

  // When a stretch was last begun, and when its means were in place.
  struct Record {
    Clock::time_point begun, ended;
  };
  virtual const std::vector<Record>& records() const = 0;
};

// For how long any was under way.
double SecondsUnderWay(const std::vector<Means::Record>& records);

// ---- Loops

// sum += values.
void Add(absl::Span<const float> values, float* sum);
void Add(absl::Span<const Bf16> values, float* sum);
// values *= factor.
void Scale(float factor, absl::Span<float> values);
// rounded = values + remainders, rounded; remainders = what is left.
void RoundWithFeedback(absl::Span<const float> values, float* remainders, Bf16* rounded);
void Widen(absl::Span<const Bf16> values, float* wide);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MEANS_H_
