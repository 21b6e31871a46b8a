// What a person sees while a network is trained: on a terminal one live line an epoch, elsewhere
// one plain line an epoch.
#ifndef COTANGENT_TOOLS_PROGRESS_H_
#define COTANGENT_TOOLS_PROGRESS_H_

#include <chrono>
#include <string>

#include "base/load.h"
#include "training/run.h"

namespace cotangent::tools {

// On standard error. PlanIsReady() and Interrupted() are for those who derive from it.
class Progress : public training::RunObserver {
 public:
  Progress();
  // A line of its own, without harm to the live line.
  void Say(const std::string& line) override;
  // Redraws the live line, at most ten times a second. It names the latest evaluation's loss beside
  // that of the training batches, and says if other programs take much of the processors.
  void AtStep(const training::RunNumbers& numbers) override;
  // Ends the epoch's line.
  void AtEpochEnd(const training::RunNumbers& numbers, const training::RunResult* result) override;

 private:
  void Clear();

  const bool is_terminal_;
  bool line_is_open_ = false;
  OtherLoad load_;
  double other_load_ = 0;  // since it was last looked at
  std::chrono::steady_clock::time_point looked_at_load_{};
  std::chrono::steady_clock::time_point last_drawn_{};
};

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_PROGRESS_H_
