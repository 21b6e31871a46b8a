// How long each rank of a run computes, and which one the others wait for.
#ifndef COTANGENT_TRAINING_RANK_WATCH_H_
#define COTANGENT_TRAINING_RANK_WATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {

class RankWatch {
 public:
  // Of this rank, in all: seconds in training steps, those of them in which it waited for others,
  // those in which gradients were under way; steps.
  struct Totals {
    double seconds = 0, waited = 0, under_way = 0;
    int64_t steps = 0;
  };

  // Before the first step. `ranks` must outlive it; all of them make the same calls.
  explicit RankWatch(distributed::Communicator& ranks);

  // Writes into `line` what a step took since the last call: communication_seconds, waited_seconds
  // and, by rank, computing_seconds_by_rank. Returns a sentence about the rank that keeps the others
  // waiting, once when it begins to; else "".
  std::string Look(const Totals& now, nlohmann::json& line);

  // Seconds that this rank had waited for others before the first step.
  double waited_before() const { return waited_before_; }

 private:
  distributed::Communicator& ranks_;
  const std::vector<std::string> hosts_;  // by rank
  const double waited_before_;
  Totals last_;
  bool was_straggler_ = false;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RANK_WATCH_H_
