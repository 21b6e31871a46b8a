#ifndef COTANGENT_OPTIM_RUN_LENGTH_H_
#define COTANGENT_OPTIM_RUN_LENGTH_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"

namespace cotangent::optim {

// How long a training run is: what lengths given in epochs or in shares of the run are converted
// with.
struct RunLength {
  int64_t steps_per_epoch = 0;
  int64_t total_steps = 0;
  // How many more updates have been made than the number of a step tells: of a run that went on
  // with larger batches, so that its steps are counted anew by the images behind them. Rules that
  // count their updates go by it.
  int64_t updates_ahead = 0;
};

// `length` in whole steps, rounded to the nearest. `place` names the field in the error of a length
// that is empty, negative, not a number or, given as a fraction, above 1.
absl::StatusOr<int64_t> StepsOf(const Length& length, const RunLength& run,
                                absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RUN_LENGTH_H_
