#ifndef COTANGENT_OPTIM_SCHEDULES_CURVE_H_
#define COTANGENT_OPTIM_SCHEDULES_CURVE_H_

// Kinds of learning rate schedules. Each has a file in this folder, which checks its settings (a
// message within ScheduleConfig of optimizer.proto, which has the formulas) and returns its curve.
// A line
//
//   const RegisterSchedule cosine(ScheduleConfig::kCosine, Cosine);
//
// registers it; no other code names a kind of schedule. Read cosine.cc first.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/settings_checker.h"
#include "base/status_macros.h"
#include "optim/optimizer.pb.h"
#include "optim/run_length.h"

namespace cotangent::optim {

// Returns the factor of the learning rate at `step` >= 0, counted from the end of the warm-up.
// Allocates nothing.
using Curve = std::function<double(int64_t step)>;

// What determines a curve besides its settings.
struct CurveContext {
  std::string place;  // the path of the settings in the recipe (the text that describes training)
  RunLength run;      // the whole run, with the warm-up
  int64_t rest;       // the steps of the run that follow the warm-up

  // Returns a length of at least one step. For other errors see StepsOf(). `field` is its name.
  absl::StatusOr<int64_t> LengthIn(const Length& length, absl::string_view field) const;
  // Returns the setting `length` in steps or, if it is not given, the rest of the run.
  template <typename Settings>
  absl::StatusOr<int64_t> LengthOf(const Settings& settings) const {
    Length length = settings.length();
    if (!settings.has_length()) length.set_steps(rest);
    return LengthIn(length, "length");
  }
};

// Returns the share of `length` steps that is over at `step`: from 0 to 1.
double ShareOver(int64_t step, int64_t length);

// Returns a value that goes from `from` (at s = 0) to `to` (at s = 1) along half a period of the
// cosine.
double CosineBetween(double from, double to, double s);

// Registers a kind of schedule. A second one for the same kind ends the program.
class RegisterSchedule {
 public:
  using Make = absl::StatusOr<Curve> (*)(const ScheduleConfig& config, const CurveContext& context);
  RegisterSchedule(ScheduleConfig::KindCase kind, Make make);
};

// Returns the curve of the kind that `config` chooses (constant {} if none), which begins after
// `warmup_steps`. Errors name a setting by its path, which begins with `place`, that of `config`.
absl::StatusOr<Curve> MakeCurve(const ScheduleConfig& config, const RunLength& run,
                                int64_t warmup_steps, absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_SCHEDULES_CURVE_H_
