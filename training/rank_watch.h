// Measures how long each rank (process) of a distributed training run computes, and reports a rank
// that the others wait for.
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
  // Sums of one rank since the run began. `seconds`: time in training steps. `waited`: the part of
  // that time spent waiting for other ranks. `under_way`: the part during which gradients were on
  // their way to other ranks. `steps`: the number of training steps.
  struct Totals {
    double seconds = 0, waited = 0, under_way = 0;
    int64_t steps = 0;
  };

  // REQUIRES: no training step has been made yet, and `ranks` outlives the RankWatch. All ranks
  // must make the same calls in the same order, since Look() exchanges numbers between ranks.
  explicit RankWatch(distributed::Communicator& ranks);

  // Adds to the JSON object `line` the averages per step since the last call, in seconds:
  // "communication_seconds", "waited_seconds" and, as a list with a number for each rank,
  // "computing_seconds_by_rank". Returns a sentence about a rank if it keeps the others waiting and
  // none did so at the last call, else ""; also "" at the first call, since the first steps include
  // other work.
  std::string Look(const Totals& now, nlohmann::json& line);

 private:
  distributed::Communicator& ranks_;
  const std::vector<std::string> hosts_;  // the host of each rank
  Totals last_;
  bool was_straggler_ = false;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RANK_WATCH_H_
