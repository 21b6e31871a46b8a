// What the terminal shows while convolutions are measured.
#ifndef COTANGENT_TOOLS_TUNER_WATCH_H_
#define COTANGENT_TOOLS_TUNER_WATCH_H_

#include <functional>

#include "layers/plan/tuner.h"

namespace cotangent::tools {

// Reports on standard error that convolutions are measured, with the progress about every ten
// seconds. If a measurement does not come back, says so and ends the process with exit code 1.
// `cancelled` is called before each measurement; if it returns true, measuring stops.
layers::TunerWatch TerminalWatch(std::function<bool()> cancelled = nullptr);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TUNER_WATCH_H_
