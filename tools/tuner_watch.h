// Shows on standard error the progress of timing the implementations of convolutions, of which the
// fastest are chosen.
#ifndef COTANGENT_TOOLS_TUNER_WATCH_H_
#define COTANGENT_TOOLS_TUNER_WATCH_H_

#include <functional>

#include "layers/plan/tuner.h"

namespace cotangent::tools {

// Returns a watch for programs that run in a terminal. While implementations of convolutions are
// measured, the watch says so on standard error, with the progress about every ten seconds. If a
// measurement does not end, the watch says so and ends the process with exit code 1. `cancelled`,
// if given, is called before each measurement, and before each part of a plan (a network compiled
// for this machine, layers/plan/plan.h) is compiled; if it returns true, measuring or compiling
// ends with a Cancelled error.
layers::TunerWatch TerminalWatch(std::function<bool()> cancelled = nullptr);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TUNER_WATCH_H_
