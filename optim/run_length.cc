#include "optim/run_length.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace cotangent::optim {

absl::StatusOr<int64_t> StepsOf(const Length& length, const RunLength& run,
                                absl::string_view place) {
  double steps = 0;
  switch (length.kind_case()) {
    case Length::kSteps:
      steps = static_cast<double>(length.steps());
      break;
    case Length::kEpochs:
      steps = length.epochs() * static_cast<double>(run.steps_per_epoch);
      break;
    case Length::kFraction:
      if (length.fraction() > 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(place, ".fraction is ", length.fraction(),
                         ": a share of the run lies between 0 and 1"));
      }
      steps = length.fraction() * static_cast<double>(run.total_steps);
      break;
    case Length::KIND_NOT_SET:
      return absl::InvalidArgumentError(
          absl::StrCat(place, " is empty: give it one of steps, epochs or fraction"));
  }
  constexpr double kLongest = 1e15;
  if (!(steps >= 0 && steps <= kLongest)) {
    return absl::InvalidArgumentError(absl::StrCat(place, " (", length.ShortDebugString(), ") is ",
                                                   steps, " steps: expected 0 to ", kLongest));
  }
  return std::llround(steps);
}

}  // namespace cotangent::optim
