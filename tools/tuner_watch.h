// Shows on standard error the progress of timing the implementations of convolutions, of which the
// fastest are chosen.
#ifndef COTANGENT_TOOLS_TUNER_WATCH_H_
#define COTANGENT_TOOLS_TUNER_WATCH_H_

#include <functional>

#include "layers/plan/tuner.h"

namespace cotangent::tools {

// Reports on standard error that convolutions are measured, with the progress about every ten
// seconds. If a measurement does not end, says so and ends the process with exit code 1.
// `cancelled` is called before each measurement, and before each part of a plan is compiled; if it
// returns true, that work ends with a Cancelled error.
layers::TunerWatch TerminalWatch(std::function<bool()> cancelled = nullptr);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TUNER_WATCH_H_
