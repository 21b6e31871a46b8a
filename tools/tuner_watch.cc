#include "tools/tuner_watch.h"

#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>

#include "tools/command_line.h"
#include "training/plan_cache.h"

namespace cotangent::tools {
namespace {

// Returns a function to be called before each convolution is measured, with the number of those
// measured before it. The function reports progress on standard error: before the first
// convolution, and then before each one that comes more than kEvery after the last report.
std::function<void(int)> SignsOfLife() {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery(10);
  return [start = Clock::now(), last = Clock::now()](int measured) mutable {
    const Clock::time_point now = Clock::now();
    if (measured == 0) {
      start = last = now;
      fprintf(stderr, "measuring convolutions on this machine (once)...\n");
    } else if (now - last > kEvery) {
      last = now;
      fprintf(stderr, "measured %d convolutions in %.0f s, going on...\n", measured,
              std::chrono::duration<double>(now - start).count());
    }
  };
}

void EndStuck(const std::string& message) {
  fprintf(stderr,
          "%s: this is noted in %s, and it will not be tried again; please start once more\n",
          message.c_str(), training::PlanCachePath().c_str());
  _exit(kExitFailed);
}

}  // namespace

layers::TunerWatch TerminalWatch(std::function<bool()> cancelled) {
  return {.before_measuring = SignsOfLife(), .cancelled = std::move(cancelled), .stuck = EndStuck};
}

}  // namespace cotangent::tools
