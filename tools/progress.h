// Shows the progress of training: on a terminal, one live line for each epoch; elsewhere, one plain
// line for each epoch.
#ifndef COTANGENT_TOOLS_PROGRESS_H_
#define COTANGENT_TOOLS_PROGRESS_H_

#include <chrono>
#include <string>

#include "base/load.h"
#include "training/run.h"

namespace cotangent::tools {

// Writes to standard error. Does not override RunObserver's other functions: derived classes can.
class Progress : public training::RunObserver {
 public:
  Progress();
  // Prints `line` by itself; the live line is drawn again below it at the next step.
  void Say(const std::string& line) override;
  // On a terminal, redraws the live line, at most ten times a second. Beside the loss of the
  // training batches, the line shows the loss of the latest evaluation. It says if other programs
  // take at least 5% of the processors, and if waiting for other processes that train the same
  // network takes at least 1% of the time.
  void AtStep(const training::RunNumbers& numbers) override;
  // Replaces the live line, if there is one, by the epoch's plain line. `result` is null if the
  // network was not evaluated.
  void AtEpochEnd(const training::RunNumbers& numbers, const training::RunResult* result) override;

 private:
  void Clear();

  const bool is_terminal_;
  bool line_is_open_ = false;
  OtherLoad load_;
  double other_load_ = 0;  // share of the processors (0 to 1) when last measured
  std::chrono::steady_clock::time_point looked_at_load_{};
  std::chrono::steady_clock::time_point last_drawn_{};
};

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_PROGRESS_H_
