// Averages stretches of a buffer over the ranks (the processes that train one network together)
// while the caller computes. Training averages its gradients this way while the rest of
// backpropagation goes on.
//
//   std::unique_ptr<Means> means = ranks.MakeMeans(gradients, {{5000, 3000}, {0, 5000}}, kF32);
//   ... gradients[5000] to [7999] are computed ...
//   means->Begin(0);
//   ... gradients[0] to [4999], too ...
//   means->Begin(1);
//   means->Finish();    // gradients now holds the means, the same bits on all ranks
//
// A stretch is cut into one share for each rank, which owns this share. Each rank sends its numbers
// of a share to the rank that owns it. The owner adds them up in the order of the ranks and sends
// the mean to all. So a rank sends and receives less than twice the numbers of a stretch, whatever
// the number of ranks, and the result depends neither on how the buffer is cut into stretches nor
// on timing.
//
// In bf16, numbers are rounded before they are sent, and the rounding error is added, in the next
// training step, to the number at the same position of the buffer before that is rounded (Seide et
// al., "1-bit stochastic gradient descent", 2014). This happens to each rank's numbers and again to
// the means, so that the rounding errors of many steps do not add up.
#ifndef COTANGENT_DISTRIBUTED_MEANS_H_
#define COTANGENT_DISTRIBUTED_MEANS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/element_type.h"

namespace cotangent::distributed {

// A range of the buffer that is averaged as a whole.
struct Stretch {
  int64_t begin = 0, size = 0;  // in floats
};

class Means {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Means() = default;
  // Begins to average stretch number `stretch` (an index into the stretches given to MakeMeans());
  // the caller must not touch the stretch's numbers until Finish() has returned. All ranks begin
  // the same stretches in the same order, each at most once before Finish().
  virtual void Begin(size_t stretch) = 0;
  // Waits until the means of all stretches begun are in the buffer.
  virtual void Finish() = 0;
  // Sets to zero the rounding errors that would be added to the next step's numbers. Call it after
  // infinite or NaN numbers, and when a checkpoint is written, since checkpoints do not contain
  // these errors.
  virtual void Forget() = 0;

  // The times at which the last averaging of a stretch began, and at which its means were in the
  // buffer.
  struct Record {
    Clock::time_point begun, ended;
  };
  // Returns a record for each stretch, in the order of the stretches given to MakeMeans().
  virtual const std::vector<Record>& records() const = 0;
};

// Returns the seconds during which at least one record's stretch was being averaged (the length of
// the union of the intervals from `begun` to `ended`).
double SecondsUnderWay(const std::vector<Means::Record>& records);

// ---- Functions for implementations of Means: arithmetic on the numbers of a stretch -------------

// Computes sum += values.
void Add(absl::Span<const float> values, float* sum);
void Add(absl::Span<const Bf16> values, float* sum);
// Computes values *= factor.
void Scale(float factor, absl::Span<float> values);
// Sets rounded = values + remainders, rounded to bf16, and remainders = the errors of this
// rounding.
void RoundWithFeedback(absl::Span<const float> values, float* remainders, Bf16* rounded);
// Sets wide = values, converted to float.
void Widen(absl::Span<const Bf16> values, float* wide);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MEANS_H_
