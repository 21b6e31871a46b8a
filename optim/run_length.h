#ifndef COTANGENT_OPTIM_RUN_LENGTH_H_
#define COTANGENT_OPTIM_RUN_LENGTH_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"

namespace cotangent::optim {

// The length of a training run, by which lengths in epochs or in shares of the run are converted to
// steps.
struct RunLength {
  int64_t steps_per_epoch = 0;
  int64_t total_steps = 0;
  // How many more updates have been made than the number of the step says. This is not 0 for a run
  // that was resumed with larger batches, since its steps are renumbered by the images seen so far.
  // Update rules that count updates (such as Adam) get the step's number plus updates_ahead.
  int64_t updates_ahead = 0;
};

// Returns `length` in whole steps, rounded to the nearest. Errors: a length that is empty,
// negative, not a number, longer than 1e15 steps or, given as a fraction of the run, above 1;
// `place` names the field.
absl::StatusOr<int64_t> StepsOf(const Length& length, const RunLength& run,
                                absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RUN_LENGTH_H_
